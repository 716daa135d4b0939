"""A call that answers later ends once, also when the code of the call fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from chatbooth_grpc.booth.bulkhead import Bulkhead
from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.rpc.grpcio.incomplete_calls import IncompleteCalls
from chatbooth_grpc.rpc.grpcio.marks import answers_later
from chatbooth_grpc.rpc.grpcio.pooled_calls import PooledCalls

_METHOD = "/test.Service/Ask"
_PATIENCE = 10

Respond = Callable[[Any], None]


class Served:
    """A server with one method, and what it holds for its calls."""

    def __init__(self, channel: grpc.Channel, answers: Unread, bulkhead: Bulkhead) -> None:
        method: Any = channel.unary_unary(_METHOD)
        self.ask: Callable[[bytes], bytes] = lambda request: method(request, timeout=_PATIENCE)
        self.answers = answers
        self._bulkhead = bulkhead

    def count_inside(self) -> int:
        """Return how many calls the bulkhead counts. The bulkhead has room for ten."""
        free = 0
        while not self._bulkhead.is_full:
            self._bulkhead.enter()
            free += 1
        for _ in range(free):
            self._bulkhead.leave()
        return 10 - free


@contextmanager
def served(behave: Callable[[bytes, Respond], None]) -> Iterator[Served]:
    """Serve one method, which answers later."""

    @answers_later
    def behaviour(request: bytes, _context: grpc.ServicerContext, respond: Respond) -> None:
        behave(request, respond)

    answers, bulkhead = Unread(), Bulkhead("--some-limit", working=10, waiting=0)
    calls = PooledCalls(answers=answers, pushes=Unread(), incomplete=IncompleteCalls(9, hash))
    server = calls.server(calls.pool("call", 1, bulkhead=bulkhead), interceptors=[], options=[], most=10)
    handlers: dict[str, Any] = {"Ask": grpc.unary_unary_rpc_method_handler(behaviour)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Served(channel, answers, bulkhead)
    finally:
        server.stop(0).wait()
        for pool in calls.pools:
            pool.shutdown()


def test_a_behaviour_that_raises_answers_unknown_and_is_no_longer_counted(caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: bytes, respond: Respond) -> None:
        if request == b"fail":
            raise ZeroDivisionError
        respond(request)

    with served(fail) as place:
        with pytest.raises(grpc.RpcError) as failed:
            place.ask(b"fail")
        assert failed.value.code() is grpc.StatusCode.UNKNOWN
        assert place.ask(b"well") == b"well"
    assert "the code of a call failed" in caplog.text
    assert (place.count_inside(), place.answers.count) == (0, 0)


def test_a_behaviour_that_answers_and_then_raises_ends_its_call_once(caplog: pytest.LogCaptureFixture) -> None:
    def fail_later(request: bytes, respond: Respond) -> None:
        respond(request)
        raise ZeroDivisionError

    with served(fail_later) as place:
        assert place.ask(b"answered") == b"answered"
        assert place.ask(b"again") == b"again"
    assert caplog.text.count("the code of a call failed") == 2
    assert (place.count_inside(), place.answers.count) == (0, 0)


def test_a_second_answer_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    def answer_twice(request: bytes, respond: Respond) -> None:
        respond(request)
        respond(b"another answer")

    with served(answer_twice) as place:
        assert place.ask(b"first") == b"first"
    assert caplog.records == []
    assert (place.count_inside(), place.answers.count) == (0, 0)
