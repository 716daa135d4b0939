"""Sizes and rates as people write them in flags."""

from __future__ import annotations

import argparse
import re

from chatbooth_grpc.booth.rates import Rate
from chatbooth_grpc.durations import duration

_SIZE = re.compile(r"(\d+)\s*(|B|KiB|MiB|GiB)", re.IGNORECASE)
_SIZE_UNITS = {"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_RATE = re.compile(r"(\d+)/([^:]+)(?::(\d+))?")


def whole_number(text: str) -> int:
    """Read a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def size(text: str) -> int:
    """Read a size in bytes: a whole number, optionally followed by KiB, MiB or GiB."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write bytes, or a number and KiB or MiB")
    return int(match[1]) * _SIZE_UNITS[match[2].lower()]


def rate(text: str) -> Rate | None:
    """Read a rate: COUNT/TIME, such as 10/h or 200/s, optionally followed by :BURST. 0 means no limit."""
    if text.strip() == "0":
        return None
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate; write COUNT/TIME or COUNT/TIME:BURST, such as 10/h")
    count, burst = int(match[1]), int(match[3] or match[1])
    seconds = duration(match[2] if match[2][0].isdigit() else f"1{match[2]}")
    if not (count and burst and seconds):
        raise argparse.ArgumentTypeError(f"{text!r} would allow nothing; 0 alone means no limit")
    return Rate(count, seconds, burst)
