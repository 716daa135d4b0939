"""Bodies of the actions that open, list and end sessions."""

from __future__ import annotations

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
from chatbooth_grpc.booth.model import Session, SessionEntry, SessionKind, SessionPage
from chatbooth_grpc.booth.rules import TOKEN_SIZE
from chatbooth_grpc.wire.encoding.codec import EMPTY, codec
from chatbooth_grpc.wire.encoding.primitives import (
    EPOCH_SIZE,
    BodyReader,
    BodyWriter,
    decode_number,
    decode_text,
    encode_extension,
    encode_varint,
)
from chatbooth_grpc.wire.encoding.token_limits import decode_limits, encode_limits

# The tag of the extension of SIGN_UP and LOG_IN that holds the client's token.
_TOKEN_TAG = 1
# The tag of the one that holds the session's label, in UTF-8.
_LABEL_TAG = 2
# The tag of the extension of SIGN_UP alone that holds the invite code, in UTF-8.
_INVITE_TAG = 3
# The tags of the extensions of an entry of the list that hold what a token may do, and when it expires.
_LIMITS_TAG = 1
_EXPIRE_TIME_TAG = 2


def encode_sign_up(request: LogInRequest) -> bytes:
    """as LOG_IN; then the invite code as an extension, unless empty"""
    return encode_log_in(request) + encode_extension(_INVITE_TAG, request.invite.encode())


def decode_sign_up(body: bytes) -> LogInRequest:
    request, extensions = _decode_log_in(body)
    return request._replace(invite=decode_text(extensions.get(_INVITE_TAG, b"")))


def encode_log_in(request: LogInRequest) -> bytes:
    """string username, string password; then the token and the label as extensions, unless empty"""
    body = BodyWriter().string(request.username).string(request.password).bytes()
    return body + encode_extension(_TOKEN_TAG, request.token) + encode_extension(_LABEL_TAG, request.label.encode())


def decode_log_in(body: bytes) -> LogInRequest:
    """Raises BodyError, as every decoder of this folder does."""
    return _decode_log_in(body)[0]


def _decode_log_in(body: bytes) -> tuple[LogInRequest, dict[int, bytes]]:
    """Return the request, and the extensions of its body."""
    reader = BodyReader(body)
    username, password = reader.string(), reader.string()
    extensions = reader.extensions()
    label = decode_text(extensions.get(_LABEL_TAG, b""))
    return LogInRequest(username, password, extensions.get(_TOKEN_TAG, b""), label), extensions


def encode_session(session: Session) -> bytes:
    """16 bytes token, varint account id, string username, 16 bytes epoch"""
    writer = BodyWriter().fixed(session.token).varint(session.account_id)
    return writer.string(session.username).fixed(session.epoch).bytes()


def decode_session(body: bytes) -> Session:
    reader = BodyReader(body)
    session = Session(reader.fixed(TOKEN_SIZE), reader.varint(), reader.string(), reader.fixed(EPOCH_SIZE))
    reader.finish()
    return session


def encode_list_sessions(request: ListSessionsRequest) -> bytes:
    """varint page size, string page token"""
    return BodyWriter().varint(request.page_size).string(request.page_token).bytes()


def decode_list_sessions(body: bytes) -> ListSessionsRequest:
    reader = BodyReader(body)
    request = ListSessionsRequest(reader.varint(), reader.string())
    reader.finish()
    return request


def encode_session_page(page: SessionPage) -> bytes:
    """string next page token, varint number of sessions, each as sized bytes"""
    writer = BodyWriter().string(page.next_page_token).varint(len(page.sessions))
    for entry in page.sessions:
        writer.sized(encode_entry(entry))
    return writer.bytes()


def decode_session_page(body: bytes) -> SessionPage:
    reader = BodyReader(body)
    next_page_token = reader.string()
    entries = [decode_entry(reader.sized()) for _ in range(reader.varint())]
    reader.finish()
    return SessionPage(entries, next_page_token)


def encode_entry(entry: SessionEntry) -> bytes:
    """varint id, string label, varint kind, time created, time used, flag is current

    Then, as extensions, what a token may do, and a varint: when it expires.
    """
    writer = BodyWriter().varint(entry.session_id).string(entry.label).varint(entry.kind)
    body = writer.varint(entry.create_time).varint(entry.used_time).flag(entry.is_current).bytes()
    limits = b"" if entry.limits is None else encode_limits(entry.limits)
    expire_time = encode_varint(entry.expire_time) if entry.expire_time else b""
    return body + encode_extension(_LIMITS_TAG, limits) + encode_extension(_EXPIRE_TIME_TAG, expire_time)


def decode_entry(body: bytes) -> SessionEntry:
    reader = BodyReader(body)
    session_id, label, kind = reader.varint(), reader.string(), SessionKind(reader.varint())
    entry = SessionEntry(session_id, label, kind, reader.varint(), reader.varint(), reader.flag())
    extensions = reader.extensions()
    limits, expire_time = extensions.get(_LIMITS_TAG), extensions.get(_EXPIRE_TIME_TAG)
    return entry._replace(
        limits=None if limits is None else decode_limits(limits),
        expire_time=0 if expire_time is None else decode_number(expire_time),
    )


def encode_end_session(request: EndSessionRequest) -> bytes:
    """varint id"""
    return encode_varint(request.session_id)


def decode_end_session(body: bytes) -> EndSessionRequest:
    return EndSessionRequest(decode_number(body))


_SESSION = (encode_session, decode_session)

CODECS = (
    codec(LIST_SESSIONS, (encode_list_sessions, decode_list_sessions), (encode_session_page, decode_session_page)),
    codec(END_SESSION, (encode_end_session, decode_end_session), EMPTY),
    codec(SIGN_UP, (encode_sign_up, decode_sign_up), _SESSION),
    codec(LOG_IN, (encode_log_in, decode_log_in), _SESSION),
    codec(LOG_OUT, EMPTY, EMPTY),
)
