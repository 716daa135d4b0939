"""The sizes along each axis."""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass

from bench.performance.pipelined_load import IN_FLIGHT

BASE_ACCOUNTS = 1_000
"""The number of accounts on the other axes."""


@dataclass(frozen=True)
class Sizes:
    """The sizes along each axis, smallest first, and how many messages pass through one server, in which portions."""

    messages: tuple[int, ...] = (0, 1_000_000, 10_000_000)
    accounts: tuple[int, ...] = (BASE_ACCOUNTS, 1_000_000)
    listeners: tuple[int, ...] = (1, 10_000)
    passing: int = 10_000_000
    passing_each: int = 200_000


QUICK = Sizes(
    messages=(0, 1_000, 2_500),
    accounts=(200, 2_000),
    listeners=(1, 150),
    passing=8 * IN_FLIGHT,
    passing_each=4 * IN_FLIGHT,
)
"""Sizes for a quick try. They are too small for useful figures."""


def ascending(text: str) -> tuple[int, ...]:
    """Read sizes in the form of the command line: `1000,1000000`."""
    try:
        sizes = tuple(map(int, text.split(",")))
    except ValueError:
        sizes = ()
    if len(sizes) < 2 or sizes[0] < 0 or any(size >= larger for size, larger in itertools.pairwise(sizes)):
        raise argparse.ArgumentTypeError(f"{text!r} should be two or more numbers, smallest first: 1000,1000000")
    return sizes
