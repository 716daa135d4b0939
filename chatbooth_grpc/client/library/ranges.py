"""Checking the numbers that a program passes, before they reach a transport."""

from __future__ import annotations

MAX_SEQUENCE = (1 << 64) - 1
"""The largest sequence that both protocols carry."""

MAX_COUNT = (1 << 32) - 1
"""The largest number of messages or names that both protocols carry."""


def check_range(most: int, **numbers: object) -> None:
    """Check that each of `numbers` is a whole number from 0 to `most`. Raises TypeError, ValueError."""
    for name, number in numbers.items():
        if not isinstance(number, int):
            raise TypeError(f"{name} must be int, not {type(number).__name__}")
        if not 0 <= number <= most:
            raise ValueError(f"{name} is {number}, but must be from 0 to {most}")
