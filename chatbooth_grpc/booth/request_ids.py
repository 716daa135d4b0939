"""The id of a request, by which a person finds its line in the server's log."""

from __future__ import annotations

import os

HEADER = "x-request-id"
"""The metadata of gRPC by which a client names its request itself."""

MAX_SIZE = 64
"""The most characters of an id that a client may choose."""


def new_request_id() -> str:
    """Return a new id: 16 hexadecimal digits."""
    return os.urandom(8).hex()


def is_request_id(text: str) -> bool:
    """Whether a client may choose this id. It must be printable ASCII without spaces, so that any log can show it."""
    return 0 < len(text) <= MAX_SIZE and text.isascii() and text.isprintable() and " " not in text
