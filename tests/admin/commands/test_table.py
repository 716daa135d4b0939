"""Each row of the table is a file, and each file of a command is a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbooth_grpc.admin.commands import table
from chatbooth_grpc.admin.commands.table import COMMANDS, load

FOLDER = Path(table.__file__).parent


def test_each_file_of_a_command_is_in_the_table() -> None:
    files = {path.stem for path in FOLDER.glob("*.py") if "\nCOMMAND = " in path.read_text(encoding="utf-8")}
    assert files == {name.replace("-", "_") for name in COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_row_is_loaded(name: str) -> None:
    assert callable(load(name).run)
