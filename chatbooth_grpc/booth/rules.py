"""What is well formed: usernames, passwords, texts, message ids and session tokens."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from chatbooth_grpc.booth.errors import (
    EmptyText,
    InvalidMessageId,
    InvalidPassword,
    InvalidPrefix,
    InvalidUsername,
    TextTooLong,
)
from chatbooth_grpc.booth.model import OutgoingMessage

MIN_PASSWORD_SIZE = 8
MAX_PASSWORD_SIZE = 1024
MESSAGE_ID_SIZE = 16
TOKEN_SIZE = 16

_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_PREFIX = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_.-]{0,31})?")
_NO_MESSAGE_ID = bytes(MESSAGE_ID_SIZE)
_LONGEST_DECOMPOSITION = 4  # characters that NFC may make one of


@lru_cache(maxsize=4_096)  # of names that are names: an error is not kept
def folded_username(username: str, field: str = "username") -> str:
    """Return the username as it is stored: in lower case. Raises InvalidUsername, naming `field`."""
    if not _USERNAME.fullmatch(username):
        raise InvalidUsername(field)
    return username.lower()


def folded_prefix(prefix: str) -> str:
    """Return a prefix of usernames, perhaps empty, in lower case. Raises InvalidPrefix."""
    if not _PREFIX.fullmatch(prefix):
        raise InvalidPrefix
    return prefix.lower()


def normal_password(password: str) -> bytes:
    """Return the bytes of a password in Unicode's NFC form, so that every keyboard's spelling of it is the same.

    One that is too long in every form is left as it is: normalizing can take the square of its length, under the GIL.
    """
    if len(password) > _LONGEST_DECOMPOSITION * MAX_PASSWORD_SIZE:
        return password.encode()
    return unicodedata.normalize("NFC", password).encode()


def checked_new_password(password: str, field: str) -> bytes:
    """Return the bytes of a password to set. Raises InvalidPassword, naming `field`."""
    normal = normal_password(password)
    if not MIN_PASSWORD_SIZE <= len(normal) <= MAX_PASSWORD_SIZE:
        raise InvalidPassword(field, MIN_PASSWORD_SIZE, MAX_PASSWORD_SIZE)
    return normal


def check_outgoing(message: OutgoingMessage, text_size: int) -> None:
    """Check a message's id and text. Raises InvalidMessageId, EmptyText, TextTooLong."""
    if len(message.message_id) != MESSAGE_ID_SIZE or message.message_id == _NO_MESSAGE_ID:
        raise InvalidMessageId
    if not message.content:
        raise EmptyText
    if len(message.content) > text_size:
        raise TextTooLong(len(message.content), text_size)
