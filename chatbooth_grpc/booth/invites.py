"""Invites: the codes with which people may sign up, and their records."""

from __future__ import annotations

import enum
import hashlib
import secrets
from dataclasses import dataclass
from typing import NamedTuple

from chatbooth_grpc.booth.errors import InvalidInvite

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32, which leaves out I, L, O and U."""

# 28 characters of 5 random bits each are 140 bits.
_GROUPS = 7
_GROUP_SIZE = 4
CODE_LENGTH = _GROUPS * _GROUP_SIZE

# People may read these letters in place of the digits.
_LOOK_ALIKES = str.maketrans("OIL", "011")
_SEPARATORS = str.maketrans("", "", "- \t\r\n")
_LONGEST_TYPED = 256

DEFAULT_USES = 1
MAX_USES = 1_000_000
DEFAULT_LIFETIME = 7 * 86_400.0
"""How long a code is good, in seconds."""

MAX_LIFETIME = 10 * 365 * 86_400.0
MAX_NOTE_LENGTH = 200
"""The most characters of an administrator's note."""

KEPT_AFTER_END = 30 * 86_400.0
"""How long the record of an invite is kept after its end, in seconds."""


class InviteState(enum.IntEnum):
    """Whether an invite is good. The numbers are the .proto's."""

    UNSPECIFIED = 0
    """A state of a newer server that this version does not know."""
    OPEN = 1
    """People may sign up with it."""
    USED_UP = 2
    """It has been used as often as it may be."""
    EXPIRED = 3
    """Its time is over."""
    REVOKED = 4
    """An administrator has revoked it."""

    @classmethod
    def _missing_(cls, _value: object) -> InviteState:
        return cls.UNSPECIFIED


class NewInvite(NamedTuple):
    """An invite that is to be made. None as `lifetime`, in seconds, gives it no end."""

    code_hash: bytes
    max_uses: int = DEFAULT_USES
    lifetime: float | None = DEFAULT_LIFETIME
    note: str = ""


@dataclass(frozen=True, slots=True)
class Invite:
    """The record of an invite, without its code. Times are in microseconds since 1970 UTC."""

    invite_id: int
    """The invite's number, from 1. It is no secret, and is never given to another invite."""
    note: str
    """The words of the administrator who made it. Empty if there are none."""
    state: InviteState
    max_uses: int
    """How many people may sign up with it."""
    uses: int
    """How many have."""
    create_time: int
    end_time: int | None
    """When it expires, or when its last use or an administrator has ended it. None: never."""


def new_code() -> str:
    """Return a code that nobody can guess, such as 7KQ4-M2X9-…"""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(_GROUP_SIZE)) for _ in range(_GROUPS))
    return "-".join(groups)


def hash_code(code: str) -> bytes | None:
    """Return the hash of a code as a person types it, which a store keeps. None: no code looks like this.

    Case, dashes and blanks do not matter. The code's 140 random bits need no salt and no slow hash.
    """
    if len(code) > _LONGEST_TYPED or not code.isascii():
        return None
    normal = code.upper().translate(_SEPARATORS).translate(_LOOK_ALIKES)
    if len(normal) != CODE_LENGTH or not set(normal) <= set(ALPHABET):
        return None
    return hashlib.sha256(normal.encode("ascii")).digest()


def check_new_invite(new: NewInvite) -> None:
    """Check what an administrator asks for. Raises InvalidInvite."""
    if not 1 <= new.max_uses <= MAX_USES:
        raise InvalidInvite("max_uses")
    if new.lifetime is not None and not 0 < new.lifetime <= MAX_LIFETIME:
        raise InvalidInvite("lifetime")
    if len(new.note) > MAX_NOTE_LENGTH or not new.note.isprintable():
        raise InvalidInvite("note")
