"""Each link of the documents leads to a file of the tree, and to a heading of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / ".github").rglob("*.md")])


def broken_links(words: str, folder: Path, headings: set[str]) -> set[str]:
    """Return the links that lead nowhere. `folder` has the document, and `headings` are its own."""
    return {
        target
        for target in re.findall(r"\]\(([^)\s]+)\)", words)
        if not target.startswith("http") and not leads_somewhere(target, folder, headings)
    }


def leads_somewhere(target: str, folder: Path, headings: set[str]) -> bool:
    """Return whether a file of that path exists, and has the heading if one is named."""
    path, _, heading = target.partition("#")
    if not path:
        return heading in headings
    found = folder / path
    return found.exists() and (not heading or heading in headings_of(found.read_text(encoding="utf-8")))


def headings_of(words: str) -> set[str]:
    """Return the headings of a document, as links name them."""
    lines = re.findall(r"^#+ (.+)$", words, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_link_leads_somewhere(document: Path) -> None:
    words = document.read_text(encoding="utf-8")
    assert broken_links(words, document.parent, headings_of(words)) == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_named_path_exists(document: Path) -> None:
    assert [path for path in named_paths(document.read_text(encoding="utf-8")) if not is_there(path)] == []


def named_paths(words: str) -> list[str]:
    """Return the files in folders that a document names in backquotes."""
    return re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|sql|sh|md|proto|binpb))`", words)


def is_there(path: str) -> bool:
    """Return whether a file is in the tree or in the package. A name in capitals stands for any."""
    folders = (ROOT, ROOT / "chatbooth_grpc", ROOT / "chatbooth_grpc" / "client" / "commands")
    return any((folder / path).exists() for folder in folders) or bool(re.search("NAME|NNNN", path))


def test_a_path_that_does_not_exist_is_found() -> None:
    assert [is_there(path) for path in named_paths("`booth/gone.py` `booth/rules.py` `rules.py`")] == [False, True]


def test_all_documents_are_read() -> None:
    names = {document.name for document in DOCUMENTS}
    assert names >= {"README.md", "CONTRIBUTING.md", "SECURITY.md", "design.md", "pull_request_template.md"}


@pytest.mark.parametrize("target", ["docs/gone.md", "#gone", "README.md#gone"])
def test_a_broken_link_is_found(target: str) -> None:
    assert broken_links(f"[words]({target})", ROOT, {"here"}) == {target}
