"""What live delivery asks of a transport: one open stream to write to."""

from __future__ import annotations

from typing import Protocol

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import End, Event


class Sink(Protocol):
    """A stream to one client. Only one thread writes to it at a time; `abort` may come from any."""

    def send(self, event: Event) -> bool:
        """Write an event, blocking as long as the client reads too slowly; return whether the stream still stands."""

    def end(self, end: End, error: ChatboothError) -> None:
        """Write the last event and close the stream with an error."""

    def abort(self) -> None:
        """Cut the stream off at once, freeing whoever is blocked in `send`."""
