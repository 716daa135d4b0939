"""The faults that a session's token may have, and the words for each."""

from __future__ import annotations

_EXPECTED = "A token is 16 bytes, not all zero; where it is text, it is written as 32 hex digits."
_TOKEN_PROBLEMS = {
    "": "This session has ended or never was. Log in again.",
    "MISSING": f"The request carries no session token. Log in, and send the token with each request. {_EXPECTED}",
    "NOT_BEARER": "The authorization metadata does not begin with 'Bearer '. Write 'Bearer ' before the token's 32 hex "
    "digits.",
    "WRONG_SIZE": f"The session token has the wrong size. {_EXPECTED}",
    "NOT_HEX": f"The session token holds characters that are not hex digits. {_EXPECTED}",
    "BASE64": f"The session token is written in base64. {_EXPECTED}",
    "HEX": f"The session token is given as hex digits where its bytes are needed. {_EXPECTED}",
    "IN_USE": "Another session has this token already. Draw 16 other bytes at random.",
    "NOT_BYTES": f"The session token is not given as bytes. {_EXPECTED}",
}


def token_advice(problem: str) -> str:
    """Return the words for a problem of SESSION_INVALID. A problem of a newer server has those of an ended session."""
    return _TOKEN_PROBLEMS.get(problem, _TOKEN_PROBLEMS[""])
