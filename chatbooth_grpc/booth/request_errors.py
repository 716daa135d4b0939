"""The errors of requests that cannot be right, whatever the server holds."""

from __future__ import annotations

from dataclasses import dataclass

from chatbooth_grpc.booth.error_tree import InvalidArgument


@dataclass(eq=False)
class MalformedRequest(InvalidArgument):
    """The request's bytes cannot be decoded. A string may be ill-formed UTF-8, for example."""

    reason = "MALFORMED_REQUEST"
    field: str = ""

    def __str__(self) -> str:
        return "The request could not be read: it is not a valid encoding. Strings must be UTF-8."


@dataclass(eq=False)
class RequestTooLarge(InvalidArgument):
    """The request is larger than the server accepts."""

    reason = "REQUEST_TOO_LARGE"
    field: str = ""

    def __str__(self) -> str:
        return "The request is larger than the server accepts. Send the text in parts."


@dataclass(eq=False)
class BatchTooLarge(InvalidArgument):
    """A batch holds more messages than the limit allows."""

    reason = "BATCH_TOO_LARGE"
    limit: int
    """How many messages a batch may hold."""
    field: str = "messages"

    def __str__(self) -> str:
        return f"A batch holds at most {self.limit:,} messages. Send more batches."


@dataclass(eq=False)
class UnknownAction(InvalidArgument):
    """The server has no action with this number that a client may ask for."""

    reason = "UNKNOWN_ACTION"
    action: int
    """The number, from 0 to 255."""
    field: str = "action"

    def __str__(self) -> str:
        return f"This server knows no action {self.action}. It may be older than the client; upgrade one of them."


@dataclass(eq=False)
class UnsupportedVersion(InvalidArgument):
    """The request is of another version of the protocol than `supported`."""

    reason = "UNSUPPORTED_VERSION"
    version: int
    """The version of the request."""
    supported: int
    """The version that the server speaks."""
    field: str = "version"

    def __str__(self) -> str:
        return f"Protocol version {self.version} is not supported. Speak version {self.supported}."


@dataclass(eq=False)
class InvalidUsername(InvalidArgument):
    """The username breaks the rules for usernames."""

    reason = "INVALID_USERNAME"
    field: str = "username"

    def __str__(self) -> str:
        return (
            f"The {self.field} is not a username: use 1 to 32 of the letters a-z, the digits 0-9, '_', '.' and '-', "
            "starting with a letter or a digit."
        )


@dataclass(eq=False)
class InvalidPassword(InvalidArgument):
    """The password is shorter or longer than allowed."""

    reason = "INVALID_PASSWORD"
    field: str
    minimum: int
    """The fewest bytes of UTF-8 that a password may have."""
    maximum: int
    """The most bytes of UTF-8 that a password may have."""

    def __str__(self) -> str:
        return f"The password must have {self.minimum} to {self.maximum} bytes. Choose another."


@dataclass(eq=False)
class InvalidMessageId(InvalidArgument):
    """The message id is not 16 bytes, or all of them are zero."""

    reason = "INVALID_MESSAGE_ID"
    field: str = "message_id"

    def __str__(self) -> str:
        return "A message id is 16 bytes and not all zero. Use a UUIDv7."


@dataclass(eq=False)
class EmptyText(InvalidArgument):
    """There is no text to send."""

    reason = "EMPTY_TEXT"
    field: str = "text"

    def __str__(self) -> str:
        return "The text is empty. Write at least one character."


@dataclass(eq=False)
class TextTooLong(InvalidArgument):
    """The text has more bytes of UTF-8 than the limit."""

    reason = "TEXT_TOO_LONG"
    size: int
    """The text's size, in bytes of UTF-8."""
    limit: int
    """The largest size that the server takes, in bytes of UTF-8."""
    field: str = "text"

    def __str__(self) -> str:
        return f"The text has {self.size:,} bytes; the limit is {self.limit:,}. Send it in parts."


@dataclass(eq=False)
class UnknownContentKind(InvalidArgument):
    """The server does not know this kind of content, so it has stored nothing."""

    reason = "UNKNOWN_CONTENT_KIND"
    kind: int
    """The number of the kind."""
    field: str = "content"

    def __str__(self) -> str:
        return f"The server does not know content of kind {self.kind}. Send a text, or have the server updated."


@dataclass(eq=False)
class InvalidPattern(InvalidArgument):
    """The pattern of a list is not an RE2 pattern. `problem` says why."""

    reason = "INVALID_PATTERN"
    problem: str
    field: str = "pattern"

    def __str__(self) -> str:
        return f"The pattern cannot be used: {self.problem}. Patterns are RE2 regular expressions."


@dataclass(eq=False)
class InvalidPrefix(InvalidArgument):
    """No username can start with the prefix."""

    reason = "INVALID_PREFIX"
    field: str = "prefix"

    def __str__(self) -> str:
        return "No username can start with this prefix. Use only what a username may hold."


@dataclass(eq=False)
class InvalidPageToken(InvalidArgument):
    """The page token is not from this list."""

    reason = "INVALID_PAGE_TOKEN"
    field: str = "page_token"

    def __str__(self) -> str:
        return "The page token does not belong to this list. Start again from its first page."
