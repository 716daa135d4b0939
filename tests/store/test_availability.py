"""The watchers of a store learn each change of its availability, once and in order."""

from __future__ import annotations

import threading

from chatbooth_grpc.store.availability import Availability


class Store:
    """A store that is available if a test says so."""

    def __init__(self) -> None:
        self.is_available = True
        self.availability = Availability(lambda: self.is_available)
        self.said: list[bool] = []

    def turn(self, *, is_available: bool) -> None:
        self.is_available = is_available
        self.availability.look()


def test_each_change_is_said_once() -> None:
    store = Store()
    store.availability.watch(store.said.append)
    store.availability.look()
    assert store.said == []
    for is_available in (False, False, True, True, False):
        store.turn(is_available=is_available)
    assert store.said == [False, True, False]


def test_a_late_watcher_learns_that_the_store_is_not_available() -> None:
    store = Store()
    store.turn(is_available=False)
    store.availability.watch(store.said.append)
    assert store.said == [False]


def test_the_last_word_is_right_if_two_threads_look_at_once() -> None:
    store = Store()
    is_said, may_go_on = threading.Event(), threading.Event()

    def watch(is_available: bool) -> None:
        store.said.append(is_available)
        is_said.set()
        may_go_on.wait(30)

    store.availability.watch(watch)
    first = threading.Thread(target=lambda: store.turn(is_available=False))
    first.start()
    assert is_said.wait(30)
    # The first thread has not yet said it to all watchers.
    second = threading.Thread(target=lambda: store.turn(is_available=True))
    second.start()
    may_go_on.set()
    first.join()
    second.join()
    assert store.said == [False, True]
