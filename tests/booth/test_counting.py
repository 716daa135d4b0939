"""A count of one has a noun in the singular."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.counting import counted


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 messages"), (1, "1 message"), (2, "2 messages"), (48_211, "48,211 messages")]
)
def test_a_count_fits_its_noun(number: int, words: str) -> None:
    assert counted(number, "message") == words
