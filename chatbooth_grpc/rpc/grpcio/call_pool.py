"""Pools for calls that have arrived whole, and for calls that need no thread.

gRPC hands a call to a thread as soon as the call's headers are there. That thread then waits for the request. So ten
calls that never send their request would hold ten threads for ever. This pool therefore looks at each call that gRPC
hands over. If a call takes one request, gRPC's own event thread receives it, and the call goes to a thread only when it
is whole. A call whose request does not come within a limit ends. This also saves a handoff between threads.

A behaviour marked with `answers_later` begins at once, on gRPC's event thread, and must not block there. It does not
return a response. It gets a third argument instead, and calls that once, on any thread: with the response, or with None
when it has set the context's code. So a call that waits for the disk holds no thread at all. If both sides stream, the
behaviour gets a StreamCall in place of the request, and None ends the call.

An answered call is held until the client has taken its answer, since gRPC's core keeps the answer until then.
`live/unread.py` limits how many calls are held and how large their answers are. It ends a call whose client takes
nothing. Held calls have a limit of their own, so the calls of a client that does not read leave room for other calls.

This module uses private names of grpcio, which `expectations` checks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple

from grpc import _server as internals

from chatbooth_grpc.booth.bulkhead import Bulkhead
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.live.unread import SMALL_SIZE, Unread
from chatbooth_grpc.rpc.grpcio.answer import Answer, end_early, owners, serialized, take_request
from chatbooth_grpc.rpc.grpcio.calls import answered_account
from chatbooth_grpc.rpc.grpcio.counted_pool import CountedPool
from chatbooth_grpc.rpc.grpcio.expectations import RECEIVES_ONE
from chatbooth_grpc.rpc.grpcio.incomplete_calls import IncompleteCalls
from chatbooth_grpc.rpc.grpcio.marks import ADMITS, ANSWERS_LATER, WRITES_LATER
from chatbooth_grpc.rpc.grpcio.pushing import PushedStream
from chatbooth_grpc.rpc.grpcio.stream_call import PushedCall, start_receiving


class _Call(NamedTuple):
    """A call that a thread answers, and the future that is done when it is answered."""

    rpc_event: Any
    state: Any
    behaviour: Callable[..., Any]
    deserializer: Callable[[bytes], Any]
    serializer: Callable[[Any], bytes]
    done: Future[Any]

    def peer(self) -> str:
        """Return the client's address, as gRPC writes it."""
        peer: str = self.rpc_event.call.peer().decode()
        return peer

    def end(self, error: ChatboothError) -> None:
        """End the call with an error, if its request has not come."""
        end_early(self.rpc_event, self.state, self.behaviour, error)


