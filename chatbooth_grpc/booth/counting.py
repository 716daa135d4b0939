"""Counts in words: one message, 1,000 messages."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """Return a number with a noun, whose plural ends in an s: `1 message`, `48,211 messages`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
