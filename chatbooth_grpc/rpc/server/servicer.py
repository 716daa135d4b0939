"""The gRPC service: a table's unary actions, and the methods that answer later."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import copy_context
from typing import Any

import grpc

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.actions import ACTIONS, LISTEN
from chatbooth_grpc.booth.booth import PERFORM, Booth
from chatbooth_grpc.booth.call_log import log_defect
from chatbooth_grpc.booth.errors import ChatboothError, Internal
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.rpc.actions import METHOD_NAMES
from chatbooth_grpc.rpc.converter import Converter
from chatbooth_grpc.rpc.converters import CONVERTERS
from chatbooth_grpc.rpc.grpcio.calls import ResponseStream, StreamCall
from chatbooth_grpc.rpc.grpcio.marks import answers_later, writes_later
from chatbooth_grpc.rpc.messages import outgoing_from_pb
from chatbooth_grpc.rpc.server.interceptors import current_token
from chatbooth_grpc.rpc.server.listening import listen
from chatbooth_grpc.rpc.server.reply import Reply
from chatbooth_grpc.rpc.server.send_streams import SendStreams

# gRPC's event thread handles a text itself if it has at most this many characters.
_SMALL_TEXT = 16 << 10


class ChatServicer:
    """Answers gRPC calls. It raises errors unchanged, and the interceptor answers them.

    The methods of unary actions are made from `CONVERTERS` and `PERFORM`. The methods below have code of their own.
    """

    def __init__(
        self,
        booth: Booth,
        switchboard: Switchboard,
        send_streams: SendStreams,
        calls: Executor,
        pushes: Unread,
    ) -> None:
        """`calls` has threads for the work that would block one of gRPC's own threads.

        `pushes` counts the messages of live streams that clients have not taken.
        """
        self._booth = booth
        self._switchboard = switchboard
        self._send_streams = send_streams
        self._calls = calls
        self._pushes = pushes
        for converter in CONVERTERS.values():
            setattr(self, METHOD_NAMES[converter.action], _unary(booth, converter))

    @answers_later
    def Send(self, request: pb.SendRequest, context: grpc.ServicerContext, reply: Reply) -> None:
        token = current_token.get()
        session = self._booth.cached_session(token)
        if session is not None and len(request.text) <= _SMALL_TEXT:
            if wait := self._booth.throttles.take_sends(session.sender_key):
                raise self._booth.throttles.sends_refused(wait)
            checked = self._booth.sending.checked(session, outgoing_from_pb(request))
            self._booth.sending.send_later([checked], reply.settle)
        else:
            self._calls.submit(copy_context().run, self._find_and_send, token, request, reply)

    def _find_and_send(self, token: bytes, request: pb.SendRequest, reply: Reply) -> None:
        """Send a message that is long, or whose session is not cached. This runs on a thread that may block."""
        try:
            session = self._booth.admitted(token)
            if wait := self._booth.throttles.take_sends(session.sender_key):
                raise self._booth.throttles.sends_refused(wait)
            checked = self._booth.sending.checked(session, outgoing_from_pb(request))
            self._booth.sending.send_later([checked], reply.settle)
        except ChatboothError as error:
            reply.refuse(error)
        except Exception:  # noqa: BLE001  # a bug must answer too
            log_defect(reply.call)
            reply.refuse(Internal())

    @answers_later
    def SendMany(self, call: StreamCall, context: grpc.ServicerContext, reply: Reply) -> None:
        self._send_streams.open(current_token.get(), call, reply.end)

    @writes_later
    def Listen(self, request: pb.ListenRequest, context: grpc.ServicerContext, responses: ResponseStream) -> None:
        after = request.after if request.HasField("after") else None
        session = self._booth.authenticated(current_token.get(), LISTEN)
        listen(self._switchboard, session, after, context, responses, unread=self._pushes)


def _unary(booth: Booth, converter: Converter[Any, Any]) -> Callable[[Any, grpc.ServicerContext], Any]:
    """Return the method of a unary action: it converts the request, asks the booth, and converts the reply."""
    perform = PERFORM[converter.action]
    # `bytes` makes the empty token of an action that needs no session.
    token = current_token.get if ACTIONS[converter.action].needs_session else bytes
    request_from_pb, reply_to_pb = converter.request_from_pb, converter.reply_to_pb

    def answer(request: Any, _context: grpc.ServicerContext) -> Any:
        return reply_to_pb(perform(booth, token(), request_from_pb(request)))

    return answer
