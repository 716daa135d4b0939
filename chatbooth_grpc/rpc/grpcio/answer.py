"""A call that answers later, from its request until the client has its answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from grpc import _server as internals
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled, without types

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.rpc.grpcio.marks import ENDS_INCOMPLETE

if TYPE_CHECKING:
    from chatbooth_grpc.rpc.grpcio.call_pool import CallPool


_log = logging.getLogger(__name__)


class Answer:
    """Begins a call on gRPC's event thread, and is then called once, on any thread, with its response.

    gRPC uses it as the call's future, and calls only `add_done_callback` of it (`expectations` checks that).
    """

    __slots__ = (
        *("_behaviour", "_deserializer", "_done", "_is_done", "_pool", "_rpc_event", "_serializer", "_state"),
        "_unanswered",
    )

    def __init__(
        self,
        pool: CallPool,
        rpc_event: Any,
        state: Any,
        behaviour: Callable[..., Any],
        codecs: tuple[Callable[[bytes], Any], Callable[[Any], bytes]],
    ) -> None:
        """`codecs` deserialise a request and serialise a response."""
        self._pool = pool
        self._rpc_event = rpc_event
        self._state = state
        self._behaviour = behaviour
        self._deserializer, self._serializer = codecs
        # gRPC's callbacks for the moment at which the call is answered.
        self._done: list[Callable[[Answer], object]] = []
        self._is_done = False
        # The right to answer. The first thread that takes it answers, so a bug never makes a call end twice.
        self._unanswered = [True]

    def received(self) -> None:
        """Begin the call with the request that gRPC's event thread has received, if there is one."""
        self._pool.incomplete.calls.pop(self, None)
        request = take_request(self._rpc_event, self._state)
        if request is None:
            self._pool.incomplete.gone(self.peer())
            self._pool.hold(self, self._rpc_event, self._state, 0)
        else:
            self._state.context.run(self.begin, request)

    def peer(self) -> str:
        """Return the client's address, as gRPC writes it."""
        peer: str = self._rpc_event.call.peer().decode()
        return peer

    def end(self, error: ChatboothError) -> None:
        """End the call with an error, if its request has not come."""
        end_early(self._rpc_event, self._state, self._behaviour, error)

    def begin(self, request: Any) -> None:
        """Begin the call, in its own context."""
        bulkhead = self._pool.bulkhead
        if bulkhead is not None:
            bulkhead.enter()
        try:
            self._behaviour(request, internals._Context(self._rpc_event, self._state, self._deserializer), self)
        except Exception:  # noqa: BLE001  # a bug must answer too
            _log.exception("the code of a call failed")
            self._fail()

    def _fail(self) -> None:
        """Answer that the call failed, unless it has an answer."""
        try:
            self._unanswered.pop()
        except IndexError:
            return
        try:
            with self._state.condition:
                internals._abort(self._state, self._rpc_event.call, cygrpc.StatusCode.unknown, b"The call failed.")
        finally:
            self._end(0)

    def __call__(self, response: Any) -> None:
        """Send a response, or the context's status alone if the response is None. A second call does nothing."""
        try:
            # This is one operation of the interpreter, so two threads never both answer.
            self._unanswered.pop()
        except IndexError:
            return
        size = 0
        try:
            message = None
            if response is not None:
                message = serialized(self._rpc_event, self._state, response, self._serializer)
                if message is None:
                    return
                size = len(message)
            internals._status(self._rpc_event, self._state, message)
        finally:
            self._end(size)

    def _end(self, size: int) -> None:
        bulkhead = self._pool.bulkhead
        if bulkhead is not None:
            bulkhead.leave()
        self._pool.hold(self, self._rpc_event, self._state, size)

    # As a future

    def add_done_callback(self, callback: Callable[[Answer], object]) -> None:
        """Have a function called when the call is answered, or now if it is."""
        self._done.append(callback)
        if self._is_done:
            self.set_result(None)

    def set_result(self, _: object) -> None:
        """Say that the call is answered."""
        self._is_done = True
        while self._done:
            try:
                # This is one operation of the interpreter, so two threads never take the same callback.
                callback = self._done.pop()
            except IndexError:
                return
            callback(self)


def take_request(rpc_event: Any, state: Any) -> Any:
    """Take the request that was received out of a call's state. None means that there is none to answer.

    There is none either if the call has ended before its request came.
    """
    # The lock of the condition is an RLock, and these two methods are its own: `with` would cost two Python calls.
    state.condition.acquire()
    try:
        request, state.request = state.request, None
        if state.statused:
            return None
        if request is None and state.client is internals._CLOSED:
            internals._abort(
                state, rpc_event.call, cygrpc.StatusCode.invalid_argument, b"The call ended before its request."
            )
    finally:
        state.condition.release()
    return request


def end_early(rpc_event: Any, state: Any, behaviour: Callable[..., Any], error: ChatboothError) -> None:
    """End a call with an error. This does nothing if its request has come, or the call is over."""
    set_status = getattr(behaviour, ENDS_INCOMPLETE, None)
    if set_status is None:
        rpc_event.call.cancel()
        return
    # The request cannot come while a thread holds this.
    with state.condition:
        if state.request is None and internals._is_rpc_state_active(state):
            set_status(internals._Context(rpc_event, state, None), error)
            internals._status(rpc_event, state, None)


def serialized(rpc_event: Any, state: Any, response: Any, serializer: Callable[[Any], bytes]) -> bytes | None:
    """Serialise a response. None means that this failed, and that gRPC has answered so."""
    try:
        return serializer(response)
    except Exception:  # noqa: BLE001  # gRPC tries again, logs the exception and answers INTERNAL
        message: bytes | None = internals._serialize_response(rpc_event, state, response, serializer)
        return message


def owners(rpc_event: Any, account_id: int | None) -> tuple[Hashable, ...]:
    """Return a call's connection, and its account if that is known."""
    connection = rpc_event.call.peer()
    return (connection,) if account_id is None else (connection, account_id)
