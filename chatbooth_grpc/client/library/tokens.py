"""The session of a token, for a client that has the token's text alone."""

from __future__ import annotations

from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.booth.rules import token_from_hex

_UNKNOWN_EPOCH = b""


def session_of_token(text: str) -> Session:
    """Return the session of a token's text: 32 hex digits, and perhaps space around them. Raises SessionInvalid.

    The text does not say which account the token belongs to, so the session has no username.
    """
    return Session(token_from_hex(text.strip()), 0, "", _UNKNOWN_EPOCH)
