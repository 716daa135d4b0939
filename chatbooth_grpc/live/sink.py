"""The seam between live delivery and a transport: one open stream to write to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import End, Event


class Sink(Protocol):
    """A stream to one client. No method blocks. One thread at a time writes. Any thread may call `abort`.

    A stream is free when the transport has taken its last event. A stream that has ended is free, too.
    """

    @property
    def is_free(self) -> bool:
        """Whether an event may be written now."""

    def call_when_free(self, call: Callable[[], None]) -> bool:
        """Call `call` once, on any thread, when the stream becomes free.

        Returns False if the stream is free now, and then `call` is not called. A later call of this method replaces an
        earlier one.
        """

    def send(self, event: Event) -> bool:
        """Begin to write an event to a free stream. Return whether the stream is still open."""

    def end(self, end: End, error: ChatboothError) -> None:
        """Write the last event to a free stream, and close it with an error.

        The transport closes the listener after the client has taken the event, or after the stream has ended.
        """

    def abort(self) -> None:
        """End the stream at once, even if the client has not taken all events."""
