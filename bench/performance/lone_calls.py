"""Unary gRPC calls on one connection, each after the reply to the one before."""

from __future__ import annotations

import itertools

from bench.performance import http2


class LoneCalls:
    """A connection that makes calls of one method for one session."""

    def __init__(self, address: str, method: str, token: bytes) -> None:
        self._connection = http2.Http2Connection(address)
        self._headers = http2.call_headers(address, method, token)
        self._streams = itertools.count(1, 2)

    def call(self, request: bytes) -> bytes:
        """Send a serialised request, and return the response. Raises CallFailed."""
        call = http2.encode_call(next(self._streams), self._headers, request)
        self._connection.send(call, len(http2.encode_message(request)))
        reply: list[bytes] = []
        while True:
            for kind, flags, _, payload in self._connection.receive():
                if kind == http2.DATA:
                    reply.append(payload)
                elif flags & http2.END_STREAM:
                    return b"".join(reply)[http2.PREFIX_SIZE :]
