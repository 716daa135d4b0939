"""login: the new session replaces the old one."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbooth_grpc.booth.actions import SIGN_UP, LogInRequest
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import (
    InvalidUsername,
    SessionInvalid,
    WrongCredentials,
)
from chatbooth_grpc.client.commands.login import log_in
from chatbooth_grpc.client.commands.signup import sign_up
from tests.client.booths import PASSWORD, Desk


def test_logging_in_again_replaces_the_session_and_ends_the_old_one(desk: Desk, booth: Booth) -> None:
    sign_up(desk.context(), "ann")
    old = desk.context().pick()
    context = desk.context()
    context.sessions.save(type(old)(old.server, old.session, shown_through=7))
    log_in(desk.context(), "ann")
    new = desk.context().pick()
    booth.acknowledge(new.session.token, 0)
    with pytest.raises(SessionInvalid):
        booth.acknowledge(old.session.token, 0)
    assert new.shown_through == 7


def test_a_refused_log_in_keeps_the_old_session(desk: Desk, booth: Booth) -> None:
    sign_up(desk.context(), "ann")
    with pytest.raises(WrongCredentials):
        log_in(desk.context(environment={"CHATBOOTH_PASSWORD": "wrong"}), "ann")
    booth.acknowledge(desk.context().pick().session.token, 0)


def test_a_server_cannot_choose_the_file(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server gives the name in a session. That name must not lead out of the directory."""
    session = desk.transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), 1)
    hostile = type(session)(session.token, 1, "../../../evil", session.epoch)
    monkeypatch.setattr(desk.transport, "call", lambda *_: hostile)
    with pytest.raises(InvalidUsername):
        log_in(desk.context(), "ann")
    assert list(tmp_path.rglob("*evil*")) == []
