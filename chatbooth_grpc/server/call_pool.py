"""Thread pools for calls that have arrived whole, and calls that need no thread.

gRPC hands a call to a thread as soon as its headers are there, and that thread then waits for the request: ten calls
that never send theirs hold ten threads for ever. So this pool looks at what it is handed. A call that takes one
request is first received, by gRPC's own event thread, and goes to a thread only once it is whole; a call whose
request does not come within a limit is cancelled. A handoff between threads is saved on the way.

A behaviour marked with `answers_later` is begun at once, on gRPC's event thread, and must not block there. Instead of
returning a response it takes a third argument, and calls that once, on any thread, with the response, or with None when
it has set the context's code: so a call that waits for the disk holds no thread at all. Where both sides stream, it is
given a StreamCall for its request, and None ends the call.

This leans on internals of grpcio (`_server._unary_response_in_pool` and its neighbours, as of 1.81 to 1.85): what does
not look like them is run as any pool would run it, and a test with half-sent calls fails if they move.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from grpc import _server as internals
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled, without types

from chatbooth_grpc.server.stream_call import StreamCall, start_receiving, taken_request

_RECEIVES_ONE = "unary_request"  # what gRPC calls its function that receives a call's one request

REQUEST_LIMIT = 10.0
"""How long a call's request may take to arrive behind its headers, in seconds."""


class _Call(NamedTuple):
    """A call as gRPC hands it over."""

    rpc_event: Any
    state: Any
    behaviour: Callable[..., Any]
    deserializer: Callable[[bytes], Any]
    serializer: Callable[[Any], bytes]


class CallPool(ThreadPoolExecutor):
    """A pool for `grpc.server`; also a bulkhead, since it knows how full it is."""

    def __init__(self, name: str, threads: int, capacity: int | None = None) -> None:
        """`capacity`: how many calls may run and wait before `is_full`; None: no end."""
        super().__init__(threads, thread_name_prefix=name)
        self._capacity = capacity
        self._held = 0
        self._count = threading.Lock()
        self._receiving: dict[Future[Any], tuple[float, Any]] = {}  # since when, and the call to cancel

    @property
    def is_full(self) -> bool:
        """Whether as many calls run and wait as may; whoever would submit another asks first."""
        return self._capacity is not None and self._held >= self._capacity

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call on a thread once it is whole. The future is done when the call is."""
        if not _is_call(args):
            return self._run(fn, *args, **kwargs)
        respond, rpc_event, state, behaviour, receive, *codecs = args
        answers_later = getattr(behaviour, "answers_later", False)
        done: Future[Any] = Future()
        if receive.__name__ != _RECEIVES_ONE:
            if not answers_later:
                return self._run(fn, *args, **kwargs)
            self._hold(done)
            stream = StreamCall(rpc_event, state, *codecs)
            fn(_begin, _Call(rpc_event, state, behaviour, *codecs), lambda: stream, done)
            return done

        def received() -> None:
            self._receiving.pop(done, None)
            take = _taker(rpc_event, state)
            if answers_later:
                fn(_begin, _Call(rpc_event, state, behaviour, *codecs), take, done)
                return
            try:
                running = self._run(fn, respond, rpc_event, state, behaviour, take, *codecs)
            except RuntimeError:  # the pool is shut down: nobody answers any more
                rpc_event.call.cancel()
                done.set_result(None)
            else:
                running.add_done_callback(lambda _: done.set_result(None))

        self._receiving[done] = (time.monotonic(), rpc_event.call)
        start_receiving(rpc_event, state, codecs[0], received)
        return done

    def cancel_late(self) -> None:
        """Cancel the calls whose request is overdue; to be called now and then."""
        oldest = time.monotonic() - REQUEST_LIMIT
        for call in [call for since, call in list(self._receiving.values()) if since < oldest]:
            call.cancel()

    def _run(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
        future = super().submit(fn, *args, **kwargs)
        self._hold(future)
        return future

    def _hold(self, future: Future[Any]) -> None:
        """Count a call until it is done."""
        with self._count:
            self._held += 1
        future.add_done_callback(self._release)

    def _release(self, _: Future[Any]) -> None:
        with self._count:
            self._held -= 1


def _is_call(args: tuple[Any, ...]) -> bool:
    """Say whether these are the arguments with which gRPC hands over a call."""
    return (
        len(args) == 7
        and args[0] in (internals._unary_response_in_pool, internals._stream_response_in_pool)
        and hasattr(args[4], "__name__")
    )


def _begin(call: _Call, take: Callable[[], Any], done: Future[Any]) -> None:
    """Begin a call that answers later; `done` is when it has answered."""

    def answer(response: Any) -> None:
        try:
            internals._status(call.rpc_event, call.state, None if response is None else call.serializer(response))
        finally:
            done.set_result(None)

    request = take()
    begun = request is not None and internals._call_behavior(
        call.rpc_event, call.state, call.behaviour, request, call.deserializer, answer
    )
    if not begun or not begun[1]:
        done.set_result(None)  # it is answered: aborted, or gone


def _taker(rpc_event: Any, state: Any) -> Callable[[], Any]:
    """Return what takes the received request, None where there is none to answer."""

    def take() -> Any:
        request = taken_request(state)
        with state.condition:
            if request is None and state.client is internals._CLOSED:
                internals._abort(
                    state, rpc_event.call, cygrpc.StatusCode.invalid_argument, b"The call ended before its request."
                )
        return request

    return take
