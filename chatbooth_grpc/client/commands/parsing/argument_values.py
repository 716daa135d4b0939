"""Converting words of the command line: addresses, seconds, ids, numbers and texts."""

from __future__ import annotations

import math
import os
from argparse import ArgumentTypeError

from chatbooth_grpc.booth.message_ids import decode_message_id
from chatbooth_grpc.server_address import normal_address


def words(text: str) -> str:
    """Return a text or name as it is. Raises ArgumentTypeError if it is not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ArgumentTypeError(f"{text!r} is not UTF-8 (in this locale)") from error
    return text


def server(text: str) -> str:
    """Return a server's normal address."""
    try:
        return normal_address(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def fingerprint(text: str) -> str:
    """Return a certificate's fingerprint."""
    # It is seldom given.
    from chatbooth_grpc.tls.fingerprints import normal_fingerprint

    try:
        return normal_fingerprint(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def file(text: str) -> str:
    """Return the path of a file that can be read."""
    if not os.access(text, os.R_OK):
        raise ArgumentTypeError(f"{text!r} is not a file that can be read")
    return text


def seconds(text: str) -> float:
    """Return a time limit."""
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not 0 < limit <= 86_400:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds, above 0 and up to 86400")
    return limit


def lifetime(text: str) -> int:
    """Return the whole seconds of a duration, at least 1."""
    # It is seldom given.
    from chatbooth_grpc.booth.tokens import MAX_LIFETIME
    from chatbooth_grpc.durations import duration

    found = duration(text)
    if not 1 <= found <= MAX_LIFETIME:
        raise ArgumentTypeError(f"{text!r} is not a time from 1s to 36500d")
    return int(found)


def message_id(text: str) -> bytes:
    """Return a message's id."""
    try:
        return decode_message_id(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def sequence(text: str) -> int:
    """Return a message's number, or 0."""
    return _whole_number(text, 0)


def count(text: str) -> int:
    """Return a number of messages, at least 1."""
    return _whole_number(text, 1)


def _whole_number(text: str, least: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) < 1 << 63):
        raise ArgumentTypeError(f"{text!r} is not a whole number from {least}")
    return int(text)
