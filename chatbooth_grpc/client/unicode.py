"""Strings that UTF-8 cannot encode are refused before they reach a transport or a file."""

from __future__ import annotations

from chatbooth_grpc.booth.errors import MalformedRequest


def check_unicode(**strings: str) -> None:
    """Raise MalformedRequest, naming the first of `strings` that UTF-8 cannot encode."""
    for field, string in strings.items():
        try:
            string.encode()
        except UnicodeEncodeError as error:
            raise MalformedRequest(field) from error
