"""The types by which the other rooms use a call that holds no thread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Protocol

answered_account: ContextVar[int | None] = ContextVar("answered_account", default=None)
"""The account whose call is being answered, where the answer can be large."""


class ResponseStream(Protocol):
    """A call's responses, written one at a time by whoever has one. Messages are serialised."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """While a thread holds this lock, `is_taken` does not change. Hold it briefly, and do not write."""

    @property
    def is_taken(self) -> bool:
        """Say whether gRPC has taken every message that was written, or the call is over."""

    def push(self, message: bytes, taken: Callable[[], None]) -> bool:
        """Begin to write a message; return whether the call still stands.

        If so, `taken` is called once gRPC has taken the message or the call is over. It must not block, and until
        then nothing else may be written.
        """

    def finish(self, message: bytes | None) -> None:
        """End the call with the context's status, after a last message unless that is None."""


class StreamCall(Protocol):
    """Both directions of a call. The callbacks must neither block nor raise."""

    def receive(self, received: Callable[[Any], None]) -> None:
        """Have `received` called with the next message, or with None: no more come. One at a time."""

    def push(self, response: Any, taken: Callable[[], None]) -> bool:
        """Write a message; return whether the call still stands.

        If so, `taken` is called, and until then nothing else may be written.
        """
