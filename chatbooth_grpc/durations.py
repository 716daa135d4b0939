"""Durations as people write them in the flags of every command."""

from __future__ import annotations

import argparse
import re

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(|ms|s|m|h|d)")
_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def duration(text: str) -> float:
    """Read a duration in seconds: a number, optionally followed by ms, s, m, h or d. Raises ArgumentTypeError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; write seconds, or a number and ms, s, m, h or d")
    return float(match[1]) * _UNITS[match[2]]
