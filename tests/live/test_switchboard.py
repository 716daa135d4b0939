"""Live delivery end to end, from a commit to a stream's writer."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import apsw
import pytest

from chatbooth_grpc.booth.errors import ChatboothError, CursorPastEnd, ServerDraining, SessionInvalid, TooBusy
from chatbooth_grpc.booth.model import End, EndReason, Gap, GapReason
from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.live.switchboard import Switchboard
from tests.live.conftest import Place
from tests.live.recording_sink import RecordingSink, open_stream
from tests.waiting import wait_until


def test_it_opens_replays_and_then_pushes(place: Place, switchboard: Switchboard) -> None:
    place.send(b"one", b"two")
    sink = RecordingSink()
    open_stream(switchboard, place.bob, None, sink)
    wait_until(lambda: len(sink.messages) == 2)
    assert (sink.opening.resumed_after, sink.opening.replaying, sink.opening.gap) == (0, 2, None)
    assert (sink.opening.epoch, sink.opening.account_id) == (place.store.epoch, place.bob.account_id)
    place.send(b"three")
    wait_until(lambda: sink.sequences == [1, 2, 3])
    assert [message.text for message in sink.messages] == ["one", "two", "three"]


def test_it_starts_after_the_sequence_that_the_client_names(place: Place, switchboard: Switchboard) -> None:
    place.send(b"one", b"two", b"three")
    sink = RecordingSink()
    open_stream(switchboard, place.bob, 2, sink)
    wait_until(lambda: sink.sequences == [3])
    assert (sink.opening.resumed_after, sink.opening.replaying) == (2, 1)


def test_every_device_gets_everything(place: Place, switchboard: Switchboard) -> None:
    sinks = [RecordingSink() for _ in range(3)]
    for sink, session in zip(sinks, (place.bob, place.bob, place.another_session()), strict=True):
        open_stream(switchboard, session, None, sink)
    for _ in range(20):
        place.send(b"text")
    wait_until(lambda: all(sink.sequences == list(range(1, 21)) for sink in sinks))


def test_it_says_which_sessions_listen(place: Place, switchboard: Switchboard) -> None:
    other = place.another_session()
    assert not switchboard.listens(place.bob)
    listeners = [switchboard.open(place.bob, None, RecordingSink()) for _ in range(2)]
    switchboard.close(listeners[0])
    assert switchboard.listens(place.bob)
    assert not switchboard.listens(other)
    switchboard.close(listeners[1])
    assert not switchboard.listens(place.bob)


def test_a_window_of_256_messages_waits_for_the_acknowledgement(place: Place, switchboard: Switchboard) -> None:
    place.send(*[b"x"] * 700)
    sink = RecordingSink()
    open_stream(switchboard, place.bob, None, sink)
    wait_until(lambda: len(sink.messages) == 256)
    switchboard.sweep()
    place.send(b"more")
    place.store.acknowledge(place.bob, 100)
    wait_until(lambda: len(sink.messages) == 356)
    place.store.acknowledge(place.bob, 356)
    wait_until(lambda: len(sink.messages) == 612)
    place.store.acknowledge(place.bob, 612)
    wait_until(lambda: sink.sequences == list(range(1, 702)))


def test_a_window_of_a_mebibyte_lets_one_large_message_through(place: Place, switchboard: Switchboard) -> None:
    place.send(b"x" * (2 << 20), b"y" * (600 << 10), b"z" * (600 << 10))
    sink = RecordingSink()
    open_stream(switchboard, place.bob, None, sink)
    wait_until(lambda: sink.sequences == [1])
    place.store.acknowledge(place.bob, 1)
    wait_until(lambda: sink.sequences == [1, 2])
    switchboard.sweep()
    place.store.acknowledge(place.bob, 2)
    wait_until(lambda: sink.sequences == [1, 2, 3])


def test_a_sequence_far_beyond_the_cursor_does_not_close_the_window(place: Place, switchboard: Switchboard) -> None:
    place.send(*[b"x"] * 600)
    sink = RecordingSink()
    open_stream(switchboard, place.bob, 400, sink)
    wait_until(lambda: sink.sequences == list(range(401, 601)))


def test_a_stream_says_which_messages_retention_removed(place: Place, switchboard: Switchboard) -> None:
    place.send(b"one", b"two", b"three")
    with apsw.Connection(str(place.path)) as connection:
        connection.execute("DELETE FROM messages WHERE sequence <= 2")
        connection.execute("UPDATE mailboxes SET removed_through = 2 WHERE last_sequence = 3")
    sink = RecordingSink()
    open_stream(switchboard, place.bob, None, sink)
    wait_until(lambda: sink.sequences == [3])
    assert sink.opening.gap == Gap(1, 2, GapReason.RETENTION)
    assert sink.opening.replaying == 1
    assert sink.gaps == []


def test_a_slow_stream_says_which_messages_retention_removed_after_its_place(
    place: Place, switchboard: Switchboard
) -> None:
    place.send(*[b"x"] * 300)
    sink = RecordingSink()
    open_stream(switchboard, place.bob, None, sink)
    wait_until(lambda: len(sink.messages) == 256)
    with apsw.Connection(str(place.path)) as connection:
        connection.execute("DELETE FROM messages WHERE sequence <= 280")
        connection.execute("UPDATE mailboxes SET removed_through = 280 WHERE last_sequence = 300")
    place.store.acknowledge(place.bob, 256)
    wait_until(lambda: sink.sequences[-1] == 300)
    assert sink.gaps == [Gap(257, 280, GapReason.RETENTION)]


@pytest.mark.parametrize("ending", ["log out", "delete", "password", "expiry"])
def test_the_end_of_the_session_ends_the_stream(place: Place, switchboard: Switchboard, ending: str) -> None:
    other = place.another_session()
    sink = RecordingSink()
    open_stream(switchboard, place.bob, None, sink)
    wait_until(lambda: bool(sink.events))
    account = place.store.account("bob")
    assert account is not None
    if ending == "log out":
        place.store.end_session(place.bob)
    elif ending == "delete":
        place.delete_bob()
    elif ending == "password":
        place.store.change_password(other, account, "another hash")
    else:
        place.clock.advance(10)
        place.store.expire_sessions(place.clock(), 100)
    wait_until(lambda: sink.error is not None)
    assert isinstance(sink.error, SessionInvalid)
    assert sink.events[-1] == End(EndReason.SESSION_ENDED, 0)
    wait_until(lambda: switchboard.count == 0)


def test_a_cursor_past_the_end_ends_the_stream(place: Place, switchboard: Switchboard) -> None:
    sink = RecordingSink()
    open_stream(switchboard, place.bob, 1, sink)
    wait_until(lambda: sink.error is not None)
    assert isinstance(sink.error, CursorPastEnd)


def test_there_may_be_so_many_and_no_more(place: Place, switchboard: Switchboard) -> None:
    listeners = [open_stream(switchboard, place.bob, None, RecordingSink()) for _ in range(50)]
    with pytest.raises(TooBusy, match="50 open streams"):
        open_stream(switchboard, place.bob, None, RecordingSink())
    switchboard.close(listeners[0])
    switchboard.close(listeners[0])
    open_stream(switchboard, place.bob, None, RecordingSink())
    assert switchboard.count == 50


class _Deaf:
    """A store that loses all hints."""

    def __init__(self, place: Place) -> None:
        self.epoch = place.store.epoch
        self.after = place.store.after

    def watch(self, _changed: object) -> None:
        """Lose the hint."""


def test_a_lost_hint_is_found_by_the_sweep(place: Place) -> None:
    board = Switchboard(_Deaf(place))  # type: ignore[arg-type]  # it gives all that is asked of a store here
    sink = RecordingSink()
    open_stream(board, place.bob, None, sink)
    wait_until(lambda: bool(sink.events))
    place.send(b"unannounced")
    assert sink.messages == []
    board.sweep()
    wait_until(lambda: sink.sequences == [1])
    board.drain(1)


def test_a_drain_ends_every_stream_with_its_cursor(place: Place) -> None:
    before = threading.active_count()
    board = Switchboard(place.store)
    place.send(b"one", b"two")
    sinks = [RecordingSink() for _ in range(3)]
    for sink in sinks:
        open_stream(board, place.bob, None, sink)
    wait_until(lambda: all(sink.sequences == [1, 2] for sink in sinks))
    stuck = RecordingSink()
    stuck.block()
    open_stream(board, place.bob, None, stuck)
    board.drain(1)
    assert all(isinstance(sink.error, ServerDraining) for sink in sinks)
    assert all(sink.events[-1] == End(EndReason.DRAINING, 2) for sink in sinks)
    assert stuck.aborted.is_set()
    with pytest.raises(ServerDraining):
        open_stream(board, place.bob, None, RecordingSink())
    assert threading.active_count() == before


def test_a_drain_waits_no_longer_than_its_grace_for_clients_that_do_not_read_their_end(place: Place) -> None:
    board = Switchboard(place.store, per_account=51)
    deaf = [_DeafAtTheEnd() for _ in range(50)]
    reading = RecordingSink()
    for sink in (*deaf, reading):
        open_stream(board, place.bob, None, sink)
    wait_until(lambda: all(sink.events for sink in (*deaf, reading)))
    started = time.monotonic()
    board.drain(0.3)
    assert time.monotonic() - started < 10
    assert all(sink.aborted.is_set() for sink in deaf)
    assert board.count == 0


class _DeafAtTheEnd(RecordingSink):
    """A stream whose client reads every event except the end."""

    def end(self, end: End, error: ChatboothError) -> None:
        self.block()
        super().end(end, error)


def test_a_full_window_opens_by_the_acknowledgement_alone(place: Place, switchboard: Switchboard) -> None:
    """Without a sweep or another message, only the store's hint after the acknowledgement lets the stream go on."""
    place.send(*[b"x"] * 300)
    sink = RecordingSink()
    open_stream(switchboard, place.bob, None, sink)
    wait_until(lambda: len(sink.messages) == 256)
    place.store.acknowledge(place.bob, 44)
    wait_until(lambda: sink.sequences == list(range(1, 301)))


