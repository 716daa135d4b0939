"""whoami: it prints the account of the session after the server has confirmed it."""

from __future__ import annotations

from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.commands.whoami import who_am_i
from tests.client.booths import Desk


def test_whoami_prints_the_account_if_the_session_is_live(desk: Desk) -> None:
    sign_up(desk.context(), "ann")
    desk.said()
    who_am_i(desk.context())
    who_am_i(desk.context(as_json=True))
    assert desk.printed() == ["ann", '{"username": "ann", "account_id": 1, "server": "127.0.0.1:50051"}']
