"""logout: it ends and forgets the session, except while the server is away."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import (
    ServerUnreachable,
    SessionInvalid,
)
from chatbooth_grpc.client.commands.delete import delete
from chatbooth_grpc.client.commands.logout import log_out
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.failures.outcomes import Unprinted
from chatbooth_grpc.client.failures.session_failures import NotLoggedIn
from tests.client.booths import SERVER, Desk, failing
from tests.client.streams import Full


def test_logging_out_ends_and_forgets_the_session(desk: Desk, booth: Booth) -> None:
    sign_up(desk.context(), "ann")
    token = desk.context().pick().session.token
    log_out(desk.context())
    with pytest.raises(SessionInvalid):
        booth.acknowledge(token, 0)
    with pytest.raises(NotLoggedIn):
        log_out(desk.context())


def test_logging_out_forgets_a_session_that_has_ended(desk: Desk, booth: Booth) -> None:
    sign_up(desk.context(), "ann")
    booth.log_out(desk.context().pick().session.token)
    log_out(desk.context())
    assert desk.context().sessions.usernames() == []


def test_while_the_server_is_away_logging_out_keeps_the_session(desk: Desk) -> None:
    sign_up(desk.context(), "ann")
    desk.transport.before = failing("log_out", ServerUnreachable(SERVER))
    with pytest.raises(ServerUnreachable):
        log_out(desk.context())
    assert desk.context().sessions.usernames() == ["ann"]


@pytest.mark.parametrize("command", [log_out, lambda context: delete(context, confirmed=True)])
def test_an_ended_session_is_forgotten_even_if_that_cannot_be_printed(
    desk: Desk, command: Callable[[Context], None]
) -> None:
    sign_up(desk.context(), "ann")
    with pytest.raises(Unprinted):
        command(desk.context(out=Full(), as_json=True))
    assert desk.context().sessions.usernames() == []
