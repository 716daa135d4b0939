"""The context that every command works with: it forgets a session that has ended."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import (
    WrongCredentials,
)
from chatbooth_grpc.client.commands.delete import delete
from chatbooth_grpc.client.commands.list import list_accounts
from chatbooth_grpc.client.commands.login import log_in
from chatbooth_grpc.client.commands.passwd import change_password
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.commands.tasks.sending import send
from chatbooth_grpc.client.commands.whoami import who_am_i
from chatbooth_grpc.client.failures.command_failure import exit_code
from chatbooth_grpc.client.failures.session_failures import SessionEnded
from tests.client.booths import PASSWORD, Desk


def test_a_session_that_has_ended_is_forgotten_and_the_error_says_which_command_to_type(
    desk: Desk, booth: Booth
) -> None:
    for command in (
        who_am_i,
        lambda context: list_accounts(context, "", ""),
        lambda context: send(context, "ann", "tea?"),
        change_password,
        lambda context: delete(context, confirmed=True),
    ):
        log_in(desk.context(), "ann") if booth_has(booth) else sign_up(desk.context(), "ann")
        booth.log_out(desk.context().pick().session.token)
        with pytest.raises(SessionEnded, match="login ann") as ended:
            command(desk.context(environment={"CHATBOOTH_PASSWORD": PASSWORD, "CHATBOOTH_NEW_PASSWORD": PASSWORD}))
        assert exit_code(ended.value) == 3
        assert desk.context().sessions.usernames() == []


def booth_has(booth: Booth) -> bool:
    """Return whether ann has signed up."""
    try:
        booth.log_in("ann", PASSWORD)
    except WrongCredentials:
        return False
    return True
