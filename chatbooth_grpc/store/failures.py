"""What SQLite reports, in chatbooth's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from chatbooth_grpc.booth.errors import ChatboothError, StoreFull, StoreUnavailable


def store_failure(error: apsw.Error) -> ChatboothError:
    """Return the error that a caller sees in place of one of SQLite's."""
    return StoreFull() if isinstance(error, apsw.FullError) else StoreUnavailable()


@contextmanager
def store_failures() -> Iterator[None]:
    """Raise what SQLite reports inside as `StoreFull` or `StoreUnavailable`."""
    try:
        yield
    except apsw.Error as error:
        raise store_failure(error) from error
