"""Messages of the actions that open, list and end sessions."""

from __future__ import annotations

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.actions import (
    END_SESSION,
    LIST_SESSIONS,
    LOG_IN,
    LOG_OUT,
    SIGN_UP,
    EndSessionRequest,
    ListSessionsRequest,
    LogInRequest,
)
from chatbooth_grpc.booth.model import SessionEntry, SessionKind, SessionPage
from chatbooth_grpc.rpc.converter import converter
from chatbooth_grpc.rpc.messages import session_from_pb, session_to_pb, time_from_pb, time_to_pb
from chatbooth_grpc.rpc.tokens import limits_from_pb, limits_to_pb


def sign_up_to_pb(request: LogInRequest) -> pb.SignUpRequest:
    return pb.SignUpRequest(
        username=request.username,
        password=request.password,
        token=request.token,
        label=request.label,
        invite=request.invite,
    )


def sign_up_from_pb(request: pb.SignUpRequest) -> LogInRequest:
    return LogInRequest(request.username, request.password, request.token, request.label, request.invite)


def log_in_to_pb(request: LogInRequest) -> pb.LogInRequest:
    return pb.LogInRequest(
        username=request.username, password=request.password, token=request.token, label=request.label
    )


def log_in_from_pb(request: pb.LogInRequest) -> LogInRequest:
    return LogInRequest(request.username, request.password, request.token, request.label)


def list_sessions_to_pb(request: ListSessionsRequest) -> pb.ListSessionsRequest:
    return pb.ListSessionsRequest(page_size=request.page_size, page_token=request.page_token)


def list_sessions_from_pb(request: pb.ListSessionsRequest) -> ListSessionsRequest:
    return ListSessionsRequest(request.page_size, request.page_token)


def entry_to_pb(entry: SessionEntry) -> pb.SessionEntry:
    return pb.SessionEntry(
        session_id=entry.session_id,
        label=entry.label,
        kind=pb.SessionKind.Name(entry.kind),
        create_time=time_to_pb(entry.create_time),
        used_time=time_to_pb(entry.used_time),
        current=entry.is_current,
        limits=None if entry.limits is None else limits_to_pb(entry.limits),
        expire_time=time_to_pb(entry.expire_time) if entry.expire_time else None,
    )


def entry_from_pb(entry: pb.SessionEntry) -> SessionEntry:
    times = (time_from_pb(entry.create_time), time_from_pb(entry.used_time))
    limits = limits_from_pb(entry.limits) if entry.HasField("limits") else None
    kind, expire_time = SessionKind(entry.kind), time_from_pb(entry.expire_time)
    return SessionEntry(entry.session_id, entry.label, kind, *times, entry.current, limits, expire_time)


def sessions_to_pb(page: SessionPage) -> pb.ListSessionsResponse:
    return pb.ListSessionsResponse(sessions=map(entry_to_pb, page.sessions), next_page_token=page.next_page_token)


def sessions_from_pb(reply: pb.ListSessionsResponse) -> SessionPage:
    return SessionPage([entry_from_pb(entry) for entry in reply.sessions], reply.next_page_token)


CONVERTERS = (
    converter(LIST_SESSIONS, (list_sessions_to_pb, list_sessions_from_pb), (sessions_to_pb, sessions_from_pb)),
    converter(
        END_SESSION,
        (
            lambda request: pb.EndSessionRequest(session_id=request.session_id),
            lambda request: EndSessionRequest(request.session_id),
        ),
        (lambda _: pb.EndSessionResponse(), lambda _: None),
    ),
    converter(
        SIGN_UP,
        (sign_up_to_pb, sign_up_from_pb),
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
