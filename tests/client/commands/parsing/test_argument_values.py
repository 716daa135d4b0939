"""The values of arguments: which ones each function accepts, and the words of a refusal."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable

import pytest

from chatbooth_grpc.client.commands.parsing import argument_values as values


@pytest.mark.parametrize(
    ("convert", "text", "value"),
    [
        (values.words, "caf\u00e9 -h", "caf\u00e9 -h"),
        (values.server, "H", "h:50051"),
        (values.seconds, "0.25", 0.25),
        (values.seconds, "86400", 86_400.0),
        (values.message_id, "0193a000-0000-7000-8000-0000000000aa", bytes.fromhex("0193a0000000700080000000000000aa")),
        (values.sequence, "0", 0),
        (values.sequence, str((1 << 63) - 1), (1 << 63) - 1),
        (values.count, "1", 1),
    ],
)
def test_a_good_word_is_converted(convert: Callable[[str], object], text: str, value: object) -> None:
    assert convert(text) == value


@pytest.mark.parametrize(
    ("convert", "text", "words"),
    [
        (values.words, "caf\udce9", "is not UTF-8"),
        (values.server, "http://h", "is not a server.s address"),
        (values.seconds, "0", "is not a number of seconds"),
        (values.seconds, "86401", "is not a number of seconds"),
        (values.seconds, "nan", "is not a number of seconds"),
        (values.seconds, "soon", "is not a number of seconds"),
        (values.message_id, "0" * 32, "is not 32 hex digits"),
        (values.message_id, "xyz", "is not 32 hex digits"),
        (values.sequence, "-1", "is not a whole number from 0"),
        (values.sequence, str(1 << 63), "is not a whole number from 0"),
        (values.sequence, "\u00b2", "is not a whole number from 0"),
        (values.count, "0", "is not a whole number from 1"),
    ],
)
def test_a_wrong_word_is_refused_in_words(convert: Callable[[str], object], text: str, words: str) -> None:
    with pytest.raises(ArgumentTypeError, match=words):
        convert(text)
