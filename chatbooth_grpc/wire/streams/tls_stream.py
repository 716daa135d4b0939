"""A byte stream over a socket, encrypted with TLS 1.3.

The TLS library works on memory alone here. This class reads cipher text from the socket into `_incoming`, and takes the
cipher text that the library wants to send out of `_outgoing`. So it reads and writes the socket as a plain stream does.
A thread that waits to receive holds no lock, and a thread that sends never waits for the network.

`_lock` guards the library's state, because one thread may receive while another sends. A thread holds it only while it
encrypts bytes, decrypts them, or hands them to the socket without waiting.

- Receiving. A call that receives decrypts all bytes that have come before it returns. So no readable bytes stay in the
  library's buffers, where select, poll and epoll do not see them. A part of a record yields no bytes, and is kept until
  the rest comes.
- Sending. Bytes that were encrypted must reach the peer as they are, and before any others. `_unsent` is the cipher
  text that the socket did not take. `_sealed` is how many of the caller's bytes it contains. They count as taken only
  after the socket has taken all of it. Until then the caller calls again, with the same bytes in front.
- The handshake. A client completes it before its stream is made. On the server, `shake_hands` or the first calls that
  receive do it.
  A server has nothing to send before its first request, so a write that comes earlier is an error. In TLS 1.3 no
  write ever waits for a read after the handshake.
- Ending. `end` sends the closing alert of TLS, and then ends the socket's direction. If a peer ends without the alert,
  that counts as an end too. Frames have their sizes, so a truncated frame never counts as complete.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from chatbooth_grpc.wire.streams.byte_stream import MOST, Buffer, TlsFailed

_RECORD = 16 << 10
"""The most bytes that one record of TLS holds. A longer read would not return more at once."""

_ALERT = bytes.fromhex("15030300020246")
"""A fatal alert of TLS, protocol_version, in plain text (RFC 8446, 6)."""

_SHORTEST_WAIT = 0.001
"""A socket whose timeout is 0 would not wait at all, and report another error."""

_MOST_OWED = 64 << 10
"""How many bytes of alerts, new keys and the like TLS may owe to a peer that sends but does not read."""


def tls_server(context: Callable[[], ssl.SSLContext]) -> Callable[[socket.socket], TlsStream]:
    """Return a function that opens the streams of a server. Opening never blocks.

    `context` returns the context that has the present certificate. It is called for each stream.
    """
    _require_version(context())
    return lambda connected: TlsStream(connected, context(), None)


def tls_client(context: ssl.SSLContext, hostname: str) -> Callable[[socket.socket], TlsStream]:
    """Return a function that opens the streams of a client. It trusts only a server of that name, and waits for it."""
    _require_version(context)

    def open_stream(connected: socket.socket) -> TlsStream:
        stream = TlsStream(connected, context, hostname)
        stream.shake_hands()
        return stream

    return open_stream


def _require_version(context: ssl.SSLContext) -> None:
    """Refuse versions before TLS 1.3.

    There, either side may ask for another handshake at any time, and a write then waits for a read.
    """
    if context.minimum_version < ssl.TLSVersion.TLSv1_3:
        raise ValueError("the TLS context must ask for TLS 1.3 at least")


class TlsStream:
    """A ByteStream over a connected socket in blocking mode, which it takes over."""

    __slots__ = ("_incoming", "_is_over", "_lock", "_outgoing", "_sealed", "_socket", "_tls", "_unsent", "is_ready")

    def __init__(self, connected: socket.socket, context: ssl.SSLContext, hostname: str | None) -> None:
        """On a client, `hostname` is the server's name. None makes this the server's side."""
        self._socket = connected
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        is_server = hostname is None
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=is_server, server_hostname=hostname)
        self._lock = threading.Lock()
        # Cipher text that the socket has not taken.
        self._unsent = memoryview(b"")
        # How many of a caller's bytes the unsent cipher text contains.
        self._sealed = 0
        # Whether the peer has ended its direction.
        self._is_over = False
        # The handshake is over.
        self.is_ready = False

    def shake_hands(self) -> None:
        """Agree on keys with the peer, within the socket's timeout in all. Raises OSError."""
        timeout = self._socket.gettimeout()
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._has_shaken_hands():
            if deadline is not None:
                self._socket.settimeout(max(_SHORTEST_WAIT, deadline - time.monotonic()))
            raw = self._socket.recv(_RECORD)
            if not raw:
                raise TlsFailed("the peer ended the connection before TLS was agreed")
            with self._lock:
                self._incoming.write(raw)
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError("the handshake takes too long")
        self._socket.settimeout(timeout)

    def fileno(self) -> int:
        return self._socket.fileno()

    def set_timeout(self, seconds: float | None, /) -> None:
        self._socket.settimeout(seconds)

    def receive(self, size: int, /) -> bytes:
        # Bytes may have come together with the end of the handshake.
        data = self._take_in(None) if self._incoming.pending else b""
        while not data and not self._is_over:
            self._wait_while_owing()
            data = self._take_in(self._socket.recv(size))
        return data

    def receive_now(self, size: int, /) -> bytes | None:
        try:
            raw = self._socket.recv(size, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b"" if self._is_over else None
        return self._take_in(raw) or (b"" if self._is_over else None)

    def receive_quickly(self, buffer: Buffer, /) -> bytes | None:
        return self.receive_now(len(buffer))

    def send_now(self, data: bytes | memoryview, /) -> int:
        with self._lock:
            if not self._flush():
                return 0
            if not self._sealed:
                self._sealed = self._encrypt(data[:MOST])
                if not self._flush():
                    return 0
            taken, self._sealed = self._sealed, 0
            return taken

    def send_quickly(self, data: bytes, /) -> int:
        return self.send_now(data)

    def end(self) -> None:
        with self._lock, suppress(OSError):
            # The library has made the alert, and wants to wait for the peer's. This does not wait, because receiving
            # continues.
            with suppress(ssl.SSLError):
                self._tls.unwrap()
            self._flush()
        self._shut_down(socket.SHUT_WR)

    def stop_receiving(self) -> None:
        self._shut_down(socket.SHUT_RD)

    def cut_off(self) -> None:
        self._shut_down(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()

    def _has_shaken_hands(self) -> bool:
        with self._lock, _failing():
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                return False
            finally:
                self._flush()
        self.is_ready = True
        return True

    def _encrypt(self, data: bytes | memoryview) -> int:
        try:
            with _failing():
                return self._tls.write(data)
        except ssl.SSLWantReadError:
            raise TlsFailed("bytes were sent before TLS was agreed") from None

    def _take_in(self, raw: bytes | None) -> bytes:
        """Decrypt cipher text, and return all bytes that can be read now. Empty cipher text means that none follows."""
        with self._lock:
            if raw:
                self._incoming.write(raw)
            elif raw is not None:
                self._incoming.write_eof()
            try:
                with _failing():
                    data = self._decrypt()
            except TlsFailed:
                self._refuse_plain_text()
                raise
            else:
                # Reading has done the handshake too.
                self.is_ready = self.is_ready or self._tls.version() is not None
                return data
            finally:
                # This sends the handshake's answer, or the alert that names the fault.
                self._flush()

    def _refuse_plain_text(self) -> None:
        """Send an alert if the library has made none: the peer may speak no TLS, and then the library is silent."""
        if not (self.is_ready or self._outgoing.pending or self._unsent):
            self._unsent = memoryview(_ALERT)

    def _decrypt(self) -> bytes:
        parts = []
        try:
            while part := self._tls.read(_RECORD):
                parts.append(part)
            self._is_over = True
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self._is_over = True
        return b"".join(parts)

    def _flush(self) -> bool:
        """Hand cipher text to the socket. Return whether it has taken all of it. Raises OSError."""
        while self._unsent or self._outgoing.pending:
            if not self._unsent:
                self._unsent = memoryview(self._outgoing.read())
            try:
                sent = self._socket.send(self._unsent, socket.MSG_DONTWAIT)
            except BlockingIOError:
                if self._outgoing.pending > _MOST_OWED:
                    raise TlsFailed("the peer does not read what TLS owes it") from None
                return False
            self._unsent = self._unsent[sent:]
        return True

    def _wait_while_owing(self) -> None:
        """Wait until there are bytes to receive. Send the bytes that TLS owes meanwhile. The peer may wait for them."""
        if not (self._unsent or self._outgoing.pending):
            return
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN | select.POLLOUT)
        timeout = self._socket.gettimeout()
        while self._unsent or self._outgoing.pending:
            ready = waiting.poll(None if timeout is None else 1_000 * timeout)
            if not ready:
                raise TimeoutError
            if ready[0][1] & ~select.POLLOUT:
                return
            with self._lock:
                self._flush()

    def _shut_down(self, how: int) -> None:
        # The connection may have ended already.
        with suppress(OSError):
            self._socket.shutdown(how)


@contextmanager
def _failing() -> Iterator[None]:
    """Raise the library's errors as `TlsFailed`. The numbers of the library's errors are not those of the system's."""
    try:
        yield
    except ssl.SSLWantReadError:
        raise
    except ssl.SSLError as error:
        raise TlsFailed(str(error)) from error
