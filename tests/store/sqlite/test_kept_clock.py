"""The file of a store keeps its clock through stops, crashes and migrations."""

from __future__ import annotations

from typing import Any

import apsw
import pytest

from chatbooth_grpc.booth.errors import StoreFull, UsernameTaken
from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.booth.store_clock import DAY, KEEP_INTERVAL, LONGEST_DOUBT, SECOND, History
from chatbooth_grpc.store.sqlite import retention
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.stores import Clock, SQLiteHome, delete, log_in, send_texts, sign_up, texts
from tests.store.beside import sqlite
from tests.store.disk_actions import Failing
from tests.store.earlier import make_earlier_store
from tests.store.power_loss import Disk

YEAR = 365 * DAY


class Machine:
    """A machine on which the test sets the time of day and lets time pass."""

    def __init__(self, home: SQLiteHome) -> None:
        self.home = home
        self.wall, self.steady = Clock(), Clock()

    def open(self) -> SQLiteStore:
        """Start the store."""
        return SQLiteStore(self.home.path, clock=self.wall, steady=self.steady)

    def pass_time(self, time: int) -> None:
        """Let time pass."""
        for clock in (self.wall, self.steady):
            clock.now += time

    def look(self, store: SQLiteStore, expiry: int = 30 * DAY, retain: int = 30 * DAY) -> tuple[int, int]:
        """Do as the reaper does. Return how many sessions ended and how many messages were removed."""
        ended = store.expire_sessions(store.clock.cutoff(expiry / SECOND), 100)
        removed = store.remove_old(retain / SECOND).removed
        return ended, removed


@pytest.fixture
def machine(home: SQLiteHome) -> Machine:
    """A machine."""
    return Machine(home)


def _prepared(store: SQLiteStore, name: str) -> StoredSession:
    """Make an account that has read a message."""
    session = sign_up(store, name)
    send_texts(store, session, name, name)
    store.acknowledge(session, 1)
    return session


@pytest.mark.parametrize("jump", [YEAR, -66 * YEAR])
@pytest.mark.parametrize("is_running", [True, False])
def test_a_clock_that_is_wrong_for_a_while_ends_no_session_and_removes_no_message(
    machine: Machine, jump: int, is_running: bool
) -> None:
    store = machine.open()

    def set_clock(by: int) -> None:
        nonlocal store
        if not is_running:
            store.close()
        machine.wall.now += by
        if not is_running:
            store = machine.open()

    before = _prepared(store, "before")
    set_clock(jump)
    during = _prepared(store, "during")
    assert machine.look(store) == (0, 0)
    machine.pass_time(3 * DAY)
    assert machine.look(store) == (0, 0)
    set_clock(-jump)
    assert machine.look(store) == (0, 0)
    machine.pass_time(26 * DAY)
    store.touch_session(before)
    assert machine.look(store) == (0, 0)
    assert texts(store, before) == ["before"]
    assert texts(store, during) == ["during"]
    machine.pass_time(5 * DAY)
    assert machine.look(store) == (1, 2)
    store.close()


def test_a_server_that_was_off_for_a_year_ends_unused_sessions_after_a_while(machine: Machine) -> None:
    with machine.open() as store:
        used, _unused = _prepared(store, "used"), _prepared(store, "unused")
    machine.pass_time(YEAR)
    with machine.open() as store:
        assert machine.look(store) == (0, 0)
        store.touch_session(used)
        machine.pass_time(LONGEST_DOUBT)
        assert machine.look(store) == (1, 2)


def test_a_name_is_held_for_its_time_when_the_clock_jumps(machine: Machine) -> None:
    with machine.open() as store:
        delete(store, sign_up(store, "ann"), name_hold=30 * 86_400.0)
        machine.wall.now += YEAR
        with pytest.raises(UsernameTaken):
            sign_up(store, "ann")
        machine.wall.now -= 2 * YEAR
        machine.pass_time(30 * DAY - 1)
        with pytest.raises(UsernameTaken):
            sign_up(store, "ann")
        machine.pass_time(1)
        sign_up(store, "ann")