@pytest.mark.parametrize("seed", range(3))
def test_clients_that_come_and_go_see_everything_once_and_in_order(place: Place, seed: int) -> None:
    """Devices connect, break and acknowledge at random, while messages come and hints are lost."""
    board = Switchboard(place.store, pumps=3)
    sessions = [place.bob, *(place.another_session() for _ in range(3))]
    total = 400

    def send() -> None:
        chance = random.Random(seed)
        sent = 0
        while sent < total:
            count = min(chance.randint(1, 9), total - sent)
            place.send(*[b"x" * chance.randint(1, 9_000) for _ in range(count)])
            sent += count

    def receive(number: int) -> list[int]:
        chance = random.Random(f"{seed} {number}")
        shown: list[int] = []
        while len(shown) < total:
            sink = RecordingSink()
            after = shown[-1] if shown and chance.random() < 0.7 else None
            listener = open_stream(board, _as_now(place, sessions[number]), after, sink)
            enough = chance.randint(1, 120)
            wait_until(lambda sink=sink, enough=enough: len(sink.messages) >= enough or _is_last(sink, total))  # type: ignore[misc]
            board.close(listener)
            got = sink.sequences
            assert got == list(range(sink.opening.resumed_after + 1, sink.opening.resumed_after + 1 + len(got)))
            shown += [sequence for sequence in got if sequence > (shown[-1] if shown else 0)]
            assert not sink.two_writers
            place.store.acknowledge(sessions[number], chance.randint(0, shown[-1]))
        return shown

    with ThreadPoolExecutor() as threads:
        receivers = [threads.submit(receive, number) for number in range(len(sessions))]
        threads.submit(send).result()
        assert all(receiver.result() == list(range(1, total + 1)) for receiver in receivers)
    assert board.count == 0
    board.drain(1)


def _is_last(sink: RecordingSink, total: int) -> bool:
    return sink.sequences[-1:] == [total]


def _as_now(place: Place, session: StoredSession) -> StoredSession:
    """Return the session as a call would find it now."""
    return replace(session, cursor=place.store.after(session, 0, 0, 0).cursor)


def test_one_account_leaves_streams_for_others(place: Place) -> None:
    board = Switchboard(place.store, per_account=2)
    # The share is the account's, and not the session's.
    first = board.open(place.bob, None, RecordingSink())
    board.open(place.another_session(), None, RecordingSink())
    with pytest.raises(TooBusy, match="limit of 2 open streams of one account"):
        board.open(place.bob, None, RecordingSink())
    assert board.count == 2
    board.open(place.alice, None, RecordingSink())
    board.close(first)
    board.close(first)
    board.open(place.bob, None, RecordingSink())
    with pytest.raises(TooBusy):
        board.open(place.bob, None, RecordingSink())
    board.drain(0)
