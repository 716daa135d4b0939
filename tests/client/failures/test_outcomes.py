"""A command with an unknown outcome says how to find it out."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from chatbooth_grpc.booth.errors import (
    DeadlineExceeded,
    ServerUnreachable,
)
from chatbooth_grpc.client.commands.delete import delete
from chatbooth_grpc.client.commands.passwd import change_password
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.commands.tasks.sending import send
from chatbooth_grpc.client.failures.command_failure import exit_code
from chatbooth_grpc.client.failures.interrupts import Interrupted
from chatbooth_grpc.client.failures.outcomes import OutcomeUnknown
from tests.client.booths import PASSWORD, SERVER, Desk


@pytest.mark.parametrize(
    ("action", "command", "words"),
    [
        ("sign_up", lambda context: sign_up(context, "ben"), "account was made is not known.* login ben"),
        ("change_password", change_password, "password was changed is not known.* login ann"),
        ("send", lambda context: send(context, "ann", "tea?"), "stored is not known; .* send --message-id"),
        ("delete", lambda context: delete(context, confirmed=True), "ann was deleted is not known.* whoami"),
    ],
)
@pytest.mark.parametrize("cause", [ServerUnreachable(SERVER), DeadlineExceeded(), Interrupted(15)])
def test_an_unknown_outcome_comes_with_advice(
    desk: Desk, action: str, command: Callable[[Context], None], words: str, cause: Exception | Interrupted
) -> None:
    sign_up(desk.context(), "ann")

    def before(called: str) -> None:
        if called in (action, "log_in"):
            raise cause

    desk.transport.before = before
    both = {"CHATBOOTH_PASSWORD": PASSWORD, "CHATBOOTH_NEW_PASSWORD": "a newer password"}
    with pytest.raises((OutcomeUnknown, Interrupted)) as raised:
        command(desk.context("ann", environment=both))
    unknown = raised.value.open_end if isinstance(raised.value, Interrupted) else raised.value
    assert isinstance(unknown, OutcomeUnknown)
    assert re.search(words, str(unknown))
    assert exit_code(unknown) == (143 if isinstance(cause, Interrupted) else 4)
