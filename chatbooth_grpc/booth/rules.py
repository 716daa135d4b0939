"""The rules for usernames, passwords, texts, message ids and session tokens."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from chatbooth_grpc.booth.errors import (
    EmptyText,
    InvalidLabel,
    InvalidMessageId,
    InvalidPassword,
    InvalidPrefix,
    InvalidTokenLimits,
    InvalidUsername,
    SessionInvalid,
    TextTooLong,
    UnknownContentKind,
)
from chatbooth_grpc.booth.model import ContentKind, OutgoingMessage
from chatbooth_grpc.booth.tokens import TokenLimits

MIN_PASSWORD_SIZE = 8
MAX_PASSWORD_SIZE = 1024
MESSAGE_ID_SIZE = 16
NO_MESSAGE_ID = bytes(MESSAGE_ID_SIZE)
"""No id may have this value, because a decoder returns it for a field that the client left out."""
MAX_LABEL_LENGTH = 64
"""The most characters of a session's label."""
TOKEN_SIZE = 16
NO_TOKEN = bytes(TOKEN_SIZE)
"""Stands for no token, where the wire protocol needs 16 bytes."""

_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_PREFIX = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_.-]{0,31})?")
_TOKEN_DIGITS = re.compile(r"[0-9A-Fa-f]{32}")
_HEX = re.compile(r"[0-9A-Fa-f]*")
_BASE64_TOKEN = re.compile(r"[A-Za-z0-9+/_-]{22}(?:==)?")
_BASE64_DIGITS = re.compile(r"[A-Za-z0-9+/_-]+")
# NFC makes one character of at most this many.
_LONGEST_DECOMPOSITION = 4


@lru_cache(maxsize=4_096)  # an error is not cached
def folded_username(username: str, field: str = "username") -> str:
    """Return the username in lower case, as it is stored. Raises InvalidUsername, which names `field`."""
    if not _USERNAME.fullmatch(username):
        raise InvalidUsername(field)
    return username.lower()


def folded_prefix(prefix: str) -> str:
    """Return a prefix of usernames in lower case. It may be empty. Raises InvalidPrefix."""
    if not _PREFIX.fullmatch(prefix):
        raise InvalidPrefix
    return prefix.lower()


def normal_password(password: str) -> bytes:
    """Return the bytes of a password in Unicode's NFC form, so that it is the same from every keyboard.

    A password that is too long in every form stays as it is. To normalize it could take time that grows with the square
    of its length, and hold the interpreter's lock meanwhile.
    """
    if len(password) > _LONGEST_DECOMPOSITION * MAX_PASSWORD_SIZE:
        return password.encode()
    return unicodedata.normalize("NFC", password).encode()


def checked_new_password(password: str, field: str) -> bytes:
    """Return the bytes of a password to set. Raises InvalidPassword, which names `field`."""
    normal = normal_password(password)
    if not MIN_PASSWORD_SIZE <= len(normal) <= MAX_PASSWORD_SIZE:
        raise InvalidPassword(field, MIN_PASSWORD_SIZE, MAX_PASSWORD_SIZE)
    return normal


def check_outgoing(message: OutgoingMessage, text_size: int) -> None:
    """Check a message's id and content. Raises InvalidMessageId, UnknownContentKind, EmptyText, TextTooLong."""
    if len(message.message_id) != MESSAGE_ID_SIZE or message.message_id == NO_MESSAGE_ID:
        raise InvalidMessageId
    if message.kind != ContentKind.TEXT:
        raise UnknownContentKind(message.kind)
    if not message.content:
        raise EmptyText
    if len(message.content) > text_size:
        raise TextTooLong(len(message.content), text_size)


def check_label(label: str, *, is_required: bool = False) -> None:
    """Check the label of a session. Raises InvalidLabel."""
    if len(label) > MAX_LABEL_LENGTH or not label.isprintable() or (is_required and not label.strip()):
        raise InvalidLabel(MAX_LABEL_LENGTH, minimum=int(is_required))


def checked_limits(limits: TokenLimits) -> TokenLimits:
    """Return the limits with the recipient in lower case. Raises InvalidTokenLimits, InvalidUsername."""
    if not (limits.may_read or limits.may_send) or (limits.recipient and not limits.may_send):
        raise InvalidTokenLimits
    recipient = folded_username(limits.recipient, "recipient") if limits.recipient else ""
    return TokenLimits(limits.may_read, limits.may_send, recipient)


def check_token(token: object) -> None:
    """Check the form of a session's token. Raises SessionInvalid, which says what is wrong with the token."""
    if not token or token == NO_TOKEN:
        raise SessionInvalid("MISSING")
    if not isinstance(token, bytes):
        raise SessionInvalid("NOT_BYTES")
    if len(token) != TOKEN_SIZE:
        raise SessionInvalid(_problem_of_bytes(token))


def token_from_hex(digits: str) -> bytes:
    """Return the token that 32 hex digits stand for. Raises SessionInvalid, which says what is wrong with them."""
    if _TOKEN_DIGITS.fullmatch(digits):
        return bytes.fromhex(digits)
    if not digits:
        raise SessionInvalid("MISSING")
    if _is_base64(digits):
        raise SessionInvalid("BASE64")
    raise SessionInvalid("WRONG_SIZE" if _HEX.fullmatch(digits) else "NOT_HEX")


def problem_of_unknown(token: bytes) -> str:
    """Return the likely fault of a well-formed token that no session has. Empty if there is no sign of a fault.

    A wire client that writes its token as text sends the first 16 bytes of that text. One random token in four billion
    looks like that.
    """
    text = token.decode("ascii", "replace")
    if _HEX.fullmatch(text):
        return "HEX"
    return "BASE64" if _BASE64_DIGITS.fullmatch(text) else ""


def _problem_of_bytes(token: bytes) -> str:
    text = token.decode("ascii", "replace")
    if _TOKEN_DIGITS.fullmatch(text):
        return "HEX"
    return "BASE64" if _is_base64(text) else "WRONG_SIZE"


def _is_base64(text: str) -> bool:
    """Return whether text is a token in base64, in either alphabet, with or without padding."""
    return bool(_BASE64_TOKEN.fullmatch(text)) and not _HEX.fullmatch(text)
