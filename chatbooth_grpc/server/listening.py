"""Listen over gRPC: a stream as live delivery writes to it, without a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from grpc import _server as internals

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import End, Event
from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.live.encode_once import EncodeOnce
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.live.unread import SMALL_SIZE, Held, Unread
from chatbooth_grpc.rpc.messages import event_to_pb
from chatbooth_grpc.server.interceptors import set_status
from chatbooth_grpc.server.pushing import is_taken, push

_encode = EncodeOnce(lambda event: event_to_pb(event).SerializeToString())


class GrpcSink:
    """One call's response stream. gRPC allows one writer at a time, which the pumps make sure of."""

    __slots__ = ("_account_id", "_call_when_free", "_context", "_end_held", "_unread")

    def __init__(self, context: Any, account_id: int, unread: Unread) -> None:
        self._context = context
        self._account_id = account_id
        self._unread = unread
        self._end_held: Held | None = None
        self._call_when_free: Callable[[], None] | None = None  # guarded by the call's condition

    @property
    def is_free(self) -> bool:
        return is_taken(self._context._state)

    def call_when_free(self, call: Callable[[], None]) -> bool:
        state = self._context._state
        with state.condition:
            if is_taken(state):
                return False
            self._call_when_free = call
            return True

    def send(self, event: Event) -> bool:
        message = _encode(event)
        held = self._hold(message)
        stands = push(self._context._rpc_event, self._context._state, message, partial(self._taken, held))
        if not stands:
            self._unread.release(held)
        return stands

    def end(self, end: End, error: ChatboothError) -> None:
        message = _encode(end)
        self._end_held = self._hold(message)
        set_status(self._context, error)
        internals._status(self._context._rpc_event, self._context._state, message)

    def abort(self) -> None:
        self._context.cancel()

    def release(self) -> None:
        """Note that the call is over."""
        if self._end_held is not None:
            self._unread.release(self._end_held)

    def _hold(self, message: bytes) -> Held:
        owners: tuple[Hashable, ...] = ()
        if len(message) > SMALL_SIZE:
            owners = (self._account_id, self._context.peer())
        return self._unread.hold(len(message), owners, self.abort)

    def _taken(self, held: Held) -> None:
        """Go on, on gRPC's event thread, which has noted that the message is taken."""
        self._unread.release(held)
        with self._context._state.condition:
            call, self._call_when_free = self._call_when_free, None
        if call is not None:
            call()


def listen(switchboard: Switchboard, session: StoredSession, after: int | None, context: Any, unread: Unread) -> None:
    """Serve a Listen call from now on; returns at once. Raises TooBusy, ServerDraining.

    `unread` holds each message until the client takes it.
    """
    sink = GrpcSink(context, session.account_id, unread)
    listener = switchboard.open(session, after, sink)

    def over() -> None:
        switchboard.close(listener)
        sink.release()

    # gRPC calls this on its event thread, which it does not block.
    if not context.add_callback(over):
        over()