def test_after_a_crash_the_time_since_it_was_kept_counts(machine: Machine, home: SQLiteHome) -> None:
    with machine.open() as store:
        ann = sign_up(store, "ann")
        machine.pass_time(KEEP_INTERVAL // 2)
        used = store.clock.now()
        store.touch_session(ann)
        copy = SQLiteHome(home.path.parent / "copy")
        with sqlite(home) as connection:
            connection.execute("VACUUM INTO ?", (str(copy.path),))
    machine.pass_time(60 * SECOND)
    machine.home = copy
    with machine.open() as store:
        assert store.clock.age(used) == 60 * SECOND


def test_it_is_kept_again_after_a_while_and_not_in_every_transaction(machine: Machine, home: SQLiteHome) -> None:
    def kept() -> int:
        with sqlite(home) as connection:
            return History.from_json(connection.execute("SELECT clock FROM store").get).now

    with machine.open() as store:
        ann = sign_up(store, "ann")
        first = kept()
        machine.pass_time(KEEP_INTERVAL - 1)
        store.touch_session(ann)
        assert kept() == first
        machine.pass_time(1)
        store.touch_session(ann)
        assert kept() == first + KEEP_INTERVAL
        machine.pass_time(5 * SECOND)
    assert kept() == first + KEEP_INTERVAL + 5 * SECOND


def test_a_clock_that_was_set_is_kept_even_if_the_first_transaction_fails(
    home: SQLiteHome, disk: Disk, machine: Machine
) -> None:
    with SQLiteStore(home.path, clock=machine.wall, steady=machine.steady, vfs=disk.name) as store:
        ann = sign_up(store, "ann")
        machine.wall.now += YEAR
        with disk.before("write", Failing(apsw.SQLITE_FULL)), pytest.raises(StoreFull):
            send_texts(store, ann, "ann", "one")
        send_texts(store, ann, "ann", "two")
        with sqlite(home) as connection:
            kept = History.from_json(connection.execute("SELECT clock FROM store").get)
    assert kept.offset == YEAR


@pytest.mark.parametrize("ahead", [YEAR, -YEAR])
def test_a_store_from_before_whose_clock_was_wrong_ends_sessions_in_time(
    machine: Machine, home: SQLiteHome, ahead: int
) -> None:
    home.clock.now = machine.wall.now + ahead
    make_earlier_store(home, 3, "ann")
    with machine.open() as store:
        assert machine.look(store) == ((0, 0) if ahead > 0 else (1, 0))
        machine.pass_time(30 * DAY + 1)
        assert machine.look(store) == ((1, 0) if ahead > 0 else (0, 0))


@pytest.mark.parametrize("openings", [1, 2])
def test_a_session_made_while_the_clock_was_wrong_lives_for_its_expiry(machine: Machine, openings: int) -> None:
    with machine.open() as store:
        sign_up(store, "ann")
        machine.wall.now += YEAR
        for _ in range(openings):
            log_in(store, "ann")
        machine.wall.now -= YEAR
        machine.pass_time(30 * DAY)
        assert machine.look(store) == (0, 0)
        machine.pass_time(1)
        assert machine.look(store) == (1 + openings, 0)


def test_a_name_that_an_earlier_version_held_is_free_on_its_day(machine: Machine, home: SQLiteHome) -> None:
    make_earlier_store(home, 5, "ann")
    with sqlite(home) as connection:
        connection.execute("INSERT INTO held_names VALUES ('bob', ?)", (machine.wall.now + 10 * DAY,))
    with machine.open() as store:
        machine.pass_time(10 * DAY - 1)
        with pytest.raises(UsernameTaken):
            sign_up(store, "bob")
        machine.pass_time(1)
        sign_up(store, "bob")


@pytest.mark.parametrize("jump", [0, -50 * YEAR, YEAR])
def test_a_message_that_is_accepted_while_old_ones_are_looked_for_is_kept(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    find = retention.due_mailboxes

    def find_slowly(*arguments: Any) -> tuple[list[int], int | None]:
        found = find(*arguments)
        machine.pass_time(60 * SECOND)
        machine.wall.now += jump
        send_texts(store, ann, "ann", "new")
        store.acknowledge(ann, 2)
        return found

    with machine.open() as store:
        ann = _prepared(store, "ann")
        machine.pass_time(31 * DAY)
        monkeypatch.setattr("chatbooth_grpc.store.sqlite.sqlite_store.due_mailboxes", find_slowly)
        assert store.remove_old(30 * 86_400.0).removed == 1
        assert texts(store, ann) == ["new"]


@pytest.mark.parametrize("jump", [-50 * YEAR, -YEAR])
def test_messages_accepted_just_before_a_crash_are_kept_though_the_clock_was_set_since(
    machine: Machine, home: SQLiteHome, jump: int
) -> None:
    with machine.open() as store:
        ann = sign_up(store, "ann")
        # After this time, stamps of the future no longer count as stamps of the first start.
        machine.pass_time(40 * DAY)
        store.touch_session(ann)
        machine.pass_time(KEEP_INTERVAL - 1)
        send_texts(store, ann, "ann", "late")
        store.acknowledge(ann, 1)
        copy = SQLiteHome(home.path.parent / "copy")
        with sqlite(home) as connection:
            connection.execute("VACUUM INTO ?", (str(copy.path),))
    machine.wall.now += jump
    machine.home = copy
    with machine.open() as store:
        assert machine.look(store) == (0, 0)
        machine.pass_time(29 * DAY)
        assert machine.look(store) == (0, 0)
        machine.pass_time(2 * DAY)
        assert machine.look(store) == (1, 1)
