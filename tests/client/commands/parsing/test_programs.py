"""Finding the command and --json among the words of a program."""

from __future__ import annotations

import pytest

from chatbooth_grpc.client.commands.parsing.programs import asks_for_json, command_index


@pytest.mark.parametrize(
    ("words", "asks"),
    [
        ("--json list", True),
        ("send --json ann hello", True),
        ("send ann -- --json", False),
        ("send --json ann -- --json", True),
        ("list", False),
    ],
)
def test_json_is_a_flag_only_before_the_literal_words(words: str, asks: bool) -> None:
    assert asks_for_json(words.split()) is asks


@pytest.mark.parametrize(
    ("words", "index"),
    [("list", 0), ("--json list", 1), ("--store x list", 2), ("--store=x list", 1), ("--store", 1), ("", 0)],
)
def test_the_command_follows_the_flags_and_their_values(words: str, index: int) -> None:
    assert command_index(words.split(), ["--store"]) == index
