"""Sending one message: it is stored once, and an unknown outcome comes with advice."""

from __future__ import annotations

import shlex

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    DeadlineExceeded,
    RecipientNotFound,
    ServerUnreachable,
    TooBusy,
)
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.commands.tasks.sending import send
from chatbooth_grpc.client.failures.command_failure import exit_code
from chatbooth_grpc.client.failures.outcomes import OutcomeUnknown
from tests.client.booths import SERVER, Desk, failing


def test_sending_reports_the_recipient_and_the_time(desk: Desk, booth: Booth) -> None:
    sign_up(desk.context(), "ann")
    desk.said()
    send(desk.context(), "Ann", "tea?", b"i" * 16)
    assert desk.said().startswith("Sent to ann, accepted at 20")
    send(desk.context(as_json=True), "Ann", "tea?", b"i" * 16)
    [record] = desk.records()
    assert record["recipient"] == "ann"
    assert record["message_id"] == "69" * 16
    [message] = booth.deliver(desk.context().pick().session.token).messages
    assert message.text == "tea?"


def test_a_temporary_failure_is_reported_once_and_the_message_is_stored_once(desk: Desk, booth: Booth) -> None:
    sign_up(desk.context(), "ann")
    desk.said()
    desk.transport.before = failing("send", ServerUnreachable(SERVER), times=3)
    send(desk.context(), "ann", "tea?")
    assert desk.said().count("Trying again") == 1
    assert len(booth.deliver(desk.context().pick().session.token).messages) == 1


@pytest.mark.parametrize("error", [ServerUnreachable(SERVER), DeadlineExceeded()])
@pytest.mark.parametrize("text", ["it's\u00a0tea", "-tea", "two\nlines", "x" * 1_000, "\x1b[31m"])
def test_an_unknown_outcome_says_how_to_repeat_the_command(desk: Desk, error: ChatboothError, text: str) -> None:
    sign_up(desk.context(), "ann")
    desk.transport.before = failing("send", error)
    with pytest.raises(OutcomeUnknown) as unknown:
        send(desk.context(), "ben", text, b"i" * 16)
    assert unknown.value.reason == error.reason
    assert exit_code(unknown.value) == 4
    assert unknown.value.details()["message_id"] == "69" * 16
    words = shlex.split(unknown.value.details()["command"])
    assert words[3:] == ["--as", "ann", "send", "--message-id", "69" * 16, "ben", *words[9:]]
    if text in {"it's\u00a0tea", "-tea"}:
        assert words[9:] == ["--", text]
    else:
        assert words[9] == "-"
        assert "standard input" in str(unknown.value)


@pytest.mark.parametrize("error", [TooBusy("calls"), RecipientNotFound("ben")])
def test_a_known_outcome_has_no_such_advice(desk: Desk, error: ChatboothError) -> None:
    sign_up(desk.context(), "ann")
    desk.transport.before = failing("send", error)
    with pytest.raises(type(error)):
        send(desk.context(), "ben", "tea?")
