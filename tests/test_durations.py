"""Durations as people write them."""

from __future__ import annotations

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.durations import duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0.0),
        ("1", 1.0),
        ("0.5", 0.5),
        ("250ms", 0.25),
        ("10s", 10.0),
        ("2m", 120.0),
        ("1.5 h", 5_400.0),
        (" 30d ", 30 * 86_400.0),
    ],
)
def test_durations(text: str, expected: float) -> None:
    assert duration(text) == expected


@given(st.integers(0, 10**15))
def test_whole_numbers_are_seconds(number: int) -> None:
    assert duration(str(number)) == float(number)


@pytest.mark.parametrize("text", ["", "x", "-1s", "1.", ".5", "1 week", "1M", "1S", "inf", "nan", "1e3", "1h30m"])
def test_a_word_that_is_not_a_duration_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="not a duration; write"):
        duration(text)
