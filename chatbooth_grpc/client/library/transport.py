"""The Transport protocol: one call for each action, in the model's nouns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import Delivery, Event, OutgoingMessage, Page, Receipt, Removal, Session, UnknownEvent


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

    def sign_up(self, username: str, password: str, *, token: bytes = b"", timeout: float) -> Session:
        """Make an account and its first session. `token` is 16 bytes, or empty to let the server draw one."""

    def log_in(self, username: str, password: str, *, token: bytes = b"", timeout: float) -> Session:
        """Open another session of an account, as `sign_up` does. A repeat with the same `token` returns the first."""

    def log_out(self, token: bytes, *, timeout: float) -> None:
        """End the session."""

    def change_password(self, token: bytes, old_password: str, new_password: str, *, timeout: float) -> int:
        """Change the password. Return how many other sessions ended."""

    def list(self, token: bytes, pattern: str, prefix: str, page_size: int, page_token: str, *, timeout: float) -> Page:
        """Return one page of the usernames that `pattern` finds. `page_size` 0 means the server's default."""

    def send(self, token: bytes, message: OutgoingMessage, *, timeout: float) -> Receipt:
        """Store a message in its recipient's mailbox. A repeat under its id returns the first receipt."""

    def send_stream(self, token: bytes) -> SendStream:
        """Open a stream of batches. Does not wait for the server."""

    def deliver(
        self,
        token: bytes,
        acknowledge_through: int,
        after: int | None,
        max_messages: int,
        *,
        timeout: float,
        epoch: bytes = b"",
    ) -> Delivery:
        """Acknowledge up to a sequence, then return the next messages after the cursor, or after `after`.

        `acknowledge_through` 0 acknowledges nothing. `max_messages` 0 leaves the number to the server. `epoch` is the
        one in which `acknowledge_through` counts. A server with another epoch acknowledges nothing. An empty `epoch`
        fits any server.
        """

    def listen(self, token: bytes, after: int | None) -> EventStream:
        """Open a live stream after the session's cursor, or after `after`. Does not wait for the server."""

    def acknowledge(self, token: bytes, through: int, *, timeout: float, epoch: bytes = b"") -> None:
        """Advance the session's cursor up to the sequence `through`, which counts in `epoch` as in `deliver`."""

    def delete(self, token: bytes, password: str, *, timeout: float) -> Removal:
        """Delete the account, at once and whole."""

    def close(self) -> None:
        """Close the connection. Calls after this fail."""
