"""`send --queue` over a real booth: the reports, and the exit code of each outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    DeadlineExceeded,
    Internal,
    MalformedRequest,
    MessageIdReused,
    RecipientNotFound,
    ServerUnreachable,
    StoreFull,
    TooBusy,
)
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.client.commands.login import log_in
from chatbooth_grpc.client.commands.logout import log_out
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.commands.tasks.outbox_showing import show_outbox
from chatbooth_grpc.client.commands.tasks.queueing import send_queued
from chatbooth_grpc.client.failures.command_failure import Misuse, exit_code
from chatbooth_grpc.client.failures.interrupts import Interrupted
from chatbooth_grpc.client.failures.outcomes import QueuedButRefused, Unprinted
from chatbooth_grpc.client.failures.session_failures import NotLoggedIn, SessionEnded
from chatbooth_grpc.client.state.file_lock import file_lock
from chatbooth_grpc.client.state.outbox import Outbox
from tests.client.booths import SERVER, Desk, failing
from tests.client.streams import Full

ID = b"i" * 16


@pytest.fixture
def ann(desk: Desk) -> Desk:
    """Return ann's desk."""
    sign_up(desk.context(), "ann")
    desk.said()
    return desk


@pytest.fixture
def mailbox(ann: Desk, booth: Booth) -> Callable[[], list[str]]:
    """Return a function that reads the texts in ann's mailbox."""
    token = ann.context().pick().session.token
    return lambda: [message.text for message in booth.deliver(token, after=0).messages]


def outbox(desk: Desk) -> Outbox:
    context = desk.context()
    return context.sessions.outbox(context.pick())


def test_a_message_is_queued_then_sent_and_both_are_reported(ann: Desk, mailbox: Callable[[], list[str]]) -> None:
    send_queued(ann.context(), "Ann", "tea?", ID)
    queued, sent = ann.said().splitlines()
    assert queued == f"The message to ann is queued, id {ID.hex()}."
    assert sent.startswith("Sent to ann, accepted at ")
    send_queued(ann.context(as_json=True), "ann", "cake?")
    assert [record["type"] for record in ann.records()] == ["queued", "sent"]
    assert mailbox() == ["tea?", "cake?"]


@pytest.mark.parametrize(
    "error", [ServerUnreachable(SERVER), DeadlineExceeded(), TooBusy("calls"), StoreFull(), Internal()]
)
def test_after_a_temporary_failure_the_message_stays_queued(
    ann: Desk, mailbox: Callable[[], list[str]], error: ChatboothError
) -> None:
    ann.transport.before = failing("send", error)
    send_queued(ann.context(), "ann", "tea?", ID)
    queued, why = ann.said().splitlines()
    assert f"is queued, id {ID.hex()}" in queued
    assert why.startswith(str(error))
    assert "stays queued" in why
    ann.transport.before = lambda _: None
    show_outbox(ann.context(), send=True)
    assert mailbox() == ["tea?"]


def test_the_command_tries_once(ann: Desk) -> None:
    calls: list[str] = []

    def before(action: str) -> None:
        calls.append(action)
        raise ServerUnreachable(SERVER)

    ann.transport.before = before
    send_queued(ann.context(), "ann", "tea?")
    assert calls == ["send"]


def test_after_the_session_has_ended_the_message_stays_queued_and_the_error_says_so(
    ann: Desk, booth: Booth, mailbox: Callable[[], list[str]]
) -> None:
    booth.log_out(ann.context().pick().session.token)
    with pytest.raises(SessionEnded) as ended:
        send_queued(ann.context(), "ann", "tea?", ID)
    assert exit_code(ended.value) == 3
    assert ann.said().splitlines() == [
        f"The message to ann is queued, id {ID.hex()}.",
        "The message stays queued: it goes out after you have logged in again.",
    ]
    log_in(ann.context(), "ann")
    show_outbox(ann.context(), send=True)
    messages = booth.deliver(ann.context().pick().session.token, after=0).messages
    assert [message.text for message in messages] == ["tea?"]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), MemoryError()])
def test_the_queued_message_is_reported_before_the_first_attempt(ann: Desk, interrupt: BaseException) -> None:
    def before(_action: str) -> None:
        raise interrupt

    ann.transport.before = before
    with pytest.raises(type(interrupt)):
        send_queued(ann.context(), "ann", "tea?", ID)
    assert ann.said() == f"The message to ann is queued, id {ID.hex()}.\n"
    assert [message.message_id for message in outbox(ann).waiting()] == [ID]


