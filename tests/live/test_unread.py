"""Writes that clients have not taken: which are cut off, and when."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chatbooth_grpc.booth.errors import TooBusy
from chatbooth_grpc.live import small_writes
from chatbooth_grpc.live import unread as unread_module
from chatbooth_grpc.live.unread import Held, Unread

MIB = 1 << 20


class Clock:
    """Stands for the module `time`."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time, which a test sets."""
    clock = Clock()
    for module in (small_writes, unread_module):
        monkeypatch.setattr(module, "time", clock)
    return clock


class Client:
    """Clients that take nothing. It notes which of them the server cuts off."""

    def __init__(self, unread: Unread) -> None:
        self.cut_off: list[str] = []
        self._unread = unread

    def hold(self, name: str, size: int, *owners: str) -> Held:
        return self._unread.hold(size, owners, lambda: self.cut_off.append(name))

    def hold_small(self, name: str) -> None:
        self._unread.hold_small(name, lambda: self.cut_off.append(name))


def test_a_taken_write_no_longer_counts(clock: Clock) -> None:
    unread = Unread()
    held = unread.hold(5_000, ("ann",), lambda: None)
    assert (unread.size, unread.count) == (5_000, 1)
    unread.release(held)
    unread.release(held)
    assert (unread.size, unread.count, unread._by_owner) == (0, 0, {})


