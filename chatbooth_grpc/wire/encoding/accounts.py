"""Bodies about accounts and sessions: SIGN_UP, LOG_IN, CHANGE_PASSWORD and DELETE."""

from __future__ import annotations

from dataclasses import dataclass

from chatbooth_grpc.booth.model import Removal, Session
from chatbooth_grpc.booth.rules import TOKEN_SIZE
from chatbooth_grpc.wire.encoding.primitives import EPOCH_SIZE, BodyReader, BodyWriter, encode_extension

# The tag of the extension of SIGN_UP and LOG_IN that holds the client's token.
_TOKEN_TAG = 1


@dataclass(frozen=True, slots=True)
class LogInRequest:
    """The body of SIGN_UP and LOG_IN. The token is empty if the client lets the server choose it."""

    username: str
    password: str
    token: bytes


@dataclass(frozen=True, slots=True)
class PasswordChange:
    """The body of CHANGE_PASSWORD: the old and the new password."""

    old: str
    new: str


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


def encode_password_change(change: PasswordChange) -> bytes:
    """string old password, string new password"""
    return BodyWriter().string(change.old).string(change.new).bytes()


def decode_password_change(body: bytes) -> PasswordChange:
    reader = BodyReader(body)
    change = PasswordChange(reader.string(), reader.string())
    reader.finish()
    return change


def encode_password(password: str) -> bytes:
    """string: the body of DELETE"""
    return BodyWriter().string(password).bytes()


def decode_password(body: bytes) -> str:
    reader = BodyReader(body)
    password = reader.string()
    reader.finish()
    return password


def encode_removal(removal: Removal) -> bytes:
    """varint messages, varint sessions: the body of DELETE's reply"""
    return BodyWriter().varint(removal.messages).varint(removal.sessions).bytes()


def decode_removal(body: bytes) -> Removal:
    reader = BodyReader(body)
    removal = Removal(reader.varint(), reader.varint())
    reader.finish()
    return removal
