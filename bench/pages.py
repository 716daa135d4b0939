"""Writes figures into the pages of docs, between two marks, and leaves the rest."""

from __future__ import annotations

import re
from pathlib import Path


def marks(name: str) -> tuple[str, str]:
    """Return the two lines between which a page has its figures."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def write_between(page: Path, name: str, figures: str) -> None:
    """Put Markdown between the marks of that name. Raises ValueError if the page has no such marks."""
    begin, end = marks(name)
    text = page.read_text(encoding="utf-8")
    text, found = re.subn(f"{begin}.*?{end}", lambda _: f"{begin}\n\n{figures}\n{end}", text, flags=re.DOTALL)
    if not found:
        raise ValueError(f"{page} has no {begin} with its end: put both where the figures shall stand")
    page.write_text(text, encoding="utf-8")