class CallPool(CountedPool):
    """A pool for `grpc.server`."""

    def __init__(
        self,
        name: str,
        threads: int,
        *,
        answers: Unread,
        pushes: Unread,
        incomplete: IncompleteCalls,
        bulkhead: Bulkhead | None = None,
    ) -> None:
        """`answers` holds each message that ends a call, and `pushes` all others, until the client has taken it.

        The pool notes in `incomplete` each call whose request has not come.
        """
        super().__init__(name, threads, bulkhead=bulkhead)
        self._answers = answers
        self._pushes = pushes
        self.incomplete = incomplete

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Begin a call once it is whole, on a thread unless it answers later.

        gRPC calls this with `fn` and the arguments of a call. `fn(function, argument)` runs a function in the call's
        context. Return a future that is done when the call is answered.
        """
        if not _is_call(args):
            return super().submit(fn, *args, **kwargs)
        respond, rpc_event, state, behaviour, receive, deserializer, serializer = args
        receives_one = receive.__name__ == RECEIVES_ONE
        # Every Send goes this way. So this part is not a method of its own, which would cost a Python call.
        if getattr(behaviour, ANSWERS_LATER, False):
            answer = Answer(self, rpc_event, state, behaviour, (deserializer, serializer))
            if receives_one:
                # As `IncompleteCalls.add` does.
                self.incomplete.calls[answer] = time.monotonic()
                if len(self.incomplete.calls) >= self.incomplete.next_check:
                    self.incomplete.end_excess()
                start_receiving(rpc_event, state, deserializer, answer.received)
            else:
                fn(answer.begin, PushedCall(rpc_event, state, self._pushes, deserializer, serializer))
            return answer
        call = _Call(rpc_event, state, behaviour, deserializer, serializer, Future())
        if not receives_one:
            if not self._admit(call):
                return call.done
            # The thread receives the requests, by gRPC's own code.
            answered = super().submit(fn, *args, **kwargs)
            answered.add_done_callback(lambda _: call.done.set_result(None))
            return answered
        self.incomplete.add(call)
        start_receiving(rpc_event, state, deserializer, partial(self._received, fn, respond, call))
        return call.done

    def _received(self, fn: Callable[..., Any], respond: Callable[..., Any], call: _Call) -> None:
        """Give a call that is whole to a thread, unless it is refused. gRPC's event thread runs this."""
        self.incomplete.calls.pop(call, None)
        if call.state.request is None:
            # The call has ended, or its client has given it up.
            self.incomplete.gone(call.peer())
            take_request(call.rpc_event, call.state)
            self.hold(call.done, call.rpc_event, call.state, 0)
            return
        if not self._admit(call):
            return
        try:
            super().submit(fn, self._answering(respond, call.behaviour), call)
        except RuntimeError:
            # The pool is shut down, so no thread will answer.
            call.rpc_event.call.cancel()
            call.done.set_result(None)

    def _admit(self, call: _Call) -> bool:
        """Return whether a call that is whole may wait for a thread. If not, end it with the status that was set."""
        admit = getattr(call.behaviour, ADMITS, None)
        if admit is None:
            return True
        leave = admit(internals._Context(call.rpc_event, call.state, call.deserializer))
        if leave is None:
            internals._status(call.rpc_event, call.state, None)
            self.hold(call.done, call.rpc_event, call.state, 0)
            return False
        call.done.add_done_callback(lambda _: leave())
        return True

    # Answering on a thread

    def _answering(self, respond: Callable[..., Any], behaviour: Callable[..., Any]) -> Callable[[_Call], None]:
        """Return the method that answers a call on a thread, in place of gRPC's `respond`."""
        if respond is internals._unary_response_in_pool:
            return self._answer
        return self._open if getattr(behaviour, WRITES_LATER, False) else self._stream

    def _answer(self, call: _Call) -> None:
        """Answer a call that has one response."""
        size = 0
        try:
            response, has_answered = _behave(call)
            message = serialized(call.rpc_event, call.state, response, call.serializer) if has_answered else None
            if message is not None:
                internals._status(call.rpc_event, call.state, message)
                size = len(message)
        finally:
            self.hold(call.done, call.rpc_event, call.state, size)

    def _open(self, call: _Call) -> None:
        """Begin a call whose responses are written later, by other threads."""
        if _behave(call, PushedStream(call.rpc_event, call.state))[1]:
            call.done.set_result(None)
        else:
            self.hold(call.done, call.rpc_event, call.state, 0)

    def _stream(self, call: _Call) -> None:
        """Write the responses of a call. The thread waits until gRPC has taken each of them."""
        try:
            responses, goes_on = _behave(call)
            while goes_on:
                response, goes_on = internals._take_response_from_response_iterator(
                    call.rpc_event, call.state, responses
                )
                if goes_on and response is None:
                    internals._status(call.rpc_event, call.state, None)
                    return
                goes_on = goes_on and self._write(call, response)
        finally:
            self.hold(call.done, call.rpc_event, call.state, 0)

    def _write(self, call: _Call, response: Any) -> bool:
        """Write a response of a stream, and wait until gRPC has taken it. Return whether the call still stands."""
        message = serialized(call.rpc_event, call.state, response, call.serializer)
        if message is None:
            return False
        held = self._pushes.hold(len(message), (), call.rpc_event.call.cancel)
        try:
            stands: bool = internals._send_response(call.rpc_event, call.state, message)
            return stands
        finally:
            self._pushes.release(held)

    # Answered

    def hold(self, done: Answer | Future[Any], rpc_event: Any, state: Any, size: int) -> None:
        """Hold an answered call until the client has taken the answer, or the call is over. Set `done`."""
        cut_off = rpc_event.call.cancel
        release: Callable[[], object]
        if size <= SMALL_SIZE:
            release = self._answers.hold_small(done, cut_off)
        else:
            owned_by = owners(rpc_event, state.context.get(answered_account))
            release = partial(self._answers.release, self._answers.hold(size, owned_by, cut_off))
        done.set_result(None)
        # As in `take_request`, without Python calls.
        state.condition.acquire()
        is_over = state.callbacks is None
        if not is_over:
            state.callbacks.append(release)
        state.condition.release()
        if is_over:
            release()


def _is_call(args: tuple[Any, ...]) -> bool:
    """Say whether these are the arguments with which gRPC hands over a call."""
    return (
        len(args) == 7
        and args[0] in (internals._unary_response_in_pool, internals._stream_response_in_pool)
        and hasattr(args[4], "__name__")
    )


def _behave(call: _Call, *third: Any) -> tuple[Any, bool]:
    """Run a call's behaviour with its request, and with a third argument if its marks say so.

    Return its response, and whether there is one. If the behaviour has raised, gRPC has already answered.
    """
    request = take_request(call.rpc_event, call.state)
    if request is None:
        return None, False
    behaved: tuple[Any, bool] = internals._call_behavior(
        call.rpc_event, call.state, call.behaviour, request, call.deserializer, *third
    )
    return behaved
