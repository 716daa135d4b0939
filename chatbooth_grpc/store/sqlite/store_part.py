"""StorePart: how each part of the store reads and changes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import apsw

from chatbooth_grpc.booth.clock import Clock
from chatbooth_grpc.booth.errors import StoreUnavailable
from chatbooth_grpc.booth.lasting_state import LastingState
from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.booth.store_clock import StoreClock
from chatbooth_grpc.store.group_commit import GroupCommit
from chatbooth_grpc.store.sqlite.failures import store_failures
from chatbooth_grpc.store.sqlite.files import StoreFiles
from chatbooth_grpc.store.sqlite.kept_clock import KeptClock
from chatbooth_grpc.store.sqlite.readers import Readers
from chatbooth_grpc.store.sqlite.write_transaction import WriteTransaction

T = TypeVar("T")


class StorePart:
    """Gives the methods of a part their connection or their transaction. `SQLiteStore` sets the attributes."""

    # The time of day.
    _clock: Clock
    _files: StoreFiles
    _kept_clock: KeptClock
    _writer: GroupCommit[WriteTransaction]
    _readers: Readers
    _failed_reading: LastingState

    @property
    def clock(self) -> StoreClock:
        return self._kept_clock.clock

    def _change(self, session: StoredSession | None, change: Callable[[WriteTransaction], T]) -> T:
        """Make a change in a transaction, for the session that asks for it.

        A session that has ended is refused, with SessionInvalid. None: no session asks for the change.
        """

        def work(transaction: WriteTransaction) -> T:
            transaction.begin_change(session)
            return change(transaction)

        return self._writer.run(work)

    @contextmanager
    def _reader(self) -> Iterator[apsw.Connection]:
        """Lend a reading connection. Raises StoreUnavailable: the files that it reads are lost."""
        if self._files.are_lost:
            raise StoreUnavailable
        with store_failures(self._failed_reading), self._readers.lend() as connection:
            yield connection
