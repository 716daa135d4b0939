"""Bodies of the actions that open and end sessions: SIGN_UP, LOG_IN and LOG_OUT."""

from __future__ import annotations

from chatbooth_grpc.booth.actions import LOG_IN, LOG_OUT, SIGN_UP, LogInRequest
from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.booth.rules import TOKEN_SIZE
from chatbooth_grpc.wire.encoding.codec import EMPTY, codec
from chatbooth_grpc.wire.encoding.primitives import EPOCH_SIZE, BodyReader, BodyWriter, encode_extension

# The tag of the extension of SIGN_UP and LOG_IN that holds the client's token.
_TOKEN_TAG = 1


def encode_log_in(request: LogInRequest) -> bytes:
    """string username, string password; then the token, unless it is empty, as an extension"""
    body = BodyWriter().string(request.username).string(request.password).bytes()
    return body + encode_extension(_TOKEN_TAG, request.token)


def decode_log_in(body: bytes) -> LogInRequest:
    """Raises BodyError, as every decoder of this folder does."""
    reader = BodyReader(body)
    username, password = reader.string(), reader.string()
    return LogInRequest(username, password, reader.extensions().get(_TOKEN_TAG, b""))


def encode_session(session: Session) -> bytes:
    """16 bytes token, varint account id, string username, 16 bytes epoch"""
    writer = BodyWriter().fixed(session.token).varint(session.account_id)
    return writer.string(session.username).fixed(session.epoch).bytes()


def decode_session(body: bytes) -> Session:
    reader = BodyReader(body)
    session = Session(reader.fixed(TOKEN_SIZE), reader.varint(), reader.string(), reader.fixed(EPOCH_SIZE))
    reader.finish()
    return session


_LOG_IN = (encode_log_in, decode_log_in)
_SESSION = (encode_session, decode_session)

CODECS = (
    codec(SIGN_UP, _LOG_IN, _SESSION),
    codec(LOG_IN, _LOG_IN, _SESSION),
    codec(LOG_OUT, EMPTY, EMPTY),
)
