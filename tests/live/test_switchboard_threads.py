"""Which threads serve the listeners, and clients that do not read."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from itertools import pairwise

import pytest

from chatbooth_grpc.booth.model import Event
from chatbooth_grpc.booth.store import Changed
from chatbooth_grpc.live import listener
from chatbooth_grpc.live.switchboard import Switchboard
from tests.live.conftest import Place
from tests.live.recording_sink import RecordingSink, open_stream
from tests.waiting import wait_until


def test_a_client_that_does_not_read_holds_up_nobody_and_goes_on_where_it_was(
    place: Place, switchboard: Switchboard
) -> None:
    stuck = [RecordingSink() for _ in range(40)]
    for sink in stuck:
        sink.block()
        open_stream(switchboard, place.bob, None, sink)
    reading = RecordingSink()
    open_stream(switchboard, place.bob, None, reading)
    for number in range(1, 101):
        place.send(b"text")
        wait_until(lambda number=number: reading.sequences == list(range(1, number + 1)))  # type: ignore[misc]
    # Its client has not taken the opening.
    assert all(len(sink.events) == 1 for sink in stuck)
    for sink in stuck:
        sink.unblock()
    wait_until(lambda: all(sink.sequences == list(range(1, 101)) for sink in stuck))
    assert not any(sink.two_writers for sink in (*stuck, reading))


def test_a_stream_that_nobody_reads_costs_a_message_nothing(place: Place, switchboard: Switchboard) -> None:
    sink = RecordingSink()
    open_stream(switchboard, place.bob, None, sink)
    wait_until(lambda: bool(sink.events))
    sink.block()
    place.send(b"one")
    wait_until(lambda: not sink.is_free)
    place.send(b"two")
    # So no message wakes it.
    wait_until(lambda: not switchboard._by_mailbox)
    assert switchboard.count == 1
    # An open stream keeps its session in use.
    assert switchboard.sessions() == [place.bob]
    sink.unblock()
    wait_until(lambda: sink.sequences == [1, 2])


class _ThreadNoting(RecordingSink):
    """A stream that notes which threads write to it."""

    def __init__(self) -> None:
        super().__init__()
        self.writers: list[str] = []

    def send(self, event: Event) -> bool:
        self.writers.append(threading.current_thread().name)
        return super().send(event)


def _up_to_date(
    place: Place, switchboard: Switchboard, count: int, monkeypatch: pytest.MonkeyPatch
) -> list[_ThreadNoting]:
    """Open streams that need not read the log again."""
    monkeypatch.setattr(listener, "READ_INTERVAL", 3_600.0)
    sinks = [_ThreadNoting() for _ in range(count)]
    for sink in sinks:
        open_stream(switchboard, place.bob, None, sink)
    wait_until(lambda: all(sink.events for sink in sinks))
    place.send(b"one")
    wait_until(lambda: all(sink.sequences == [1] for sink in sinks))
    return sinks


def test_the_stores_thread_serves_a_lone_listener_that_is_up_to_date(
    place: Place, switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    [sink] = _up_to_date(place, switchboard, 1, monkeypatch)
    place.send(b"two")
    wait_until(lambda: sink.sequences == [1, 2])
    # The opening needs the log, which only a pump reads.
    assert (sink.writers[0], sink.writers[-1]) == ("pump-0", "store-writer")


def test_pumps_serve_many_listeners(place: Place, switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch) -> None:
    sinks = _up_to_date(place, switchboard, 3, monkeypatch)
    place.send(b"two")
    wait_until(lambda: all(sink.sequences == [1, 2] for sink in sinks))
    assert {name for sink in sinks for name in sink.writers} == {"pump-0"}


def test_pumps_serve_a_listener_while_work_waits_for_the_store(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    hints: list[Changed] = []
    monkeypatch.setattr(place.store, "watch", hints.append)
    board = Switchboard(place.store)
    # The store's own hint, but for a store that is never idle.
    monkeypatch.undo()
    place.store.watch(lambda mailbox_ids, _is_idle: hints[0](mailbox_ids, False))
    [sink] = _up_to_date(place, board, 1, monkeypatch)
    place.send(b"two")
    wait_until(lambda: sink.sequences == [1, 2])
    assert set(sink.writers) == {"pump-0"}
    board.drain(1)


class _FreedWhileSetAside(RecordingSink):
    """A stream that becomes free after the pump has found it not free, and before the pump asks for a callback."""

    def call_when_free(self, call: Callable[[], None]) -> bool:
        self.unblock()
        return super().call_when_free(call)


def test_a_stream_that_is_free_before_it_is_set_aside_goes_on(place: Place, switchboard: Switchboard) -> None:
    sink = _FreedWhileSetAside()
    sink.block()
    open_stream(switchboard, place.bob, None, sink)
    wait_until(lambda: bool(sink.events))
    place.send(b"one")
    wait_until(lambda: sink.sequences == [1])


@pytest.mark.parametrize("seed", range(5))
def test_no_wake_is_lost_while_clients_read_now_and_then(place: Place, switchboard: Switchboard, seed: int) -> None:
    """Streams that become free at any moment, even while the pump sets them aside."""
    chance = random.Random(seed)
    sinks = [RecordingSink() for _ in range(8)]
    for sink in sinks:
        open_stream(switchboard, place.bob, None, sink)
    for _ in range(150):
        sink = chance.choice(sinks)
        chance.choice((sink.block, sink.unblock))()
        place.send(b"x")
    for sink in sinks:
        sink.unblock()
    wait_until(lambda: all(sink.sequences == list(range(1, 151)) for sink in sinks))


def test_no_stream_ever_has_two_writers(place: Place, switchboard: Switchboard) -> None:
    sinks = [RecordingSink() for _ in range(10)]
    for sink in sinks:
        open_stream(switchboard, place.bob, None, sink)

    def press() -> None:
        for _ in range(30):
            place.send(b"x")
            switchboard.sweep()

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: all(len(sink.messages) == 120 for sink in sinks))
    assert not any(sink.two_writers for sink in sinks)
    assert all(earlier + 1 == later for sink in sinks for earlier, later in pairwise(sink.sequences))
