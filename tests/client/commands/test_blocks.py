"""blocks: it blocks and unblocks accounts, and prints those that are blocked."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.errors import Blocked, BlocksOneself, RecipientNotFound
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.commands.tasks.sending import send
from tests.client.booths import Desk
from tests.client.commands.lines import run_line


@pytest.fixture
def two(desk: Desk) -> Desk:
    """Return a desk where ann and bobby are logged in."""
    for username in ("ann", "bobby"):
        sign_up(desk.context(), username)
    desk.said()
    desk.printed()
    return desk


def test_blocking_printing_and_unblocking(two: Desk) -> None:
    run_line(two.context("ann"), "blocks")
    assert (two.printed(), two.said()) == ([], "This account blocks nobody.\n")
    run_line(two.context("ann"), "blocks --add BOBBY")
    assert two.said() == "Blocked bobby.\n"
    run_line(two.context("ann"), "blocks")
    assert two.printed() == ["bobby"]
    with pytest.raises(Blocked):
        send(two.context("bobby"), "ann", "tea?")
    run_line(two.context("ann", as_json=True), "blocks --remove bobby")
    assert two.records() == [{"username": "bobby", "blocked": False}]
    send(two.context("bobby"), "ann", "tea?")
    run_line(two.context("ann", as_json=True), "blocks")
    assert two.records()[1:] == []


def test_a_name_that_nobody_has_is_refused_with_names_that_are_near(two: Desk) -> None:
    with pytest.raises(RecipientNotFound) as refused:
        run_line(two.context("ann"), "blocks --add boby")
    assert refused.value.similar == "bobby"
    with pytest.raises(BlocksOneself):
        run_line(two.context("ann"), "blocks --add ann")
