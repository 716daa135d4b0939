"""Bodies of the actions on the own account: CHANGE_PASSWORD and DELETE."""

from __future__ import annotations

from chatbooth_grpc.booth.actions import CHANGE_PASSWORD, DELETE, ChangePasswordRequest, DeleteRequest
from chatbooth_grpc.booth.model import Removal
from chatbooth_grpc.wire.encoding.codec import codec
from chatbooth_grpc.wire.encoding.primitives import BodyReader, BodyWriter, decode_number, encode_varint


def encode_change_password(request: ChangePasswordRequest) -> bytes:
    """string old password, string new password"""
    return BodyWriter().string(request.old_password).string(request.new_password).bytes()


def decode_change_password(body: bytes) -> ChangePasswordRequest:
    """Raises BodyError, as every decoder of this folder does."""
    reader = BodyReader(body)
    request = ChangePasswordRequest(reader.string(), reader.string())
    reader.finish()
    return request


def encode_delete(request: DeleteRequest) -> bytes:
    """string password"""
    return BodyWriter().string(request.password).bytes()


def decode_delete(body: bytes) -> DeleteRequest:
    reader = BodyReader(body)
    request = DeleteRequest(reader.string())
    reader.finish()
    return request


def encode_removal(removal: Removal) -> bytes:
    """varint messages, varint sessions: the body of DELETE's reply"""
    return BodyWriter().varint(removal.messages).varint(removal.sessions).bytes()


def decode_removal(body: bytes) -> Removal:
    reader = BodyReader(body)
    removal = Removal(reader.varint(), reader.varint())
    reader.finish()
    return removal


CODECS = (
    codec(CHANGE_PASSWORD, (encode_change_password, decode_change_password), (encode_varint, decode_number)),
    codec(DELETE, (encode_delete, decode_delete), (encode_removal, decode_removal)),
)
