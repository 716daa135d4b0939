"""Messages of the action that makes tokens, and of what a token may do."""

from __future__ import annotations

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.actions import CREATE_TOKEN, CreateTokenRequest
from chatbooth_grpc.booth.model import NewToken
from chatbooth_grpc.booth.tokens import TokenLimits
from chatbooth_grpc.rpc.converter import converter
from chatbooth_grpc.rpc.messages import session_from_pb, session_to_pb, time_from_pb, time_to_pb


def limits_to_pb(limits: TokenLimits) -> pb.TokenLimits:
    return pb.TokenLimits(
        may_read=limits.may_read,
        may_send=limits.may_send,
        recipient=limits.recipient,
        recipient_id=limits.recipient_id,
    )


def limits_from_pb(limits: pb.TokenLimits) -> TokenLimits:
    return TokenLimits(limits.may_read, limits.may_send, limits.recipient, limits.recipient_id)


def create_token_to_pb(request: CreateTokenRequest) -> pb.CreateTokenRequest:
    return pb.CreateTokenRequest(
        secret=request.secret,
        label=request.label,
        limits=limits_to_pb(request.limits),
        lifetime_seconds=request.lifetime,
    )


def create_token_from_pb(request: pb.CreateTokenRequest) -> CreateTokenRequest:
    return CreateTokenRequest(request.secret, request.label, limits_from_pb(request.limits), request.lifetime_seconds)


def new_token_to_pb(made: NewToken) -> pb.CreateTokenResponse:
    return pb.CreateTokenResponse(
        session=session_to_pb(made.session),
        session_id=made.session_id,
        expire_time=time_to_pb(made.expire_time) if made.expire_time else None,
    )


def new_token_from_pb(reply: pb.CreateTokenResponse) -> NewToken:
    return NewToken(session_from_pb(reply.session), reply.session_id, time_from_pb(reply.expire_time))


CONVERTERS = (
    converter(CREATE_TOKEN, (create_token_to_pb, create_token_from_pb), (new_token_to_pb, new_token_from_pb)),
)
