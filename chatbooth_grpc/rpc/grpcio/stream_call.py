"""Receives requests on gRPC's event thread, and serves calls of two streams with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grpc import _server as internals
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled, without types

from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.rpc.grpcio.pushing import PushedStream, followed

_NO_FLAGS = 0


class PushedCall:
    """Both directions of a call, as `StreamCall` describes them. The callbacks run on gRPC's event thread."""

    __slots__ = ("_deserializer", "_pushes", "_responses", "_rpc_event", "_serializer", "_state")

    def __init__(
        self,
        rpc_event: Any,
        state: Any,
        pushes: Unread,
        deserializer: Callable[[bytes], Any],
        serializer: Callable[[Any], bytes],
    ) -> None:
        """`pushes` holds each message until the client takes it."""
        self._rpc_event = rpc_event
        self._state = state
        self._responses = PushedStream(rpc_event, state)
        self._pushes = pushes
        self._deserializer = deserializer
        self._serializer = serializer

    def receive(self, received: Callable[[Any], None]) -> None:
        state = self._state
        start_receiving(self._rpc_event, state, self._deserializer, lambda: received(taken_request(state)))

    def push(self, response: Any, taken: Callable[[], None]) -> bool:
        message = self._serializer(response)
        held = self._pushes.hold(len(message), (), self._rpc_event.call.cancel)

        def release() -> None:
            self._pushes.release(held)
            taken()

        stands = self._responses.push(message, release)
        if not stands:
            self._pushes.release(held)
        return stands


def start_receiving(
    rpc_event: Any, state: Any, deserializer: Callable[[bytes], Any], received: Callable[[], None]
) -> None:
    """Have gRPC's event thread receive a request, then call `received`. It is called too if the call ends before.

    If the call is already over, this calls `received` at once. An operation on such a call would end gRPC's thread.
    """
    on_event = followed(internals._receive_message(state, rpc_event.call, deserializer), received)
    # As `take_request` does, without two Python calls.
    state.condition.acquire()
    try:
        if is_active := internals._is_rpc_state_active(state):
            rpc_event.call.start_server_batch((cygrpc.ReceiveMessageOperation(_NO_FLAGS),), on_event)
            state.due.add(internals._RECEIVE_MESSAGE_TOKEN)
    finally:
        state.condition.release()
    if not is_active:
        received()


def taken_request(state: Any) -> Any:
    """Remove the received request from a call's state and return it. None means that there is none."""
    with state.condition:
        request, state.request = state.request, None
    return request
