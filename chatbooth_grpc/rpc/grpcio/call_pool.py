"""Thread pools for calls that have arrived whole, and calls that need no thread.

gRPC hands a call to a thread as soon as its headers are there, and that thread then waits for the request: ten calls
that never send theirs hold ten threads for ever. So this pool looks at what it is handed. A call that takes one
request is first received, by gRPC's own event thread, and goes to a thread only once it is whole; a call whose
request does not come within a limit is cancelled. A handoff between threads is saved on the way.

A behaviour marked with `answers_later` is begun at once, on gRPC's event thread, and must not block there. Instead of
returning a response it takes a third argument, and calls that once, on any thread, with the response, or with None when
it has set the context's code: so a call that waits for the disk holds no thread at all. Where both sides stream, it is
given a StreamCall for its request, and None ends the call.

An answered call is held until the client has taken its answer, since gRPC's core keeps the answer until then.
`live/unread.py` limits how many are held and how large they are, and ends a call whose client takes nothing. Held calls
have a limit of their own, so those of a client that does not read leave room for others' calls.

This leans on private names of grpcio, which `expectations` checks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple

from grpc import _server as internals
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled, without types

from chatbooth_grpc.booth.bulkhead import Bulkhead
from chatbooth_grpc.live.unread import SMALL_SIZE, Unread
from chatbooth_grpc.rpc.grpcio.calls import answered_account
from chatbooth_grpc.rpc.grpcio.counted_pool import CountedPool
from chatbooth_grpc.rpc.grpcio.expectations import RECEIVES_ONE
from chatbooth_grpc.rpc.grpcio.late_requests import Receiving
from chatbooth_grpc.rpc.grpcio.marks import ANSWERS_LATER, WRITES_LATER
from chatbooth_grpc.rpc.grpcio.pushing import PushedStream
from chatbooth_grpc.rpc.grpcio.stream_call import PushedCall, start_receiving, taken_request


class _Call(NamedTuple):
    """A call as gRPC hands it over, and the future that is done when it is answered."""

    rpc_event: Any
    state: Any
    behaviour: Callable[..., Any]
    deserializer: Callable[[bytes], Any]
    serializer: Callable[[Any], bytes]
    done: Future[Any]


class CallPool(CountedPool):
    """A pool for `grpc.server`."""

    def __init__(
        self,
        name: str,
        threads: int,
        *,
        answers: Unread,
        pushes: Unread,
        receiving: Receiving,
        bulkhead: Bulkhead | None = None,
    ) -> None:
        """`answers` and `pushes` hold what ends a call and what does not, until it is taken.

        `receiving` is where the pool notes the calls whose request has not come.
        """
        super().__init__(name, threads, bulkhead=bulkhead)
        self._answers = answers
        self._pushes = pushes
        self._receiving = receiving

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call on a thread once it is whole. The future is done when the call is answered."""
        if not _is_call(args):
            return super().submit(fn, *args, **kwargs)
        respond, rpc_event, state, behaviour, receive, *codecs = args
        answers_later = getattr(behaviour, ANSWERS_LATER, False)
        done: Future[Any] = Future()
        call = _Call(rpc_event, state, behaviour, codecs[0], codecs[1], done)
        if receive.__name__ != RECEIVES_ONE:
            if not answers_later:
                return super().submit(fn, *args, **kwargs)
            stream = PushedCall(rpc_event, state, self._pushes, *codecs)
            self._enter()
            fn(self._begin, call, lambda: stream)
            return done

        def received() -> None:
            self._receiving.pop(done, None)
            take = _taker(rpc_event, state)
            if answers_later:
                self._enter()
                fn(self._begin, call, take)
                return
            try:
                super(CallPool, self).submit(fn, self._answering(respond, behaviour), call, take)
            except RuntimeError:  # the pool is shut down: nobody answers any more
                rpc_event.call.cancel()
                done.set_result(None)

        self._receiving[done] = (time.monotonic(), rpc_event.call.cancel)
        start_receiving(rpc_event, state, codecs[0], received)
        return done

    # Answering

    def _answering(self, respond: Callable[..., Any], behaviour: Callable[..., Any]) -> Callable[..., None]:
        """Return what answers a call on a thread, in place of gRPC's `respond`."""
        if respond is internals._unary_response_in_pool:
            return self._answer
        return self._open if getattr(behaviour, WRITES_LATER, False) else self._stream

    def _answer(self, call: _Call, take: Callable[[], Any]) -> None:
        """Answer a call that has one response."""
        size = 0
        try:
            request = take()
            response, has_answered = (None, False) if request is None else _behave(call, request)
            if has_answered:
                size = _send_answer(call, response)
        finally:
            self._hold(call, size)

    def _open(self, call: _Call, take: Callable[[], Any]) -> None:
        """Begin a call whose behaviour has others write its responses."""
        request = take()
        responses = PushedStream(call.rpc_event, call.state)
        if request is not None and _behave(call, request, responses)[1]:
            call.done.set_result(None)
        else:
            self._hold(call, 0)

    def _stream(self, call: _Call, take: Callable[[], Any]) -> None:
        """Write the responses of a call; the thread waits until each is taken."""
        try:
            request = take()
            responses, goes_on = (iter(()), False) if request is None else _behave(call, request)
            while goes_on:
                response, goes_on = internals._take_response_from_response_iterator(
                    call.rpc_event, call.state, responses
                )
                if goes_on and response is None:
                    internals._status(call.rpc_event, call.state, None)
                    return
                goes_on = goes_on and self._write(call, response)
        finally:
            self._hold(call, 0)

    def _write(self, call: _Call, response: Any) -> bool:
        """Write a response of a stream and wait until it is taken; return whether the call still stands."""
        message = _serialized(call, response)
        if message is None:
            return False
        held = self._pushes.hold(len(message), (), call.rpc_event.call.cancel)
        try:
            stands: bool = internals._send_response(call.rpc_event, call.state, message)
            return stands
        finally:
            self._pushes.release(held)

    def _begin(self, call: _Call, take: Callable[[], Any]) -> None:
        """Begin a call that answers later."""

        def finish(size: int) -> None:
            self._leave()
            self._hold(call, size)

        def answer(response: Any) -> None:
            size = 0
            try:
                size = _send_answer(call, response)
            finally:
                finish(size)

        request = take()
        begun = request is not None and _behave(call, request, answer)
        if not begun or not begun[1]:
            finish(0)  # it is answered: aborted, or gone

    def _hold(self, call: _Call, size: int) -> None:
        """Hold an answered call until the client has taken the answer, or the call is over."""
        cut_off = call.rpc_event.call.cancel
        release: Callable[[], object]
        if size <= SMALL_SIZE:
            release = self._answers.hold_small(call.done, cut_off)
        else:
            release = partial(self._answers.release, self._answers.hold(size, _owners(call), cut_off))
        call.done.set_result(None)
        with call.state.condition:
            is_over = call.state.callbacks is None
            if not is_over:
                call.state.callbacks.append(release)
        if is_over:
            release()


