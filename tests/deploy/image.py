"""Reading the Dockerfile, and the files that it sees."""

from __future__ import annotations

import json
import re
import shutil
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, each with its words."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [(name, words.strip()) for name, _, words in (line.partition(" ") for line in lines if line.strip())]


def words_of(wanted: str) -> list[str]:
    """Return the words of each instruction of that name."""
    return [words for name, words in instructions() if name == wanted]


def listed(words: str) -> list[str]:
    """Return the words of an instruction in its JSON form."""
    found: list[str] = json.loads(words[words.index("[") :])
    return found


def variables() -> dict[str, str]:
    """Return the environment of the container."""
    return dict(pair.split("=", 1) for words in words_of("ENV") for pair in words.split())


def copied() -> list[str]:
    """Return the files and folders of the tree that the image is built from."""
    return [source for words in words_of("COPY") if not words.startswith("--from=") for source in words.split()[:-1]]


def is_ignored(path: str) -> bool:
    """Return whether .dockerignore hides a file of the tree. The last line that fits decides."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        parents = [*map(str, Path(path).parents), path]
        names = Path(path).parts if "**/" in line else parents
        if line and not line.startswith("#") and any(fnmatch(name, pattern) for name in names):
            ignored = not line.startswith("!")
    return ignored


def copy_sources(target: Path) -> None:
    """Copy what the build sees of the tree into a folder."""
    for source in copied():
        files = [path for path in (ROOT / source).rglob("*") if path.is_file()] or [ROOT / source]
        for path in files:
            name = path.relative_to(ROOT)
            if not is_ignored(str(name)):
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target / name)
