"""The files and headings that CONTRIBUTING.md names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORDS = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`([\w.]+(?:/[\w.]+)*(?:/|\.py|\.md|\.sh|\.sql|\.toml|\.txt|\.yml|\.binpb))`", WORDS)))
EXAMPLES = {"NAME.py", "test_NAME.py", "NNNN_name.sql"}


def exists(path: str) -> bool:
    """Return whether the tree or the package has a file of that path. A bare name may be anywhere."""
    if (ROOT / path).exists() or (ROOT / "chatbooth_grpc" / path).exists():
        return True
    folders = ("chatbooth_grpc", "tests")
    return any(found.is_file() for folder in folders for found in (ROOT / folder).rglob(path))


@pytest.mark.parametrize("path", PATHS)
def test_a_named_file_exists(path: str) -> None:
    assert Path(path).name in EXAMPLES or exists(path)


def test_files_are_named() -> None:
    assert len(PATHS) > 40
    assert not exists("booth/gone.py")
