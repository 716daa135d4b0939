"""A raw HTTP/2 client for gRPC, for benchmarks only, which sends prepared frames.

It does only what a server needs to work at full speed. It announces windows so large that the server never waits for
them, and gives back the used parts of them. It answers SETTINGS and PING. When it sends, it keeps to the server's
windows. It returns the DATA of a stream as bytes, and checks the status of every call that ends.
"""

from __future__ import annotations

import struct
from collections import deque

from bench.performance.headers import CallFailed, ReplyHeaders, encode_headers
from bench.performance.sockets import authority, connect, receive

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM = ACK = 1
END_HEADERS = 4
PREFIX_SIZE = 5
"""How many bytes gRPC puts before each message."""
_PADDED_OR_PRIORITY = 0x28

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# The numbers of these settings.
_INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 4, 5
_WINDOW = (1 << 31) - 1
_DEFAULT_WINDOW = (1 << 16) - 1
# How much the server may send in one frame.
_MAX_FRAME = 1 << 20
# After it has received this many bytes, the client gives their part of the connection's window back.
_RETURN_AFTER = 64 << 20

# The size in two parts, the type, the flags, the stream.
_HEADER = struct.Struct(">HBBBI")
_NUMBER = struct.Struct(">I")
_SETTING = struct.Struct(">HI")

Frame = tuple[int, int, int, bytes]
"""The type, flags, stream and payload of a frame."""


def encode_frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Encode one frame."""
    return _HEADER.pack(len(payload) >> 8, len(payload) & 0xFF, kind, flags, stream) + payload


def encode_message(message: bytes) -> bytes:
    """Put gRPC's prefix before a message. It says that the message is not compressed, and its size."""
    return b"\0" + _NUMBER.pack(len(message)) + message


def cut_messages(data: bytes) -> tuple[list[bytes], bytes]:
    """Cut the DATA of a stream into messages. Return the messages that are complete, and the rest."""
    messages = []
    start = 0
    while len(data) - start >= PREFIX_SIZE:
        end = start + PREFIX_SIZE + _NUMBER.unpack_from(data, start + 1)[0]
        if end > len(data):
            break
        messages.append(data[start + PREFIX_SIZE : end])
        start = end
    return messages, data[start:]


def call_headers(address: str, method: str, token: bytes | None = None) -> bytes:
    """Encode the header block of a call. `method` is /package.Service/Method."""
    return encode_headers(call_fields(address, method, token))


def call_fields(address: str, method: str, token: bytes | None = None) -> list[tuple[str, str]]:
    """Return the fields of the header block of a call."""
    fields = [(":method", "POST"), (":scheme", "http"), (":path", method), (":authority", authority(address))]
    fields += [("content-type", "application/grpc"), ("te", "trailers"), ("user-agent", "grpc-bench/1")]
    return fields if token is None else [*fields, ("authorization", f"Bearer {token.hex()}")]


def encode_call(stream: int, headers: bytes, message: bytes) -> bytes:
    """Encode a whole call that sends one message."""
    return encode_frame(HEADERS, END_HEADERS, stream, headers) + encode_frame(
        DATA, END_STREAM, stream, encode_message(message)
    )


