"""The restore fault: a store is put back from a copy, and all clients continue."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.history.backups import put_back, take
from bench.history.faults import FaultyProxy, Server
from bench.history.recording import Restore

# How often the server is stopped and started after the copy was taken, so that the copy does not fit the log.
_NEW_LOG = 0.5

# How often mailboxes grow past the messages that were shown. Then their length does not show that the store was put
# back.
_REGROWN = 0.5


class Restoring:
    """Puts a server's store back from a copy that was taken a moment earlier, and notes when."""

    def __init__(
        self, server: Server, proxy: FaultyProxy, dice: random.Random, folder: Path, *, keeps_epoch: bool
    ) -> None:
        """The copies go into `folder`. `keeps_epoch` puts the old epoch back each time, which the check must notice."""
        self.restores: list[Restore] = []
        self.ways: Counter[str] = Counter()
        self.regrow: Callable[[], None] = lambda: None
        """Lets each mailbox grow past the messages that its receiver was shown, before receivers may connect again."""
        self._server = server
        self._proxy = proxy
        self._dice = dice
        self._folder = folder
        self._keeps_epoch = keeps_epoch

    def __call__(self) -> None:
        """Copy the store, wait a little, end the server, put the copy back, and start."""
        number = len(self.restores)
        taken, backup = take(self._server, self._folder / f"backup {number}", self._dice)
        time.sleep(0.2 + 0.6 * self._dice.random())
        if self._dice.random() < _NEW_LOG:
            self._server.restart(signal.SIGTERM)
        epoch = _epoch(self._server.store)
        self._proxy.shut()
        self._server.send_signal(self._dice.choice([signal.SIGTERM, signal.SIGKILL]))
        self._server.wait()
        ended = time.monotonic()
        put, holds_through = put_back(backup, self._server, self._folder / f"store {number}", self._dice)
        self.restores.append(Restore(holds_through, ended))
        self.ways.update([taken, put])
        if self._keeps_epoch:
            self._set_epoch(epoch)
        if self._keeps_epoch or self._dice.random() < _REGROWN:
            self.regrow()
        self._proxy.open()

    def _set_epoch(self, epoch: bytes) -> None:
        # Written while the server runs, so that the next start does not take the file for another one.
        with closing(sqlite3.connect(self._server.store, timeout=10)) as connection, connection:
            connection.execute("UPDATE store SET epoch = ?", (epoch,))
        self._server.restart(signal.SIGTERM)


def _epoch(store: Path) -> bytes:
    with closing(sqlite3.connect(store, timeout=10)) as connection:
        epoch: bytes = connection.execute("SELECT epoch FROM store").fetchone()[0]
    return epoch
