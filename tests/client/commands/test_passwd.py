"""passwd: the password is changed, and other sessions end."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import (
    WrongPassword,
)
from chatbooth_grpc.client.commands.passwd import change_password
from chatbooth_grpc.client.commands.signup import sign_up
from tests.client.booths import PASSWORD, Desk


def test_changing_the_password_ends_other_sessions(desk: Desk, booth: Booth) -> None:
    sign_up(desk.context(), "ann")
    booth.log_in("ann", PASSWORD)
    both = {"CHATBOOTH_PASSWORD": PASSWORD, "CHATBOOTH_NEW_PASSWORD": "a newer password"}
    change_password(desk.context(environment=both, as_json=True))
    assert desk.records()[-1] == {"username": "ann", "sessions_ended": 1}
    booth.log_in("ann", "a newer password")
    with pytest.raises(WrongPassword):
        change_password(desk.context(environment=both))
    assert desk.context().sessions.usernames() == ["ann"]
