"""Writes messages of a stream without a thread that waits until gRPC takes them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from grpc import _server as internals
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled, without types

_NO_FLAGS = 0
_log = logging.getLogger(__name__)
_TOKENS = {internals._SEND_INITIAL_METADATA_AND_SEND_MESSAGE_TOKEN, internals._SEND_MESSAGE_TOKEN}


class PushedStream:
    """A call's responses, as `ResponseStream` describes them. `taken` is called on gRPC's event thread.

    gRPC's own function blocks the writer until a message is taken. That costs two handoffs between threads for each
    message. `push` never waits.
    """

    __slots__ = ("_rpc_event", "_state", "lock")

    def __init__(self, rpc_event: Any, state: Any) -> None:
        self._rpc_event = rpc_event
        self._state = state
        self.lock: AbstractContextManager[Any] = state.condition

    @property
    def is_taken(self) -> bool:
        return _TOKENS.isdisjoint(self._state.due)

    def push(self, message: bytes, taken: Callable[[], None]) -> bool:
        state = self._state
        with state.condition:
            if not internals._is_rpc_state_active(state):
                return False
            operations: tuple[Any, ...] = (cygrpc.SendMessageOperation(message, _NO_FLAGS),)
            token = internals._SEND_MESSAGE_TOKEN
            if state.initial_metadata_allowed:
                operations = (internals._get_initial_metadata_operation(state, None), *operations)
                state.initial_metadata_allowed = False
                token = internals._SEND_INITIAL_METADATA_AND_SEND_MESSAGE_TOKEN
            self._rpc_event.call.start_server_batch(operations, _once_taken(state, token, taken))
            state.due.add(token)
        return True

    def finish(self, message: bytes | None) -> None:
        internals._status(self._rpc_event, self._state, message)


def _once_taken(state: Any, token: str, taken: Callable[[], None]) -> Callable[[Any], Any]:
    """Return a callback for gRPC's event that a message is taken.

    gRPC's own callback also wakes the threads that wait on the call's condition. Here no thread waits.
    """

    def take(_event: Any) -> Any:
        with state.condition:
            outcome = internals._possibly_finish_call(state, token)
        try:
            taken()
        # A bug must not end the one thread that serves all calls.
        except Exception:  # noqa: BLE001
            _log.exception("an event of a call was lost")
        return outcome

    return take


def followed(on_event: Callable[[Any], Any], then: Callable[[], None]) -> Callable[[Any], Any]:
    """Return a callback that handles an event as `on_event` does, and then calls `then`."""

    def take(event: Any) -> Any:
        outcome = on_event(event)
        try:
            then()
        # A bug must not end the one thread that serves all calls.
        except Exception:  # noqa: BLE001
            _log.exception("an event of a call was lost")
        return outcome

    return take
