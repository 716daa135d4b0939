"""Listen over gRPC: a response stream to which live delivery writes, without a thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from chatbooth_grpc.booth.call_log import Call, current_call
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import End, Event
from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.live.encode_once import EncodeOnce
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.live.unread import SMALL_SIZE, Held, Unread
from chatbooth_grpc.rpc.grpcio.calls import ResponseStream
from chatbooth_grpc.rpc.messages import event_to_pb
from chatbooth_grpc.rpc.server.reply import set_status

_encode = EncodeOnce(lambda event: event_to_pb(event).SerializeToString())


class GrpcSink:
    """The response stream of one call. gRPC allows one writer at a time, and the pumps make sure of that."""

    __slots__ = (
        "_account_id",
        "_call",
        "_call_when_free",
        "_context",
        "_end_held",
        "_responses",
        "_small_since",
        "_unread",
    )

    def __init__(
        self, context: Any, responses: ResponseStream, account_id: int, unread: Unread, call: Call | None = None
    ) -> None:
        """`call` has the id of the request, for the error that ends the stream."""
        self._call = call
        self._context = context
        self._responses = responses
        self._account_id = account_id
        self._unread = unread
        # When the last message was written, if it is small.
        self._small_since: float | None = None
        self._end_held: Held | None = None
        self._call_when_free: Callable[[], None] | None = None

    @property
    def is_free(self) -> bool:
        return self._responses.is_taken

    def call_when_free(self, call: Callable[[], None]) -> bool:
        with self._responses.lock:
            if self._responses.is_taken:
                return False
            self._call_when_free = call
            return True

    def send(self, event: Event) -> bool:
        message = _encode(event)
        if len(message) <= SMALL_SIZE:
            self._small_since = time.monotonic()
            return self._responses.push(message, self._go_on)
        self._small_since = None
        held = self._hold(message)
        stands = self._responses.push(message, partial(self._large_taken, held))
        if not stands:
            self._unread.release(held)
        return stands

    def end(self, end: End, error: ChatboothError) -> None:
        message = _encode(end)
        self._end_held = self._hold(message)
        set_status(self._context, error, self._call.request_id if self._call else "")
        self._responses.finish(message)

    def abort(self) -> None:
        self._context.cancel()

    @property
    def waiting_since(self) -> float | None:
        """The time since which a small message waits for gRPC to take it. None means that no small message waits."""
        return None if self._responses.is_taken else self._small_since

    def cut_off(self) -> None:
        """End the call, when `Unread` says so."""
        self.abort()

    def release(self) -> None:
        """Note that the call is over."""
        self._unread.unwatch(self)
        if self._end_held is not None:
            self._unread.release(self._end_held)

    def _hold(self, message: bytes) -> Held:
        owners = (self._account_id, self._context.peer()) if len(message) > SMALL_SIZE else ()
        return self._unread.hold(len(message), owners, self.abort)

    # gRPC's event thread calls these after it has noted that the message was taken

    def _large_taken(self, held: Held) -> None:
        self._unread.release(held)
        self._go_on()

    def _go_on(self) -> None:
        # A pump sets this callback when gRPC has not taken the pump's message. By now, the pump may have written the
        # next message already and set the callback for that one. Then this wakes the pump too early. The pump finds
        # that the stream is not free, and sets the callback again.
        call = self._call_when_free
        if call is not None:
            self._call_when_free = None
            call()


def listen(
    switchboard: Switchboard,
    session: StoredSession,
    after: int | None,
    context: Any,
    responses: ResponseStream,
    *,
    unread: Unread,
) -> None:
    """Begin to serve a Listen call, and return at once. Raises TooBusy, ServerDraining.

    `unread` counts each message until the client has taken it.
    """
    sink = GrpcSink(context, responses, session.account_id, unread, current_call())
    listener = switchboard.open(session, after, sink)
    unread.watch(sink)

    def over() -> None:
        switchboard.close(listener)
        sink.release()

    # gRPC calls `over` on its event thread, and `over` does not block that thread.
    if not context.add_callback(over):
        over()
