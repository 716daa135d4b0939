"""Refuses strings that UTF-8 cannot encode before they reach a transport or a file."""

from __future__ import annotations

from chatbooth_grpc.booth.errors import MalformedRequest


def check_unicode(**strings: object) -> None:
    """Check that UTF-8 can encode all of `strings`.

    Raises MalformedRequest, which names the first that it cannot encode, and TypeError if a value is no str.
    """
    for field, string in strings.items():
        if not isinstance(string, str):
            raise TypeError(f"{field} must be str, not {type(string).__name__}")
        try:
            string.encode()
        except UnicodeEncodeError as error:
            raise MalformedRequest(field) from error
