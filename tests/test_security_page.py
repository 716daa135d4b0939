"""Each protection that SECURITY.md promises names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "SECURITY.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("| threat | protection | test |\n")[2].partition("\n\n")[0].splitlines()[1:]


def is_there(test: str) -> bool:
    """Return whether a test exists, by its path below the folder of the tests."""
    path, _, name = test.partition("::")
    file = TESTS / path
    return file.exists() and f"\ndef {name}(" in file.read_text(encoding="utf-8")


def test_each_protection_names_a_test() -> None:
    assert len(TABLE) > 20
    found = [re.fullmatch(r"\|[^|]+\|[^|]+\| `([\w/.]+::\w+)` \|", row) for row in TABLE]
    assert [row for row, match in zip(TABLE, found, strict=True) if match is None] == []
    assert [match[1] for match in found if match and not is_there(match[1])] == []


def test_a_test_that_does_not_exist_is_found() -> None:
    assert is_there("test_security_page.py::test_each_protection_names_a_test")
    assert not is_there("test_security_page.py::test_each_protection")
    assert not is_there("test_nothing.py::test_each_protection_names_a_test")
