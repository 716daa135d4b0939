"""SQLite's errors as chatbooth's errors, and their words for the log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from chatbooth_grpc.booth.errors import ChatboothError, StoreFull, StoreUnavailable
from chatbooth_grpc.booth.lasting_state import LastingState


def store_failure(error: apsw.Error) -> ChatboothError:
    """Return the chatbooth error that a caller sees in place of SQLite's error."""
    return StoreFull() if isinstance(error, apsw.FullError) else StoreUnavailable()


def cause_of(failure: apsw.Error) -> str:
    """Return SQLite's words for a failure, with the name of its code."""
    codes: dict[int, str] = {**apsw.mapping_result_codes, **apsw.mapping_extended_result_codes}  # type: ignore[dict-item]
    code = getattr(failure, "extendedresult", -1)
    return f"{failure} ({codes.get(code, type(failure).__name__)})".lstrip()


@contextmanager
def store_failures(state: LastingState) -> Iterator[None]:
    """Raise SQLite's errors inside the block as `StoreFull` or `StoreUnavailable`, and note them in `state`."""
    try:
        yield
    except apsw.Error as error:
        state.refused(cause_of(error))
        raise store_failure(error) from error
    state.worked()
