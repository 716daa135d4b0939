"""The types by which the other rooms use a call that holds no thread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Protocol

answered_account: ContextVar[int | None] = ContextVar("answered_account", default=None)
"""The account whose call is being answered, where the answer can be large."""


class ResponseStream(Protocol):
    """A call's responses. Any thread may write one, but only one at a time. Messages are serialised."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """While a thread holds this lock, `is_taken` does not change. Hold it briefly, and do not write."""

    @property
    def is_taken(self) -> bool:
        """Return whether gRPC has taken every message that was written, or the call is over."""

    def push(self, message: bytes, taken: Callable[[], None]) -> bool:
        """Begin to write a message. Return whether the call is still open.

        If so, `taken` is called after gRPC has taken the message or the call is over. It must not block. Until then,
        nothing else may be written.
        """

    def finish(self, message: bytes | None) -> None:
        """End the call with the context's status, after a last message unless that is None."""


class StreamCall(Protocol):
    """Both directions of a call. The callbacks must neither block nor raise."""

    def receive(self, received: Callable[[Any], None]) -> None:
        """Call `received` with the next message, or with None if no more come. Receive one message at a time."""

    def push(self, response: Any, taken: Callable[[], None]) -> bool:
        """Write a message. Return whether the call is still open.

        If so, `taken` is called, and until then nothing else may be written.
        """