def test_a_write_that_nobody_takes_is_cut_off_at_the_limit_and_not_before(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    unread = Unread(stuck_limit=5)
    client = Client(unread)
    client.hold("small", 100)
    client.hold("large", MIB)
    clock.now = 4.9
    unread.cut_off_late()
    assert client.cut_off == []
    clock.now = 5.1
    unread.cut_off_late()
    assert client.cut_off == ["small"]
    # A write of a mebibyte has 16 seconds more.
    clock.now = 20.9
    unread.cut_off_late()
    assert client.cut_off == ["small"]
    clock.now = 21.1
    unread.cut_off_late()
    assert client.cut_off == ["small", "large"]
    assert (unread.size, unread.count) == (0, 0)
    assert [record.message for record in caplog.records] == ["clients that do not read are cut off"]


def test_the_oldest_goes_where_all_have_too_much(clock: Clock) -> None:
    unread = Unread(most_size=10 * MIB, share_size=100 * MIB)
    client = Client(unread)
    for number in range(12):
        clock.now = number / 2
        client.hold(f"{number}", MIB, f"client {number}")
    assert client.cut_off == ["0", "1"]
    assert unread.size == 10 * MIB


def test_an_accounts_share_costs_its_own_oldest_and_no_one_elses(clock: Clock) -> None:
    unread = Unread(share_size=3 * MIB)
    client = Client(unread)
    client.hold("other", 2 * MIB, "other's account")
    for number in range(5):
        clock.now = 1.0 + number
        client.hold(f"{number}", MIB, "account", f"connection {number}")
    assert client.cut_off == ["0", "1"]
    clock.now = 6.0
    client.hold("last", MIB, "account", "connection 4")
    assert client.cut_off == ["0", "1", "2"]


def test_a_connections_share_counts_for_all_its_accounts(clock: Clock) -> None:
    unread = Unread(share_size=3 * MIB)
    client = Client(unread)
    for number in range(5):
        clock.now = float(number)
        client.hold(f"{number}", MIB, f"account {number}", "connection")
    assert client.cut_off == ["0", "1"]


def test_a_lone_write_may_be_larger_than_the_share(clock: Clock) -> None:
    unread = Unread(share_size=MIB)
    client = Client(unread)
    client.hold("large", 16 * MIB, "ann")
    clock.now = 2.0
    unread.cut_off_late()
    assert client.cut_off == []


def test_any_amount_of_young_writes_is_left_alone(clock: Clock) -> None:
    """A message to thousands of listeners waits for all of them for a short time."""
    unread = Unread(most_size=MIB, share_size=MIB)
    client = Client(unread)
    for number in range(100):
        client.hold(f"{number}", MIB, "ann")
    assert client.cut_off == []
    clock.now = 0.3
    unread.cut_off_late()
    assert client.cut_off == [f"{number}" for number in range(99)]


def test_no_more_small_writes_wait_than_may(clock: Clock) -> None:
    unread = Unread(most=3)
    client = Client(unread)
    for number in range(5):
        clock.now = float(number)
        client.hold_small(f"{number}")
    assert client.cut_off == ["0", "1"]
    assert unread.count == 3


def test_young_small_writes_are_left_alone_however_many_they_are(clock: Clock) -> None:
    unread = Unread(most=3)
    client = Client(unread)
    for number in range(5):
        client.hold_small(f"{number}")
    assert client.cut_off == []
    clock.now = 0.3
    unread.cut_off_late()
    assert client.cut_off == ["0", "1"]


def test_a_small_write_that_nobody_takes_is_cut_off_at_the_limit_and_not_before(clock: Clock) -> None:
    unread = Unread(stuck_limit=5)
    client = Client(unread)
    client.hold_small("stuck")
    unread.hold_small("taken", lambda: client.cut_off.append("taken"))()
    assert unread.count == 1
    clock.now = 4.9
    unread.cut_off_late()
    assert client.cut_off == []
    clock.now = 5.1
    unread.cut_off_late()
    unread.cut_off_late()
    assert (client.cut_off, unread.count) == (["stuck"], 0)


def test_an_account_that_leaves_its_share_unread_is_refused_more(clock: Clock) -> None:
    unread = Unread(share_size=16 * MIB)
    unread.check("ann")
    held = unread.hold(17 * MIB, ("ann",), lambda: None)
    with pytest.raises(TooBusy, match="16 MiB"):
        unread.check("ann")
    unread.check("bob")
    unread.release(held)
    unread.check("ann")


class Stream:
    """A live stream whose small writes are watched."""

    def __init__(self, waiting_since: float | None) -> None:
        self.waiting_since = waiting_since
        self.is_cut_off = False

    def cut_off(self) -> None:
        self.is_cut_off = True


def test_a_watched_stream_is_cut_off_while_a_write_waits_and_only_then(clock: Clock) -> None:
    unread = Unread(stuck_limit=5)
    free, waiting, gone = Stream(None), Stream(0.0), Stream(0.0)
    for each in (free, waiting, gone):
        unread.watch(each)
    unread.unwatch(gone)
    assert unread.count == 1
    clock.now = 4.9
    unread.cut_off_late()
    assert not waiting.is_cut_off
    clock.now = 5.1
    unread.cut_off_late()
    assert [each.is_cut_off for each in (free, waiting, gone)] == [False, True, False]


def test_a_client_that_is_cut_off_may_release_and_hold_at_once(clock: Clock) -> None:
    """Release the write as the end of a call does, on the thread that cuts it off."""
    unread = Unread(most=1)
    ended: list[str] = []

    def end() -> None:
        release()
        ended.append("first")
        unread.hold_small("third", lambda: None)

    release = unread.hold_small("first", end)
    clock.now = 1.0
    unread.hold_small("second", lambda: None)
    assert ended == ["first"]


def test_many_threads_leave_nothing_held() -> None:
    unread = Unread(most=50, most_size=MIB, share_size=100_000, stuck_limit=0.01)
    cut_off = threading.Semaphore(0)

    def press(number: int) -> None:
        chance = random.Random(number)
        mine: list[Held] = []
        for _ in range(3_000):
            owners = (chance.randrange(5), f"connection {chance.randrange(5)}") if chance.random() < 0.7 else ()
            mine.append(unread.hold(chance.randrange(20_000), owners, cut_off.release))
            if chance.random() < 0.9:
                unread.release(mine.pop(chance.randrange(len(mine))))
            small = unread.hold_small(object(), cut_off.release)
            if chance.random() < 0.01:
                unread.cut_off_late()
            small()
        for held in mine:
            unread.release(held)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(press, range(4)))
    assert (unread.size, unread.count, unread._by_owner) == (0, 0, {})
