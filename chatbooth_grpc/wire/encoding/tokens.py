"""Bodies of the action that makes tokens, and of what a token may do."""

from __future__ import annotations

from chatbooth_grpc.booth.actions import CREATE_TOKEN, CreateTokenRequest
from chatbooth_grpc.booth.model import NewToken
from chatbooth_grpc.wire.encoding.codec import codec
from chatbooth_grpc.wire.encoding.primitives import BodyReader, BodyWriter
from chatbooth_grpc.wire.encoding.sessions import decode_session, encode_session
from chatbooth_grpc.wire.encoding.token_limits import decode_limits, encode_limits


def encode_create_token(request: CreateTokenRequest) -> bytes:
    """sized secret, string label, sized limits, varint lifetime in seconds"""
    writer = BodyWriter().sized(request.secret).string(request.label).sized(encode_limits(request.limits))
    return writer.varint(request.lifetime).bytes()


def decode_create_token(body: bytes) -> CreateTokenRequest:
    reader = BodyReader(body)
    secret, label = reader.sized(), reader.string()
    request = CreateTokenRequest(secret, label, decode_limits(reader.sized()), reader.varint())
    reader.finish()
    return request


def encode_new_token(made: NewToken) -> bytes:
    """sized session, varint session id, time of expiry or 0"""
    return BodyWriter().sized(encode_session(made.session)).varint(made.session_id).varint(made.expire_time).bytes()


def decode_new_token(body: bytes) -> NewToken:
    reader = BodyReader(body)
    made = NewToken(decode_session(reader.sized()), reader.varint(), reader.varint())
    reader.finish()
    return made


CODECS = (codec(CREATE_TOKEN, (encode_create_token, decode_create_token), (encode_new_token, decode_new_token)),)
