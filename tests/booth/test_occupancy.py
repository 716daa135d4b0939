"""How many places each account or address may take at once."""

from __future__ import annotations

import threading

import pytest

from chatbooth_grpc.booth.errors import TooBusy
from chatbooth_grpc.booth.occupancy import Occupancy


def test_a_key_that_has_its_share_is_refused_and_another_is_not() -> None:
    places = Occupancy("streams of one account", 2)
    places.enter("ann")
    places.enter("ann")
    with pytest.raises(TooBusy, match="limit of 2 streams of one account"):
        places.enter("ann")
    places.enter("bob")
    places.leave("ann")
    places.enter("ann")


def test_no_key_means_no_limit() -> None:
    places = Occupancy("streams of one account", 1)
    for _ in range(3):
        places.enter(None)
    places.leave(None)
    assert len(places) == 0


def test_it_remembers_only_the_keys_that_take_a_place() -> None:
    places = Occupancy("streams of one account", 1)
    for key in range(1_000):
        with places.place(key):
            assert len(places) == 1
    assert len(places) == 0


def test_a_place_is_given_back_after_an_error() -> None:
    places = Occupancy("streams of one account", 1)
    with pytest.raises(RuntimeError), places.place("ann"):
        raise RuntimeError
    places.enter("ann")


def test_threads_that_come_and_go_lose_no_place() -> None:
    places = Occupancy("streams of one account", 8)

    def come_and_go() -> None:
        for _ in range(2_000):
            with places.place("ann"):
                pass

    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(places) == 0
