"""Writing a message of a stream without waiting for gRPC to take it.

gRPC's own way blocks the writer until the message is taken, two handoffs between threads for each. Here the writer
waits for the message before, which has nearly always been taken by then: a client that does not read blocks its second.

This leans on internals of grpcio (`_server._send_response` and its neighbours, as of 1.81 to 1.85), as call_pool does.
"""

from __future__ import annotations

from typing import Any

from grpc import _server as internals
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled, without types

_NO_FLAGS = 0
_TOKENS = {internals._SEND_INITIAL_METADATA_AND_SEND_MESSAGE_TOKEN, internals._SEND_MESSAGE_TOKEN}


def push(context: Any, message: bytes) -> bool:
    """Write a serialised message to the call of a servicer's context; return whether the call still stands.

    One thread at a time may do so.
    """
    rpc_event, state = context._rpc_event, context._state
    with state.condition:
        _wait_until_taken(state)
        if not internals._is_rpc_state_active(state):
            return False
        operations: tuple[Any, ...] = (cygrpc.SendMessageOperation(message, _NO_FLAGS),)
        token = internals._SEND_MESSAGE_TOKEN
        if state.initial_metadata_allowed:
            operations = (internals._get_initial_metadata_operation(state, None), *operations)
            state.initial_metadata_allowed = False
            token = internals._SEND_INITIAL_METADATA_AND_SEND_MESSAGE_TOKEN
        rpc_event.call.start_server_batch(operations, internals._send_message(state, token))
        state.due.add(token)
        return True


def wait_until_taken(context: Any) -> None:
    """Wait until gRPC has taken what was written, or the call is over."""
    with context._state.condition:
        _wait_until_taken(context._state)


def _wait_until_taken(state: Any) -> None:
    while not _TOKENS.isdisjoint(state.due):
        state.condition.wait()
