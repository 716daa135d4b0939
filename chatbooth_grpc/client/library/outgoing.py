"""Messages to send: the forms that a program may give, and the one form that is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, cast

from chatbooth_grpc.booth.errors import InvalidMessageId, MalformedRequest
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import ContentKind, OutgoingMessage
from chatbooth_grpc.booth.rules import MESSAGE_ID_SIZE, NO_MESSAGE_ID
from chatbooth_grpc.booth.unicode import check_unicode

Sendable: TypeAlias = OutgoingMessage | tuple[str, str]
"""A message to send: an OutgoingMessage, or a recipient and a text. The latter get a new message id."""


def text_message(recipient: str, text: str, *, message_id: bytes | None = None) -> OutgoingMessage:
    """Return a text to send to the account named `recipient`.

    `message_id` is 16 bytes, not all zero. None makes a new one. Raises InvalidMessageId. Raises MalformedRequest if a
    string has lone surrogates.
    """
    check_unicode(recipient=recipient, text=text)
    message = _of_text(recipient, text, message_id)
    check_form(message)
    return message


def given_message(given: str | OutgoingMessage, text: str | None, message_id: bytes | None) -> OutgoingMessage:
    """Return `given` if it is a message, or else a text to the account that it names. Raises as `check_form`."""
    if not isinstance(given, OutgoingMessage):
        check_unicode(text=text)
        return text_message(given, cast(str, text), message_id=message_id)
    if text is not None or message_id is not None:
        raise TypeError("an OutgoingMessage has its own text and message id: pass nothing beside it")
    check_form(given)
    return given


def outgoing_message(message: object) -> OutgoingMessage:
    """Return a `Sendable` in the form that is sent. `check_form` checks whether it can be sent. Raises TypeError."""
    match message:
        case OutgoingMessage():
            return message
        case (str(recipient), str(text)):
            return _of_text(recipient, text, None)
    raise TypeError("a message to send is an OutgoingMessage or a tuple of a recipient and a text, both str")


def check_form(message: OutgoingMessage) -> None:
    """Check that both protocols can carry a message. Raises MalformedRequest, InvalidMessageId, TypeError."""
    check_unicode(recipient=message.recipient)
    if not _is_message_id(message.message_id):
        raise InvalidMessageId
    if message.kind != ContentKind.TEXT:
        raise MalformedRequest("kind")
    if type(message.content) is not bytes:
        raise TypeError(f"content must be bytes, not {type(message.content).__name__}")
    try:
        message.content.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequest("text") from error


def are_fit(messages: Sequence[OutgoingMessage]) -> bool:
    """Return whether `check_form` raises nothing for any of `messages`.

    This checks all messages together, which takes a quarter of the time.
    """
    recipients, ids, contents, kinds = zip(*messages, strict=True)
    if {*map(type, ids), *map(type, contents)} != {bytes} or {*kinds} != {ContentKind.TEXT}:
        return False
    if {*map(len, ids)} != {MESSAGE_ID_SIZE} or NO_MESSAGE_ID in ids:
        return False
    try:
        "".join(recipients).encode()
        # The line break keeps a content from completing a character that was cut off in the content before it.
        b"\n".join(contents).decode()
    except (UnicodeError, TypeError):
        return False
    return True


def _is_message_id(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == MESSAGE_ID_SIZE and value != NO_MESSAGE_ID


def _of_text(recipient: str, text: str, message_id: bytes | None) -> OutgoingMessage:
    # Lone surrogates become bytes that are not UTF-8. So `check_form` refuses them as it refuses such content.
    content = text.encode(errors="surrogatepass")
    return OutgoingMessage(recipient, new_message_id() if message_id is None else message_id, content)
