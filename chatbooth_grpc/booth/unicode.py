"""Strings that UTF-8 cannot encode are refused before they reach a transport or a file."""

from __future__ import annotations

from chatbooth_grpc.booth.errors import MalformedRequest


def check_unicode(**strings: object) -> None:
    """Raise MalformedRequest, naming the first of `strings` that UTF-8 cannot encode; TypeError for what is no str."""
    for field, string in strings.items():
        if not isinstance(string, str):
            raise TypeError(f"{field} must be str, not {type(string).__name__}")
        try:
            string.encode()
        except UnicodeEncodeError as error:
            raise MalformedRequest(field) from error