def _is_call(args: tuple[Any, ...]) -> bool:
    """Say whether these are the arguments with which gRPC hands over a call."""
    return (
        len(args) == 7
        and args[0] in (internals._unary_response_in_pool, internals._stream_response_in_pool)
        and hasattr(args[4], "__name__")
    )


def _behave(call: _Call, request: Any, *third: Any) -> tuple[Any, bool]:
    """Run a call's behaviour, with a third argument if its marks say so.

    Return its response, and whether there is one: an error is answered already.
    """
    behaved: tuple[Any, bool] = internals._call_behavior(
        call.rpc_event, call.state, call.behaviour, request, call.deserializer, *third
    )
    return behaved


def _owners(call: _Call) -> tuple[Hashable, ...]:
    """Return a call's connection, and its account if that is known."""
    account_id = call.state.context.get(answered_account)
    connection = call.rpc_event.call.peer()
    return (connection,) if account_id is None else (connection, account_id)


def _send_answer(call: _Call, response: Any) -> int:
    """Send a call's status, after its response unless that is None; return the response's size in bytes."""
    message = None if response is None else _serialized(call, response)
    if message is not None or response is None:
        internals._status(call.rpc_event, call.state, message)
    return len(message or b"")


def _serialized(call: _Call, response: Any) -> bytes | None:
    """Serialise a response; None: that fails, and the call is answered so."""
    message: bytes | None = internals._serialize_response(call.rpc_event, call.state, response, call.serializer)
    return message


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
