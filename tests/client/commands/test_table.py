"""The table of commands: each has a file, a row, a line in the README and its own test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import chatbooth_grpc.client.commands
from chatbooth_grpc.client.commands import table
from chatbooth_grpc.client.commands.table import COMMANDS, Command, load

ROOT = Path(__file__).parents[3]
FOLDER = Path(chatbooth_grpc.client.commands.__path__[0])


def test_every_file_has_a_row_and_every_row_has_a_file() -> None:
    files = {path.stem for path in FOLDER.glob("*.py") if re.search(r"^COMMAND = ", path.read_text(), re.MULTILINE)}
    assert files == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_row_and_its_file_describe_the_command_in_the_same_words(name: str) -> None:
    command = load(name)
    assert isinstance(command, Command)
    assert command.run.__module__ == f"{table.__package__}.{name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_test_of_its_own_name(name: str) -> None:
    assert (Path(__file__).parent / f"test_{name}.py").exists()


def test_the_readme_has_each_command_with_the_words_of_its_row() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [rows] = re.findall(r"^\| command \| what it does \|\n\|---\|---\|\n((?:\|.*\n)+)", readme, re.MULTILINE)
    assert dict(re.findall(r"^\| `([a-z]+)[^`]*` \| (.*) \|$", rows, re.MULTILINE)) == COMMANDS
    assert list(re.findall(r"^\| `([a-z]+)", rows, re.MULTILINE)) == [*COMMANDS]
