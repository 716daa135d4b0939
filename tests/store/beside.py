"""A connection to a store's file, beside the store's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from tests.contract.stores import SQLiteHome


@contextmanager
def sqlite(home: SQLiteHome) -> Iterator[apsw.Connection]:
    """Lend a connection that waits while the store writes."""
    connection = apsw.Connection(str(home.path))
    connection.set_busy_timeout(5_000)
    try:
        yield connection
    finally:
        connection.close()
