"""Keeping a new session: it replaces a damaged file, or it is ended."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.client.commands.login import log_in
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.failures.command_failure import exit_code
from chatbooth_grpc.client.failures.session_failures import SessionNotKept
from tests.client.booths import PASSWORD, Desk


def test_a_session_that_cannot_be_saved_is_ended(desk: Desk, booth: Booth) -> None:
    booth.sign_up("ann", PASSWORD)
    desk.state.parent.mkdir(parents=True)
    desk.state.write_text("in the way")
    called: list[str] = []
    desk.transport.before = called.append
    with pytest.raises(SessionNotKept, match=r"Logged in as ann .* cannot be kept here .* Not a directory"):
        log_in(desk.context(), "ann")
    with pytest.raises(SessionNotKept, match=r"Signed up as ben .* type: .* login ben") as caught:
        sign_up(desk.context(), "ben")
    assert exit_code(caught.value) == 1
    assert called == ["log_in", "log_out", "sign_up", "log_out"]


def test_logging_in_replaces_a_damaged_file(desk: Desk) -> None:
    sign_up(desk.context(), "ann")
    desk.context().sessions.path("ann").write_bytes(b"{")
    log_in(desk.context(), "ann")
    assert desk.context().pick().username == "ann"
