"""The statements of the SQLite store: each has a name, an explanation and a use."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest

from chatbooth_grpc.store.sqlite import sql
from chatbooth_grpc.store.sqlite.sql import ADMIN_SQL, SQL, load_statements

STORE = Path(sql.__file__).parents[1]
FILES = {"sqlite.sql": SQL, "administration.sql": ADMIN_SQL}
EXPLAINED = re.compile(r"^-- name: (\w+)\n-- (?!name: )\S", re.MULTILINE)


def explained(text: str) -> list[str]:
    """Return the names that a line of explanation follows."""
    return EXPLAINED.findall(text)


@pytest.mark.parametrize("name", FILES)
def test_each_statement_has_a_line_that_explains_it(name: str) -> None:
    text = (resources.files(sql) / name).read_text(encoding="utf-8")
    assert explained(text) == list(FILES[name])
    assert len(set(FILES[name])) == len(FILES[name]) == text.count("-- name: ")


def test_a_statement_without_one_is_found() -> None:
    assert explained("-- name: a\n-- What it is for.\nSELECT 1\n\n-- name: b\nSELECT 2\n") == ["a"]


@pytest.mark.parametrize("name", [*SQL, *ADMIN_SQL])
def test_each_statement_is_used(name: str) -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in STORE.rglob("*.py"))
    assert f'"{name}"' in sources


def test_a_statement_is_loaded_without_its_comments() -> None:
    assert SQL["begin_log"] == "UPDATE store SET log_base = generation"
    assert not any("--" in text for name in FILES for text in load_statements(name).values())
