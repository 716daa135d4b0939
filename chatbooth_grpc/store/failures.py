"""The states of a store that cannot be written or read, as the log reports them."""

from __future__ import annotations

import logging

from chatbooth_grpc.booth.lasting_state import QUIET, LastingState

_log = logging.getLogger(__name__)


def failed_writing(quiet: float = QUIET) -> LastingState:
    """Return the state of a store that refuses changes."""
    return LastingState(
        _log,
        "the store cannot be written: changes are refused until the disk has room and works",
        "the store can be written again",
        quiet=quiet,
    )


def failed_reading(quiet: float = QUIET) -> LastingState:
    """Return the state of a store that cannot answer."""
    return LastingState(
        _log,
        "the store cannot be read: calls are refused until its file can be opened and read",
        "the store can be read again",
        quiet=quiet,
    )
