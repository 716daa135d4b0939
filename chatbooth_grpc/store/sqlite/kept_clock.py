"""The store's clock, which the writer keeps in the store's row."""

from __future__ import annotations

from pathlib import Path

import apsw

from chatbooth_grpc.booth.clock import Clock
from chatbooth_grpc.booth.store_clock import KEEP_INTERVAL, History, StoreClock
from chatbooth_grpc.store.sqlite.opening import StoreOpenError
from chatbooth_grpc.store.sqlite.sql import SQL


class KeptClock:
    """Reads the clock when the store is opened, and writes it in transactions. For the writer's thread alone."""

    def __init__(self, connection: apsw.Connection, wall: Clock, steady: Clock) -> None:
        self._connection = connection
        row: tuple[str | None, int] = connection.execute(SQL["kept_clock"]).fetchall()[0]  # type: ignore[assignment]
        kept, newest = row
        self._is_first = kept is None
        self.clock = StoreClock(wall, steady, None if kept is None else History.from_json(kept), newest)
        self._kept_now = self._written_now = self.clock.now() - KEEP_INTERVAL

    def begin(self) -> int:
        """Begin a transaction, and write the clock if that is due. Return the accept time of its messages."""
        stamp = self.clock.stamp()
        if self.clock.is_changed or self.clock.stamp_time - self._kept_now >= KEEP_INTERVAL:
            self.keep()
        return stamp

    def keep(self) -> None:
        """Write the clock in the current transaction."""
        history = self.clock.history()
        self._connection.execute(SQL["keep_clock"], (history.to_json(),))
        if self._is_first:
            # The clock may once have been ahead. That must not let a session live longer.
            self._connection.execute(SQL["bound_used_times"], {"now": history.now})
        self._written_now = history.now

    def end(self, *, committed: bool) -> None:
        """End a transaction. If it failed, the next one writes the clock again."""
        if committed and self._written_now > self._kept_now:
            self._kept_now = self._written_now
            self._is_first = self.clock.is_changed = False
        self._written_now = self._kept_now


def open_clock(connection: apsw.Connection, wall: Clock, steady: Clock, path: Path) -> KeptClock:
    """Return the clock of the store at `path`, through its writing connection. Raises StoreOpenError."""
    try:
        return KeptClock(connection, wall, steady)
    except apsw.Error as error:
        connection.close()
        raise StoreOpenError(f"cannot open the store {path}: {error}") from error
