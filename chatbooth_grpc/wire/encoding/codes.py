"""The status byte of a reply, and the errors that it stands for."""

from __future__ import annotations

from chatbooth_grpc.booth import errors
from chatbooth_grpc.booth.error_reasons import from_reason
from chatbooth_grpc.booth.errors import ChatboothError, UnknownError
from chatbooth_grpc.wire.encoding.primitives import BodyReader, BodyWriter

OK = 0
OTHER = 255
"""The code of an error that has no other code."""

CODES: dict[type[ChatboothError], int] = {
    errors.MalformedRequest: 1,
    errors.RequestTooLarge: 2,
    errors.UnknownAction: 3,
    errors.UnsupportedVersion: 4,
    errors.BatchTooLarge: 5,
    errors.InvalidUsername: 10,
    errors.InvalidPassword: 11,
    errors.InvalidMessageId: 12,
    errors.EmptyText: 13,
    errors.TextTooLong: 14,
    errors.InvalidPattern: 15,
    errors.InvalidPrefix: 16,
    errors.InvalidPageToken: 17,
    errors.UnknownContentKind: 18,
    errors.BlocksOneself: 6,
    errors.InvalidLabel: 7,
    errors.InvalidInvite: 8,
    errors.InvalidTokenLimits: 9,
    errors.SessionInvalid: 20,
    errors.WrongCredentials: 21,
    errors.WrongPassword: 22,
    errors.AccountDisabled: 23,
    errors.RecipientNotFound: 30,
    errors.SessionNotFound: 31,
    errors.InviteNotFound: 32,
    errors.UsernameTaken: 40,
    errors.MessageIdReused: 41,
    errors.AlreadyListening: 42,
    errors.UsernameReserved: 43,
    errors.TokenNameTaken: 44,
    errors.CursorPastEnd: 50,
    errors.TooBusy: 60,
    errors.StoreFull: 61,
    errors.RateLimited: 62,
    errors.MailboxFull: 63,
    errors.StoreUnavailable: 70,
    errors.ServerDraining: 71,
    errors.ServerUnreachable: 72,
    errors.DeadlineExceeded: 80,
    errors.Internal: 90,
    errors.Blocked: 100,
    errors.LimitReached: 101,
    errors.SignUpClosed: 102,
    errors.InviteRequired: 103,
    errors.InviteRefused: 104,
    errors.NotPermitted: 105,
}
"""The status byte of each error. Another error never gets the same number."""

_BRANCHES: dict[int, type[ChatboothError]] = {
    0: errors.InvalidArgument,
    1: errors.InvalidArgument,
    2: errors.Unauthenticated,
    3: errors.NotFound,
    4: errors.AlreadyExists,
    5: errors.OutOfRange,
    6: errors.ResourceExhausted,
    7: errors.Unavailable,
    8: errors.DeadlineExceeded,
    9: errors.Internal,
    10: errors.FailedPrecondition,
}
"""The branch of the error tree that a code belongs to, by the code's tens."""


REQUEST_ID = "request_id"
"""The attribute that has the id of the request. An older client ignores it, as it ignores every unknown attribute."""


def encode_error(error: ChatboothError, request_id: str = "") -> bytes:
    """Encode an error: its code, its reason, its words, and its attributes as pairs of strings.

    The id of the request is one of them, if it has one.
    """
    attributes = error.attributes() | ({REQUEST_ID: request_id} if request_id else {})
    writer = BodyWriter().fixed(bytes((CODES.get(type(error), OTHER),)))
    writer.string(error.reason).string(str(error)).varint(len(attributes))
    for name, value in attributes.items():
        writer.string(name).string(value)
    return writer.bytes()


def decode_error(body: bytes) -> ChatboothError:
    """Decode the bytes of `encode_error`. An error of a newer server keeps its reason and words. Raises BodyError."""
    reader = BodyReader(body)
    code = reader.fixed(1)[0]
    reason, words = reader.string(), reader.string()
    attributes = {reader.string(): reader.string() for _ in range(reader.varint())}
    reader.finish()
    request_id = attributes.pop(REQUEST_ID, "")
    if code == OTHER:
        error: ChatboothError = UnknownError(reason, words)
    else:
        error = from_reason(reason, words, attributes, _BRANCHES.get(code // 10))
    if request_id:
        error.request_id = request_id
    return error
