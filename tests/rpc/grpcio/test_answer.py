"""A call that answers later: what its client gets when the code behind it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.rpc.grpcio.marks import answers_later
from chatbooth_grpc.rpc.grpcio.pooled_calls import PooledCalls

_METHOD = "/test.Service/Ask"


def test_a_behaviour_that_raises_answers_unknown_and_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    answers = Unread()
    calls = PooledCalls(answers=answers, pushes=Unread())

    @answers_later
    def fail(request: bytes, _context: grpc.ServicerContext, respond: Callable[[Any], None]) -> None:
        if request == b"fail":
            raise ZeroDivisionError
        respond(request)

    server = calls.server(calls.pool("call", 1), interceptors=[], options=[], most=10)
    handlers: dict[str, Any] = {"Ask": grpc.unary_unary_rpc_method_handler(fail)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            ask: Any = channel.unary_unary(_METHOD)
            with pytest.raises(grpc.RpcError) as failed:
                ask(b"fail", timeout=10)
            assert failed.value.code() is grpc.StatusCode.UNKNOWN
            assert ask(b"well", timeout=10) == b"well"
    finally:
        server.stop(0).wait()
        for pool in calls.pools:
            pool.shutdown()
    assert "a call failed before it was answered" in caplog.text
    assert answers.count == 0