def test_no_interrupt_comes_between_queueing_and_the_report(ann: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ann.context()
    put = Outbox.put

    def interrupted(kept: Outbox, *arguments: Any) -> bytes:
        message_id = put(kept, *arguments)
        context.interrupts._arrived(15, None)
        return message_id

    monkeypatch.setattr(Outbox, "put", interrupted)
    with pytest.raises(Interrupted):
        send_queued(context, "ann", "tea?", ID)
    assert ann.said() == f"The message to ann is queued, id {ID.hex()}.\n"


def test_a_message_that_was_not_queued_is_not_reported(ann: Desk) -> None:
    for recipient, text, error in (
        ("a b", "tea?", ChatboothError),
        ("ann", "", Misuse),
        ("ann", "caf\udce9", MalformedRequest),
    ):
        with pytest.raises(error):
            send_queued(ann.context(), recipient, text)
    path = ann.context().sessions._outbox_path(ann.context().pick())
    path.unlink(missing_ok=True)
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        send_queued(ann.context(), "ann", "tea?")
    log_out(ann.context(as_json=True))
    with pytest.raises(NotLoggedIn):
        send_queued(ann.context(), "ann", "tea?")
    assert "queued" not in ann.said()


def test_a_refused_message_decides_the_exit_code(ann: Desk) -> None:
    with pytest.raises(QueuedButRefused, match="no account named nemo") as refused:
        send_queued(ann.context(), "nemo", "tea?", ID)
    assert exit_code(refused.value) == 5
    assert refused.value.reason == "RECIPIENT_NOT_FOUND"
    assert ann.said() == f"The message to nemo is queued, id {ID.hex()}.\n"
    with pytest.raises(QueuedButRefused):
        send_queued(ann.context(as_json=True), "nemo", "tea?", ID)
    assert [record["type"] for record in ann.records()] == ["queued", "refused"]
    assert len(outbox(ann).refused()) == 1


def test_a_refusal_of_an_earlier_message_does_not_decide_the_exit_code(
    ann: Desk, mailbox: Callable[[], list[str]]
) -> None:
    with outbox(ann) as kept:
        kept.put("nemo", "lost?")
    send_queued(ann.context(), "ann", "tea?")
    assert "Not sent to nemo" in ann.said()
    assert mailbox() == ["tea?"]


def test_a_repeat_of_an_id_has_the_outcome_of_the_first(ann: Desk, mailbox: Callable[[], list[str]]) -> None:
    ann.transport.before = failing("send", ServerUnreachable(SERVER))
    send_queued(ann.context(), "ann", "tea?", ID)
    first = ann.said()
    send_queued(ann.context(), "ann", "tea?", ID)
    assert ann.said() == first
    with pytest.raises(MessageIdReused) as refused:
        send_queued(ann.context(), "ann", "cake?", ID)
    assert (exit_code(refused.value), ann.said()) == (1, "")
    ann.transport.before = lambda _: None
    for _ in range(2):
        send_queued(ann.context(), "ann", "tea?", ID)
        assert "Sent to ann" in ann.said()
    assert mailbox() == ["tea?"]
    with pytest.raises(QueuedButRefused, match="id was used"):
        send_queued(ann.context(), "ann", "cake?", ID)


def test_queueing_the_same_text_again_is_reported(ann: Desk) -> None:
    ann.transport.before = failing("send", ServerUnreachable(SERVER))
    send_queued(ann.context(), "ann", "tea?", ID)
    ann.said()
    send_queued(ann.context(), "ann", "tea?")
    _, twin, _ = ann.said().splitlines()
    assert f"already, id {ID.hex()}, and sends both" in twin
    assert "--as ann outbox --drop " in twin
    send_queued(ann.context(), "ann", "another text")
    assert "sends both" not in ann.said()
    send_queued(ann.context(as_json=True), "ann", "tea?")
    assert ann.records()[0]["same_text_as"] == ID.hex()


def test_a_message_waits_while_another_command_sends_and_that_is_reported(ann: Desk) -> None:
    path = ann.context().sessions._outbox_path(ann.context().pick())
    outbox(ann).close()
    context = ann.context()
    with file_lock(path.with_name(f"{path.name}.lock")):
        send_queued(replace(context, timeout=0.0), "ann", "tea?")
    assert ann.said().splitlines()[1].startswith("Another command sends what is queued now.")
    assert len(outbox(ann).waiting()) == 1


class TakenMeanwhile(Outbox):
    """An outbox that another command empties before this command may send."""

    refusal: ChatboothError | None = None

    def flush(self, send, *, wait=0.0):  # type: ignore[no-untyped-def]
        [message] = self.waiting()
        if self.refusal:
            self._refuse(message, self.refusal)
        else:
            send(message.recipient, message.text, message.message_id)
            self.drop(message.message_id)
        return iter(())


@pytest.mark.parametrize("recipient", ["ann", "nemo"])
def test_a_message_that_another_command_sent_has_the_same_outcome_here(
    ann: Desk, mailbox: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch, recipient: str
) -> None:
    monkeypatch.setattr("chatbooth_grpc.client.state.outbox.Outbox", TakenMeanwhile)
    monkeypatch.setattr(TakenMeanwhile, "refusal", RecipientNotFound("nemo") if recipient == "nemo" else None)
    if recipient == "nemo":
        with pytest.raises(QueuedButRefused):
            send_queued(ann.context(), recipient, "tea?")
    else:
        send_queued(ann.context(), recipient, "tea?")
        assert "Sent to ann" in ann.said()
        assert mailbox() == ["tea?"]
    assert outbox(ann).waiting() == []


def test_a_failure_after_the_commands_own_message_does_not_change_its_outcome(
    ann: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = ann.transport.send
    sent: list[object] = []

    def once(*arguments: object, **more: object) -> Receipt:
        if sent:
            raise ServerUnreachable(SERVER)
        sent.append(arguments)
        outbox(ann).put("ann", "of another command")
        return send(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ann.transport, "send", once)
    send_queued(ann.context(), "ann", "tea?")
    words = ann.said()
    assert "Sent to ann" in words
    assert "stays queued" not in words


def test_a_queued_message_that_cannot_be_reported_has_an_exit_code_of_its_own(ann: Desk) -> None:
    with pytest.raises(Unprinted, match="is queued, id") as unsaid:
        send_queued(ann.context(out=Full(), as_json=True), "ann", "tea?", ID)
    assert exit_code(unsaid.value) == 6
    assert unsaid.value.details()["message_id"] == ID.hex()
    assert len(outbox(ann).waiting()) == 1
