"""The gRPC service: each method calls the booth and turns its result into a response."""

from __future__ import annotations

from concurrent.futures import Executor
from contextvars import copy_context

import grpc

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.call_log import log_defect
from chatbooth_grpc.booth.errors import ChatboothError, Internal
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.rpc.grpcio.calls import ResponseStream, StreamCall
from chatbooth_grpc.rpc.grpcio.marks import answers_later, writes_later
from chatbooth_grpc.rpc.messages import delivery_to_pb, outgoing_from_pb, session_to_pb
from chatbooth_grpc.rpc.server.interceptors import current_token
from chatbooth_grpc.rpc.server.listening import listen
from chatbooth_grpc.rpc.server.reply import Reply
from chatbooth_grpc.rpc.server.send_streams import SendStreams

# gRPC's event thread handles a text itself if it has at most this many characters.
_SMALL_TEXT = 16 << 10


class ChatServicer(pb_grpc.ChatServiceServicer):
    """Answers gRPC calls. It raises errors unchanged, and the interceptor answers them."""

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

    def SignUp(self, request: pb.SignUpRequest, context: grpc.ServicerContext) -> pb.SignUpResponse:
        session = self._booth.sign_up(request.username, request.password, request.token)
        return pb.SignUpResponse(session=session_to_pb(session))

    def LogIn(self, request: pb.LogInRequest, context: grpc.ServicerContext) -> pb.LogInResponse:
        session = self._booth.log_in(request.username, request.password, request.token)
        return pb.LogInResponse(session=session_to_pb(session))

    def LogOut(self, request: pb.LogOutRequest, context: grpc.ServicerContext) -> pb.LogOutResponse:
        self._booth.log_out(current_token.get())
        return pb.LogOutResponse()

    def ChangePassword(
        self, request: pb.ChangePasswordRequest, context: grpc.ServicerContext
    ) -> pb.ChangePasswordResponse:
        ended = self._booth.change_password(current_token.get(), request.old_password, request.new_password)
        return pb.ChangePasswordResponse(sessions_ended=ended)

    def Delete(self, request: pb.DeleteRequest, context: grpc.ServicerContext) -> pb.DeleteResponse:
        removal = self._booth.delete(current_token.get(), request.password)
        return pb.DeleteResponse(messages_removed=removal.messages, sessions_ended=removal.sessions)

    def List(self, request: pb.ListRequest, context: grpc.ServicerContext) -> pb.ListResponse:
        page = self._booth.list(
            current_token.get(),
            request.pattern,
            request.prefix,
            request.page_size,
            request.page_token,
        )
        return pb.ListResponse(usernames=page.usernames, next_page_token=page.next_page_token)

    @answers_later
    def Send(  # type: ignore[override]  # in the mark's form
        self, request: pb.SendRequest, context: grpc.ServicerContext, reply: Reply
    ) -> None:
        token = current_token.get()
        session = self._booth.cached_session(token)
        if session is not None and len(request.text) <= _SMALL_TEXT:
            checked = self._booth.sending.checked(session, outgoing_from_pb(request))
            self._booth.sending.send_later([checked], reply.settle)
        else:
            self._calls.submit(copy_context().run, self._find_and_send, token, request, reply)

    def _find_and_send(self, token: bytes, request: pb.SendRequest, reply: Reply) -> None:
        """Send a message that is long, or whose session is not cached. This runs on a thread that may block."""
        try:
            checked = self._booth.sending.checked(self._booth.authenticated(token), outgoing_from_pb(request))
            self._booth.sending.send_later([checked], reply.settle)
        except ChatboothError as error:
            reply.refuse(error)
        except Exception:  # noqa: BLE001  # a bug must answer too
            log_defect(reply.call)
            reply.refuse(Internal())

    @answers_later
    def SendMany(  # type: ignore[override]  # in the mark's form
        self, call: StreamCall, context: grpc.ServicerContext, reply: Reply
    ) -> None:
        self._send_streams.open(current_token.get(), call, reply.end)

    def Deliver(self, request: pb.DeliverRequest, context: grpc.ServicerContext) -> pb.DeliverResponse:
        after = request.after if request.HasField("after") else None
        delivery = self._booth.deliver(
            current_token.get(), request.acknowledge_through, after, request.max_messages, request.epoch
        )
        return delivery_to_pb(delivery)

    def Acknowledge(self, request: pb.AcknowledgeRequest, context: grpc.ServicerContext) -> pb.AcknowledgeResponse:
        self._booth.acknowledge(current_token.get(), request.through, request.epoch)
        return pb.AcknowledgeResponse()

    @writes_later
    def Listen(  # type: ignore[override]  # in the mark's form
        self, request: pb.ListenRequest, context: grpc.ServicerContext, responses: ResponseStream
    ) -> None:
        after = request.after if request.HasField("after") else None
        session = self._booth.authenticated(current_token.get())
        listen(self._switchboard, session, after, context, responses, unread=self._pushes)
