"""The pool of reading connections: what it lends, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import apsw
import pytest

from chatbooth_grpc.booth.errors import StoreUnavailable
from chatbooth_grpc.store.readers import Readers


class Made:
    """Connections to nothing in particular, and how many were made."""

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