class Http2Connection:
    """One connection. It sends frames, and returns the frames that matter for a measurement."""

    def __init__(self, address: str) -> None:
        """`address` is HOST:PORT, or grpc+tls://HOST:PORT."""
        self._socket = connect(address)
        self._buffer = b""
        self._headers = ReplyHeaders()
        # How many bytes of DATA were received whose part of the window is not given back yet.
        self._unreturned = 0
        # How many bytes of DATA the server accepts now, over all streams.
        self._window = self._initial_window = _DEFAULT_WINDOW
        # The same for each stream that stays open to send more.
        self._stream_windows: dict[int, int] = {}
        # The frames that wait, the size of their DATA, and their stream.
        self._waiting: deque[tuple[bytes, int, int]] = deque()
        self._is_welcomed = False
        settings = _SETTING.pack(_INITIAL_WINDOW_SIZE, _WINDOW) + _SETTING.pack(_MAX_FRAME_SIZE, _MAX_FRAME)
        self._socket.sendall(
            _PREFACE
            + encode_frame(SETTINGS, 0, 0, settings)
            + encode_frame(WINDOW_UPDATE, 0, 0, _NUMBER.pack(_WINDOW - _DEFAULT_WINDOW))
        )
        while not self._is_welcomed:
            self.receive()

    def fileno(self) -> int:
        """Return the socket's descriptor, for a selector."""
        return self._socket.fileno()

    def close(self) -> None:
        """End the connection, and every call on it."""
        self._socket.close()

    def open_stream(self, stream: int, headers: bytes) -> None:
        """Begin a call that will send several messages."""
        self._stream_windows[stream] = self._initial_window
        self.send(encode_frame(HEADERS, END_HEADERS, stream, headers), 0)

    def send_message(self, stream: int, message: bytes) -> None:
        """Send one more message, smaller than a frame, on a stream from `open_stream`."""
        data = encode_message(message)
        self.send(encode_frame(DATA, 0, stream, data), len(data), stream)

    def send(self, frames: bytes, data_size: int, stream: int = 0) -> None:
        """Send frames with `data_size` bytes of DATA. If the server's window is full, `receive` sends them later."""
        self._waiting.append((frames, data_size, stream))
        self._flush()

    def _flush(self) -> None:
        while self._waiting:
            frames, size, stream = self._waiting[0]
            if size > self._window or size > self._stream_windows.get(stream, size):
                return
            self._waiting.popleft()
            self._window -= size
            if stream in self._stream_windows:
                self._stream_windows[stream] -= size
            self._socket.sendall(frames)

    def receive(self) -> list[Frame]:
        """Wait for bytes. Return the HEADERS and DATA frames that are complete now. Raises CallFailed."""
        data = receive(self._socket)
        if not data:
            raise CallFailed("the server has ended the connection")
        frames = self._cut(self._buffer + data)
        if self._unreturned > _RETURN_AFTER:
            self._socket.sendall(encode_frame(WINDOW_UPDATE, 0, 0, _NUMBER.pack(self._unreturned)))
            self._unreturned = 0
        self._flush()
        return frames

    def _cut(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        start, end = 0, len(data)
        while end - start >= _HEADER.size:
            high, low, kind, flags, stream = _HEADER.unpack_from(data, start)
            payload_start = start + _HEADER.size
            payload_end = payload_start + (high << 8 | low)
            if payload_end > end:
                break
            payload = data[payload_start:payload_end]
            start = payload_end
            if kind == DATA:
                self._unreturned += len(payload)
                frames.append((kind, flags, stream, payload))
            elif kind == HEADERS:
                self._read_headers(flags, payload)
                frames.append((kind, flags, stream, payload))
            else:
                self._control(kind, flags, stream, payload)
        self._buffer = data[start:]
        return frames

    def _read_headers(self, flags: int, block: bytes) -> None:
        if not flags & END_HEADERS or flags & _PADDED_OR_PRIORITY:
            raise CallFailed(f"this client reads no HEADERS with flags {flags:#x}")
        if flags & END_STREAM:
            self._headers.check_trailers(block)
        else:
            self._headers.fields(block)

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == WINDOW_UPDATE:
            (more,) = _NUMBER.unpack(payload)
            if stream in self._stream_windows:
                self._stream_windows[stream] += more
            elif stream == 0:
                self._window += more
        elif kind == SETTINGS and not flags & ACK:
            self._take_settings(dict(_SETTING.iter_unpack(payload)))
        elif kind == PING and not flags & ACK:
            self._socket.sendall(encode_frame(PING, ACK, 0, payload))
        elif kind in (RESET, GOAWAY):
            raise CallFailed(f"the server sent {'GOAWAY' if kind == GOAWAY else 'RST_STREAM'}: {payload!r}")

    def _take_settings(self, settings: dict[int, int]) -> None:
        more = settings.get(_INITIAL_WINDOW_SIZE, self._initial_window) - self._initial_window
        self._initial_window += more
        for stream in self._stream_windows:
            self._stream_windows[stream] += more
        self._socket.sendall(encode_frame(SETTINGS, ACK, 0, b""))
        self._is_welcomed = True
