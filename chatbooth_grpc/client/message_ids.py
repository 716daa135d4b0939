"""Message ids: UUIDv7, which is unique and grows with time."""

from __future__ import annotations

import sys


def new_message_id() -> bytes:
    """Return the 16 bytes of a new UUIDv7."""
    if sys.version_info >= (3, 14):
        from uuid import uuid7
    else:
        from uuid_utils import uuid7  # imported when needed: it doubles the time that --help takes

    return uuid7().bytes
