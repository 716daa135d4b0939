"""Frames: how messages are cut out of a stream of bytes, without any I/O.

    1 byte    version        1
    1 byte    action         a number of the .proto's enum Action
    4 bytes   size of body   big-endian
    size      body
    16 bytes  authentication from client to server, on every action but SIGN_UP and LOG_IN: the session's token, or
                             sixteen zeros for none

Whether the authentication is there depends on the direction and the action's number alone, so an action that this
version does not know is framed all the same. A decoder is given bytes as they come and yields what is whole; it holds
no more than one frame, and refuses a frame by its header, before its body is taken in.
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
    """The stream cannot be read on: whoever sent it gets an answer, and the connection is closed."""


class UnknownVersion(FrameError):
    """A frame's version is not this protocol's."""

    def __init__(self, version: int) -> None:
        super().__init__(f"protocol version {version} is not supported, only {VERSION}")
        self.version = version


class BodyTooLarge(FrameError):
    """A frame announces a body over the limit."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a body of {size:,} bytes is over the limit of {limit:,}")


class Frame(NamedTuple):
    """A whole frame; `token` is empty where the direction or the action has none."""

    action: int
    body: bytes
    token: bytes = b""


def encode_frame(action: int, body: bytes, token: bytes = b"") -> bytes:
    """Encode a frame; `token` is 16 bytes where the direction and the action ask for it."""
    return b"".join((HEADER.pack(VERSION, action, len(body)), body, token))


def encode_request(action: int, body: bytes, token: bytes = b"") -> bytes:
    """Encode a frame from client to server; an empty token where one has to stand becomes sixteen zeros."""
    return encode_frame(action, body, b"" if action in WITHOUT_SESSION else token or NO_TOKEN)


def whole_sends(data: bytes) -> list[Frame] | None:
    """Cut out the SENDs of which a client's bytes consist; None: they are anything else, or the last is not whole."""
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
    """Cuts frames out of bytes as they come."""

    __slots__ = ("_buffer", "_from_client", "_max_body")

    def __init__(self, max_body: int, *, from_client: bool) -> None:
        """`max_body`: the largest body taken, in bytes; `from_client`: whether frames carry authentication."""
        self._max_body = max_body
        self._from_client = from_client
        self._buffer = bytearray()

    @property
    def is_between_frames(self) -> bool:
        """Whether no frame has begun that is not whole."""
        return not self._buffer

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes and yield the frames that are whole by then. Raises FrameError, once those are yielded."""
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
