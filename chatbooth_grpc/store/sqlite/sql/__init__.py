"""The store's SQL: numbered migrations, and named statements in a file."""

from __future__ import annotations

import re
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n?", re.MULTILINE)
_MIGRATION = re.compile(r"(\d{4})_\w+\.sql")


def load_statements(filename: str) -> dict[str, str]:
    """Read a file of statements into {name: statement}, without comments. A line `-- name: NAME` heads each."""
    parts = _NAME.split(_read(filename))
    return {name: _COMMENT.sub("", text).strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def load_migrations() -> list[tuple[int, str]]:
    """Read the migrations as (number, script), in order. A file NNNN_name.sql migrates from NNNN - 1 to NNNN."""
    names = (entry.name for entry in resources.files(__name__).iterdir())
    found = sorted((int(match[1]), match[0]) for match in map(_MIGRATION.fullmatch, names) if match)
    return [(number, _read(name)) for number, name in found]


def _read(filename: str) -> str:
    return (resources.files(__name__) / filename).read_text(encoding="utf-8")


# The statements of the SQLite store, by name.
SQL = load_statements("sqlite.sql")

# The statements by which an administrator looks at a store, by name.
ADMIN_SQL = load_statements("administration.sql")
