"""Messages of the actions that open and end sessions: SignUp, LogIn and LogOut."""

from __future__ import annotations

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.actions import LOG_IN, LOG_OUT, SIGN_UP, LogInRequest
from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.rpc.converter import converter


def sign_up_to_pb(request: LogInRequest) -> pb.SignUpRequest:
    return pb.SignUpRequest(username=request.username, password=request.password, token=request.token)


def log_in_to_pb(request: LogInRequest) -> pb.LogInRequest:
    return pb.LogInRequest(username=request.username, password=request.password, token=request.token)


def log_in_from_pb(request: pb.SignUpRequest | pb.LogInRequest) -> LogInRequest:
    return LogInRequest(request.username, request.password, request.token)


def session_to_pb(session: Session) -> pb.Session:
    """Encode the session that SignUp or LogIn returns."""
    return pb.Session(
        token=session.token,
        account_id=session.account_id,
        username=session.username,
        epoch=session.epoch,
    )


def session_from_pb(session: pb.Session) -> Session:
    """Decode the session that SignUp or LogIn returned."""
    return Session(session.token, session.account_id, session.username, session.epoch)


CONVERTERS = (
    converter(
        SIGN_UP,
        (sign_up_to_pb, log_in_from_pb),
        (
            lambda session: pb.SignUpResponse(session=session_to_pb(session)),
            lambda reply: session_from_pb(reply.session),
        ),
    ),
    converter(
        LOG_IN,
        (log_in_to_pb, log_in_from_pb),
        (
            lambda session: pb.LogInResponse(session=session_to_pb(session)),
            lambda reply: session_from_pb(reply.session),
        ),
    ),
    converter(LOG_OUT, (lambda _: pb.LogOutRequest(), lambda _: None), (lambda _: pb.LogOutResponse(), lambda _: None)),
)
