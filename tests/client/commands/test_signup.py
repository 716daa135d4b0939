"""signup: it makes an account once, and saves its session."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    InvalidPassword,
    InvalidUsername,
    UsernameTaken,
)
from chatbooth_grpc.client.commands.login import log_in
from chatbooth_grpc.client.commands.signup import sign_up
from tests.client.booths import PASSWORD, SERVER, Desk


def test_signing_up_saves_the_session(desk: Desk, booth: Booth) -> None:
    sign_up(desk.context(), "Ann")
    assert desk.said() == f"Signed up as ann on {SERVER}.\n"
    assert desk.printed() == []
    saved = desk.context().pick()
    assert saved.username == "ann"
    booth.acknowledge(saved.session.token, 0)


def test_json_never_holds_the_token(desk: Desk) -> None:
    sign_up(desk.context(as_json=True), "ann")
    token = desk.context().pick().session.token
    assert desk.records() == [{"username": "ann", "account_id": 1, "server": SERVER}]
    assert desk.said() == ""
    log_in(desk.context(as_json=True), "ann")
    assert token.hex() not in repr(desk.records())


@pytest.mark.parametrize(
    ("username", "password", "error"),
    [("a b", PASSWORD, InvalidUsername), ("ben", "short", InvalidPassword), ("ann", PASSWORD, UsernameTaken)],
)
def test_a_refused_sign_up_saves_nothing(desk: Desk, username: str, password: str, error: type[ChatboothError]) -> None:
    sign_up(desk.context(), "ann")
    with pytest.raises(error):
        sign_up(desk.context(environment={"CHATBOOTH_PASSWORD": password}), username)
    assert desk.context().sessions.usernames() == ["ann"]
