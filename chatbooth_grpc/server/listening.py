"""Listen over gRPC: a stream as live delivery writes to it, without a thread of its own."""

from __future__ import annotations

from collections.abc import Callable

import grpc

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import End, Event
from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.live.encode_once import EncodeOnce
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.rpc.messages import event_to_pb
from chatbooth_grpc.server.interceptors import set_status
from chatbooth_grpc.server.pushing import push, wait_until_taken

_encode = EncodeOnce(lambda event: event_to_pb(event).SerializeToString())

SendResponse = Callable[[pb.ListenResponse | None], None]


class GrpcSink:
    """One call's response stream. gRPC allows one writer at a time, which the pumps see to."""

    __slots__ = ("_context", "_send_response")

    def __init__(self, context: grpc.ServicerContext, send_response: SendResponse) -> None:
        self._context = context
        self._send_response = send_response

    def send(self, event: Event) -> bool:
        return push(self._context, _encode(event))

    def end(self, end: End, error: ChatboothError) -> None:
        self.send(end)
        wait_until_taken(self._context)
        set_status(self._context, error)
        self._send_response(None)

    def abort(self) -> None:
        self._context.cancel()


def listen(
    switchboard: Switchboard,
    session: StoredSession,
    after: int | None,
    context: grpc.ServicerContext,
    send_response: SendResponse,
) -> None:
    """Serve a Listen call from now on; returns at once. Raises TooBusy, ServerDraining."""
    listener = switchboard.open(session, after, GrpcSink(context, send_response))
    # The callback runs on gRPC's serving thread: it only unlinks.
    if not context.add_callback(lambda: switchboard.close(listener)):
        switchboard.close(listener)
