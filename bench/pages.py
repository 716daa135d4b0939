"""Figures' places in the pages of docs: between two marks, with prose around them that stays as it is."""

from __future__ import annotations

import re
from pathlib import Path


def marks(name: str) -> tuple[str, str]:
    """Return the two lines that a page has figures between."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def write_between(page: Path, name: str, figures: str) -> None:
    """Put Markdown between the marks of that name. Raises ValueError: the page has none."""
    begin, end = marks(name)
    text = page.read_text(encoding="utf-8")
    text, found = re.subn(f"{begin}.*?{end}", lambda _: f"{begin}\n\n{figures}\n{end}", text, flags=re.DOTALL)
    if not found:
        raise ValueError(f"{page} has no {begin} with its end: put both where the figures shall stand")
    page.write_text(text, encoding="utf-8")
