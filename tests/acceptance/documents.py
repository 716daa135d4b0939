"""The examples of a Markdown page: its fenced blocks, and the commands of console blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_ID = re.compile(r"\b[0-9a-f]{32}\b")


@dataclass
class Command:
    """A command of a console block, and the lines that it shows. A prompt has its answer."""

    typed: str
    shown: list[str] = field(default_factory=list)


def blocks(page: str, language: str) -> list[str]:
    """Return a page's blocks in a language, in their order. `page` is a path from the project's folder."""
    return [body for name, body in _BLOCK.findall((ROOT / page).read_text(encoding="utf-8")) if name == language]


def commands(block: str) -> list[Command]:
    """Return the commands of a console block, with the lines that they show."""
    found: list[Command] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Command(line.removeprefix("$ ").partition("  #")[0].rstrip()))
        else:
            found[-1].shown.append(line)
    return found


def pattern(shown: str) -> str:
    """Return a regular expression for a shown line. Times and ids differ, and … stands for any text."""
    escaped = re.escape(_ID.sub("<id>", _TIME.sub("<time>", shown)))
    return escaped.replace("…", ".*").replace("<id>", "[0-9a-f]{32}").replace("<time>", _TIME.pattern)
