"""The Transport protocol: unary actions by one method, sending and listening by others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from chatbooth_grpc.booth.actions import Reply, Request, UnaryAction
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import Event, OutgoingMessage, Receipt, UnknownEvent


class EventStream(Protocol):
    """A live stream. It yields events, blocks between them, and raises the ChatboothError that it ends with."""

    def __iter__(self) -> Iterator[Event | UnknownEvent]:
        """Read the stream. This works once."""

    def cancel(self) -> None:
        """End the stream at once, from any thread. Its reader gets an error or the end."""


class SendStream(Protocol):
    """A stream of batches of messages. Some batches may be in flight at once. One thread at a time may use it."""

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Send a batch after those before it. Raises ChatboothError if the stream is over."""

    def receive(self) -> list[Receipt | ChatboothError]:
        """Wait for the outcomes of the oldest batch that has none yet, one for each message.

        Raises the ChatboothError that ended the stream. Then the batch may have been stored, and later batches too.
        None was stored without those before it.
        """

    def close(self) -> None:
        """Close the stream."""


class Transport(Protocol):
    """A way to one server. Many threads may call it. It connects, and connects again, by itself.

    It holds no session. `token`, given with each call, is the 16 bytes of the session that the call acts for. Every
    call answers or raises a ChatboothError within `timeout` seconds. It is tried once. The caller repeats calls that
    may be repeated. Beside the errors of its action, any call may raise ServerUnreachable or DeadlineExceeded. Then it
    may have taken effect. Strings are well-formed Unicode.
    """

    def call(self, action: UnaryAction[Request, Reply], token: bytes, request: Request, timeout: float) -> Reply:
        """Perform a unary action of `booth.actions`. `Booth` says what each of them does, and which errors it raises.

        An action that needs no session ignores `token`.
        """

    def send(self, token: bytes, message: OutgoingMessage, *, timeout: float) -> Receipt:
        """Store a message in its recipient's mailbox. A repeat under its id returns the first receipt."""

    def send_stream(self, token: bytes) -> SendStream:
        """Open a stream of batches. Does not wait for the server."""

    def listen(self, token: bytes, after: int | None) -> EventStream:
        """Open a live stream after the session's cursor, or after `after`. Does not wait for the server."""

    def close(self) -> None:
        """Close the connection. Calls after this fail."""
