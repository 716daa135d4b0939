"""The benchmarks' raw HTTP/2 client, against a plain gRPC server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from hpack import Decoder
from hypothesis import given
from hypothesis import strategies as st

from bench.performance import http2
from bench.performance.headers import CallFailed, encode_headers

MESSAGE = b"m" * 10_000


def echo_one(request: bytes, context: grpc.ServicerContext) -> bytes:
    if request == b"refuse":
        context.abort(grpc.StatusCode.NOT_FOUND, "refused")
    return request


def echo_all(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    yield from requests


@pytest.fixture
def connection() -> Iterator[http2.Http2Connection]:
    handlers: dict[str, Any] = {
        "One": grpc.unary_unary_rpc_method_handler(echo_one),
        "All": grpc.stream_stream_rpc_method_handler(echo_all),
    }
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo.Echo", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    opened = http2.Http2Connection(f"127.0.0.1:{port}")
    yield opened
    opened.close()
    server.stop(0).wait()


def call(connection: http2.Http2Connection, stream: int, message: bytes) -> None:
    headers = http2.call_headers("localhost", "/echo.Echo/One")
    connection.send(http2.encode_call(stream, headers, message), len(http2.encode_message(message)))


def received(connection: http2.Http2Connection, ends: int) -> tuple[list[int], bytes]:
    """Return the streams that have ended, once there are this many, and all DATA."""
    ended: list[int] = []
    data = b""
    while len(ended) < ends:
        for kind, flags, stream, payload in connection.receive():
            data += payload if kind == http2.DATA else b""
            if flags & http2.END_STREAM:
                ended.append(stream)
    return ended, data


def test_every_call_ends_with_its_reply(connection: http2.Http2Connection) -> None:
    for number in range(50):
        call(connection, 2 * number + 1, b"%d" % number)
    ended, data = received(connection, 50)
    assert sorted(ended) == list(range(1, 100, 2))
    messages, rest = http2.cut_messages(data)
    assert sorted(messages) == sorted(b"%d" % number for number in range(50))
    assert rest == b""


def test_a_status_that_is_not_ok_raises_even_after_many_calls_that_succeeded(connection: http2.Http2Connection) -> None:
    for number in range(20):
        call(connection, 2 * number + 1, b"fine")
        received(connection, 1)
    call(connection, 41, b"refuse")
    with pytest.raises(CallFailed, match="5: refused"):
        received(connection, 1)


def test_a_stream_carries_more_than_the_servers_window(connection: http2.Http2Connection) -> None:
    connection.open_stream(1, http2.call_headers("localhost", "/echo.Echo/All"))
    for _ in range(200):
        connection.send_message(1, MESSAGE)
    data = b""
    while len(http2.cut_messages(data)[0]) < 200:
        data += b"".join(payload for kind, _, _, payload in connection.receive() if kind == http2.DATA)
    assert http2.cut_messages(data) == ([MESSAGE] * 200, b"")


@given(st.lists(st.tuples(st.text("abc-", min_size=1, max_size=20), st.text("xyz/", max_size=300))))
def test_headers_are_read_by_hpack(fields: list[tuple[str, str]]) -> None:
    assert [(str(name), str(value)) for name, value in Decoder().decode(encode_headers(fields))] == fields


@given(st.lists(st.binary(max_size=20)), st.integers(0, 100))
def test_messages_are_cut_from_pieces_of_any_size(messages: list[bytes], cut: int) -> None:
    data = b"".join(http2.encode_message(message) for message in messages)
    first, rest = http2.cut_messages(data[:cut])
    second, left = http2.cut_messages(rest + data[cut:])
    assert (first + second, left) == (messages, b"")
