"""list: one username a line."""

from __future__ import annotations

from chatbooth_grpc.client.commands.list import list_accounts
from chatbooth_grpc.client.commands.signup import sign_up
from tests.client.booths import Desk


def test_accounts_are_listed_one_a_line(desk: Desk) -> None:
    for username in ("ann", "ben", "anton"):
        sign_up(desk.context(), username)
    desk.said()
    list_accounts(desk.context("ann"), "^AN", "")
    assert desk.printed() == ["ann", "anton"]
    list_accounts(desk.context("ann", as_json=True), "", "b")
    assert desk.records() == [{"username": "ben"}]
    assert desk.said() == ""
    list_accounts(desk.context("ann"), "nobody", "")
    assert (desk.printed(), desk.said()) == ([], "No username matches.\n")
