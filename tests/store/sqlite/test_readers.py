"""The pool of reading connections: how it lends them, and how it closes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import ExitStack

import apsw
import pytest

from chatbooth_grpc.booth.errors import DeadlineExceeded, StoreUnavailable
from chatbooth_grpc.store.sqlite import readers as module
from chatbooth_grpc.store.sqlite.readers import Readers
from tests.deadlines import deadline_in
from tests.waiting import wait_until


class Made:
    """Makes connections to an empty database, and keeps them."""

    def __init__(self) -> None:
        self.connections: list[apsw.Connection] = []

    def __call__(self) -> apsw.Connection:
        connection = apsw.Connection(":memory:")
        self.connections.append(connection)
        return connection


@pytest.fixture
def made() -> Iterator[Made]:
    made = Made()
    yield made
    for connection in made.connections:
        connection.close()


def is_closed(connection: apsw.Connection) -> bool:
    try:
        connection.execute("SELECT 1").fetchall()
    except apsw.ConnectionClosedError:
        return True
    return False


def test_it_makes_as_many_as_are_lent_at_once(made: Made) -> None:
    readers = Readers(made)
    for _ in range(3):
        with ExitStack() as lent:
            assert len({lent.enter_context(readers.lend()) for _ in range(2)}) == 2
    assert len(made.connections) == 2
    assert readers.close(0)


def test_a_caller_waits_for_one_when_as_many_as_may_be_are_lent(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_READERS", 2)
    readers = Readers(made)

    def borrow() -> apsw.Connection:
        with readers.lend() as connection:
            return connection

    with ThreadPoolExecutor(20) as threads, ExitStack() as lent:
        held = [lent.enter_context(readers.lend()) for _ in range(2)]
        borrowing = [threads.submit(borrow) for _ in range(20)]
        with pytest.raises(FutureTimeoutError):
            borrowing[0].result(0.1)
        lent.close()
        assert all(each.result(20) in held for each in borrowing)
    assert len(made.connections) == 2
    assert readers.close(0)


def test_a_caller_does_not_wait_past_its_deadline(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_READERS", 1)
    readers = Readers(made, wait=0.1)
    with readers.lend():
        with pytest.raises(StoreUnavailable), readers.lend():
            pass
        with deadline_in(0.05), pytest.raises(DeadlineExceeded), readers.lend():
            pass
    with readers.lend():
        pass
    assert readers.close(0)


def test_closing_refuses_a_caller_that_waits(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_READERS", 1)
    readers = Readers(made)

    def borrow() -> None:
        with readers.lend():
            pass

    with ThreadPoolExecutor(1) as threads, readers.lend():
        waiting = threads.submit(borrow)
        wait_until(lambda: bool(readers._wanting))
        assert not readers.close(0)
        assert isinstance(waiting.exception(20), StoreUnavailable)


def test_closing_waits_for_a_lent_connection_and_closes_all(made: Made) -> None:
    readers = Readers(made)
    with ThreadPoolExecutor(1) as threads:
        with readers.lend() as lent, readers.lend():
            assert not readers.close(0), "two are lent"
            with pytest.raises(StoreUnavailable), readers.lend():
                pass
            closing = threads.submit(readers.close, 60)
            assert not is_closed(lent)
        assert closing.result()
    assert [is_closed(connection) for connection in made.connections] == [True, True]


def test_a_connection_that_could_not_be_made_is_not_waited_for() -> None:
    def fail() -> apsw.Connection:
        raise apsw.CantOpenError("made for this test")

    readers = Readers(fail)
    with pytest.raises(apsw.CantOpenError), readers.lend():
        pass
    assert readers.close(0)
