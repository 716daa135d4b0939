"""Sizes as people write them."""

from __future__ import annotations

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.server.units import size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1", 1),
        ("1048576", 1 << 20),
        ("1B", 1),
        ("4KiB", 4096),
        ("4 kib", 4096),
        (" 1MiB ", 1 << 20),
        ("2GiB", 2 << 30),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    assert size(text) == expected


@given(st.integers(0, 10**15))
def test_whole_numbers_are_bytes(number: int) -> None:
    assert size(str(number)) == number


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "1KB", "1MB", "1 M", "1e6", "0x10", "1KiB2", "MiB", "1\n2"])
def test_a_word_that_is_not_a_size_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="not a size; write"):
        size(text)
