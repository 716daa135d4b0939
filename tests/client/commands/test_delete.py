"""delete: it deletes the account only if the person confirms it."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import (
    WrongCredentials,
    WrongPassword,
)
from chatbooth_grpc.client.commands.delete import delete
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.commands.tasks.sending import send
from chatbooth_grpc.client.failures.command_failure import Misuse
from tests.client.booths import PASSWORD, Desk


def test_deleting_forgets_the_session(desk: Desk, booth: Booth) -> None:
    sign_up(desk.context(), "ann")
    send(desk.context(), "ann", "tea?")
    delete(desk.context(as_json=True), confirmed=True)
    assert desk.records()[-1] == {"username": "ann", "messages_removed": 1, "sessions_ended": 1}
    assert desk.context().sessions.usernames() == []
    with pytest.raises(WrongCredentials):
        booth.log_in("ann", PASSWORD)


def test_without_a_terminal_deleting_needs_a_flag(desk: Desk, booth: Booth) -> None:
    sign_up(desk.context(), "ann")
    with pytest.raises(Misuse, match="--yes"):
        delete(desk.context(typed="y\n"))
    booth.log_in("ann", PASSWORD)


def test_a_wrong_password_deletes_nothing(desk: Desk, booth: Booth) -> None:
    sign_up(desk.context(), "ann")
    with pytest.raises(WrongPassword):
        delete(desk.context(environment={"CHATBOOTH_PASSWORD": "wrong"}), confirmed=True)
    booth.acknowledge(desk.context().pick().session.token, 0)
