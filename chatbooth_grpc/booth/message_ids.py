"""Message ids: UUIDv7, which is unique and grows with time, and how people write one."""

from __future__ import annotations

import re
import sys

_HEX_ID = re.compile("[0-9A-Fa-f]{32}")


def new_message_id() -> bytes:
    """Return the 16 bytes of a new UUIDv7."""
    if sys.version_info >= (3, 14):
        from uuid import uuid7
    else:
        # It is imported only when needed, because the import doubles the time that --help takes.
        from uuid_utils import uuid7

    return uuid7().bytes


def decode_message_id(text: str) -> bytes:
    """Return the 16 bytes that 32 hex digits, with or without the dashes of a UUID, stand for. Raises ValueError."""
    digits = text.replace("-", "")
    if not _HEX_ID.fullmatch(digits) or not int(digits, 16):
        raise ValueError(f"{text!r} is not 32 hex digits, not all 0")
    return bytes.fromhex(digits)
