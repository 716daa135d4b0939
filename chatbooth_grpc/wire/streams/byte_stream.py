"""The seam between the wire protocol and the network: a connection as a stream of bytes.

The server and the client read and write through it alone, so one class decides whether the bytes travel as plain text
or encrypted. Two rules let the callers wait for a stream with select, poll or epoll:

- A stream keeps no received bytes back. Each call that receives returns all that has become readable, so the
  descriptor alone shows whether more can come.
- A stream may keep back bytes that it could not send. It then reports them as not taken. The caller waits until the
  descriptor is writable, and calls again with the same bytes in front.

One thread at a time receives, and one at a time sends, but the two may be different threads. Any thread may call
`cut_off` and `stop_receiving` at any time.
"""

from __future__ import annotations

import ctypes
from typing import Protocol

MOST = 64 << 10
"""The most bytes that one call of `send_quickly` sends. Copying them holds up all threads, so it must not take long."""

Buffer = ctypes.Array[ctypes.c_char]
"""Memory that the caller lends for one call of `receive_quickly`, and that no other thread may use meanwhile."""


def new_buffer(size: int) -> Buffer:
    """Return memory for `receive_quickly`."""
    return ctypes.create_string_buffer(size)


class TlsFailed(ConnectionError):
    """The peer of an encrypted stream does not speak TLS, was not trusted, or broke the protocol."""


class ByteStream(Protocol):
    """A connection. Every method that receives or sends raises OSError when the connection is broken."""

    @property
    def is_ready(self) -> bool:
        """Whether bytes can be sent. On a server's encrypted stream they cannot before the handshake is over."""

    def shake_hands(self) -> None:
        """Agree on keys with the peer, within the timeout in all. A plain stream has nothing to agree on."""

    def fileno(self) -> int:
        """Return the descriptor, which may only be waited for. It is -1 after `close`."""

    def set_timeout(self, seconds: float | None, /) -> None:
        """Make `receive` raise TimeoutError after a silence. None, the default, means that it waits for ever.

        With a timeout, the calls that do not wait may wait as long too.
        """

    def receive(self, size: int, /) -> bytes:
        """Wait for bytes and return about `size` of them. An empty result means that the peer sends no more."""

    def receive_now(self, size: int, /) -> bytes | None:
        """Return about `size` of the bytes that have come, without waiting. None means that no bytes have come."""

    def receive_quickly(self, buffer: Buffer, /) -> bytes | None:
        """Do the same without letting another thread run, if that is possible. The buffer's size counts."""

    def send_now(self, data: bytes | memoryview, /) -> int:
        """Send as many of the bytes as the connection takes without waiting. Return how many it took."""

    def send_quickly(self, data: bytes, /) -> int:
        """Do the same for at most MOST bytes, without letting another thread run if that is possible."""

    def end(self) -> None:
        """Tell the peer that no more bytes follow. Receiving continues. Call this only when all bytes were taken."""

    def stop_receiving(self) -> None:
        """Make `receive` return the bytes that have come already, and then report the end. Sending continues."""

    def cut_off(self) -> None:
        """End the connection at once, in both directions, also while a thread waits for it. This never blocks."""

    def close(self) -> None:
        """Give the descriptor back. No other thread may use the stream any more."""
