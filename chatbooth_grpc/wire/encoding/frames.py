"""Frames: the decoder cuts them out of a stream of bytes, without any I/O.

    1 byte    version        1
    1 byte    action         a number of the .proto's enum Action
    4 bytes   size of body   big-endian
    size      body
    16 bytes  authentication from client to server, on every action but SIGN_UP and LOG_IN: the session's token, or
                             sixteen zeros for none

Only the direction and the action's number decide whether a frame has authentication. So a decoder also cuts out the
frame of an action that this version does not know. A decoder takes bytes as they come and yields the frames that are
complete. It holds at most one frame. It refuses a frame by its header, before it reads the body.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from chatbooth_grpc.booth.actions import SEND, WITHOUT_SESSION
from chatbooth_grpc.booth.rules import NO_TOKEN, TOKEN_SIZE

VERSION = 1
HEADER = struct.Struct(">BBI")


class FrameError(Exception):
    """The rest of the stream cannot be read. The sender gets an answer, and the connection is closed."""


class UnknownVersion(FrameError):
    """A frame has another version than this protocol."""

    def __init__(self, version: int) -> None:
        super().__init__(f"protocol version {version} is not supported, only {VERSION}")
        self.version = version


class BodyTooLarge(FrameError):
    """A frame announces a body that is larger than the limit."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a body of {size:,} bytes is over the limit of {limit:,}")


class Frame(NamedTuple):
    """A complete frame. `token` is empty if the direction or the action has none."""

    action: int
    body: bytes
    token: bytes = b""


def encode_frame(action: int, body: bytes, token: bytes = b"") -> bytes:
    """Encode a frame. `token` is 16 bytes if the direction and the action need one."""
    return b"".join((HEADER.pack(VERSION, action, len(body)), body, token))


def encode_request(action: int, body: bytes, token: bytes = b"") -> bytes:
    """Encode a frame from client to server. An empty token becomes sixteen zeros if the action needs one."""
    return encode_frame(action, body, b"" if action in WITHOUT_SESSION else token or NO_TOKEN)


def whole_sends(data: bytes) -> list[Frame] | None:
    """Cut a client's bytes into SENDs. None means that there is another action, or that the last SEND is incomplete."""
    sends = []
    start, most = 0, len(data) - HEADER.size
    while start <= most:
        version, action, size = HEADER.unpack_from(data, start)
        body_start = start + HEADER.size
        token_start = body_start + size
        start = token_start + TOKEN_SIZE
        if version != VERSION or action != SEND or start > len(data):
            return None
        sends.append(Frame(action, data[body_start:token_start], data[token_start:start]))
    return sends if start == len(data) else None


class FrameDecoder:
    """Cuts frames out of a stream, piece by piece."""

    __slots__ = ("_buffer", "_from_client", "_max_body")

    def __init__(self, max_body: int, *, from_client: bool) -> None:
        """`max_body` is the largest body allowed, in bytes. `from_client` says whether frames carry authentication."""
        self._max_body = max_body
        self._from_client = from_client
        self._buffer = bytearray()

    @property
    def is_between_frames(self) -> bool:
        """Whether the buffer holds no part of a frame."""
        return not self._buffer

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Add bytes and yield the frames that are now complete. Then raises FrameError if the rest is wrong."""
        buffer, header_size, from_client = self._buffer, HEADER.size, self._from_client
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= header_size:
                version, action, size = HEADER.unpack_from(buffer, start)
                if version != VERSION:
                    raise UnknownVersion(version)
                if size > self._max_body:
                    raise BodyTooLarge(size, self._max_body)
                body_start = start + header_size
                token_start = body_start + size
                end = token_start + TOKEN_SIZE if from_client and action not in WITHOUT_SESSION else token_start
                if len(buffer) < end:
                    break
                start = end
                yield Frame(action, bytes(buffer[body_start:token_start]), bytes(buffer[token_start:end]))
            if len(buffer) > start and buffer[start] != VERSION:
                raise UnknownVersion(buffer[start])
        finally:
            del buffer[:start]
