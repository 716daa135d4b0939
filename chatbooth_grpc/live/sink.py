"""What live delivery asks of a transport: one open stream to write to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import End, Event


class Sink(Protocol):
    """A stream to one client. Nothing here blocks. One thread at a time writes; `abort` may come from any.

    A stream is free when the transport has taken its last event. A stream that is over is free, too.
    """

    @property
    def is_free(self) -> bool:
        """Whether an event may be written now."""

    def call_when_free(self, call: Callable[[], None]) -> bool:
        """Have `call` made once, on any thread, when the stream is free. False: it is free now, and nothing is called.

        A later call of this method replaces an earlier one.
        """

    def send(self, event: Event) -> bool:
        """Begin to write an event to a free stream; return whether the stream still stands."""

    def end(self, end: End, error: ChatboothError) -> None:
        """Write the last event to a free stream, and close it with an error.

        The transport closes the listener once the client has taken that, or the stream is over.
        """

    def abort(self) -> None:
        """Cut the stream off at once."""
