r"""Finds the names that an RE2 pattern matches, in a text with a name on each line.

To search each name by itself costs a call into RE2 and a Python object for each name. So one search goes over all
lines, and each of its matches is a run of neighbouring lines. A line is in a match exactly when the pattern finds the
name on that line by itself:

- `never_nl` keeps the pattern inside one line, even if the pattern itself allows newlines.
- `(?m)` makes `^` and `$` match at the ends of a line. For a name by itself they match at the ends of the name.
- For `\b` and `\B`, a newline is like the end of a text: it is no word character.

`_TIED_TO_THE_TEXT` finds the exceptions. These patterns are tried on one name after another. So are the patterns that
RE2 refuses in this form, such as a `\Q` without its `\E`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import re2

from chatbooth_grpc.booth.errors import InvalidPattern

MAX_PATTERN_SIZE = 1_000

_TIED_TO_THE_TEXT = re.compile(r"\\[AzC]|\(\?[a-zA-Z]*-[a-zA-Z]*m")
r"""`\A`, `\z`, and `^` or `$` after `(?-m)` know no lines. `\C` matches even a newline.

An escaped backslash before one of these letters looks the same here. Such a pattern is only searched for more slowly.
"""

_RUN_OF_LINES = r"(?m)(?:^.*(?:%s).*$\C?)+"
r"""`\C` matches the newline, which `never_nl` keeps from everything else. It follows `$`, and `^` follows it."""

_MAX_PIECE_SIZE = 32_768
_MAX_PIECE_WORK = 2_000_000
"""The most bytes times instructions of the pattern's program. At up to 10 ns each, that is 20 ms at worst."""

Find = Callable[[bytes], list[str]]


class NameSearch:
    """Finds names by a pattern, ignoring case. The empty pattern finds every name.

    Names are ASCII. They are joined by newlines in a text, which is never empty.
    """

    def __init__(self, pattern: str) -> None:
        """Raises InvalidPattern."""
        self._piece_size = _MAX_PIECE_SIZE
        self.find: Find = _every_name
        """Return the names of a text that the pattern finds."""
        if pattern:
            self._compile(pattern)

    def pieces(self, names: bytes) -> Iterator[bytes]:
        """Cut a text into texts that RE2 searches in milliseconds each, because it cannot be interrupted."""
        start = 0
        while start < len(names):
            end = names.find(b"\n", start + self._piece_size)
            if end < 0:
                end = len(names)
            yield names[start:end]
            start = end + 1

    def _compile(self, pattern: str) -> None:
        if len(pattern.encode()) > MAX_PATTERN_SIZE:
            raise InvalidPattern(f"it has more than {MAX_PATTERN_SIZE:,} bytes")
        try:
            compiled = re2.compile(pattern, _options())
        except re2.error as error:
            raise InvalidPattern(_problem(error)) from error
        lines = _compiled_for_lines(pattern)
        self.find = _name_by_name(compiled) if lines is None else _run_by_run(lines)
        self._piece_size = min(_MAX_PIECE_SIZE, _MAX_PIECE_WORK // (lines or compiled).programsize)


def _every_name(names: bytes) -> list[str]:
    return names.decode().split("\n")


def _name_by_name(compiled: Any) -> Find:
    search = compiled.search

    def find(names: bytes) -> list[str]:
        return [name.decode() for name in names.split(b"\n") if search(name)]

    return find


def _run_by_run(lines: Any) -> Find:
    def find(names: bytes) -> list[str]:
        return b"\n".join([run[0] for run in lines.finditer(names)]).decode().split()

    return find


def _compiled_for_lines(pattern: str) -> Any:
    """Return a compiled pattern that finds runs of lines, made from a valid pattern. None if there is no such form."""
    if _TIED_TO_THE_TEXT.search(pattern):
        return None
    options = _options()
    options.never_nl = True
    options.never_capture = True
    options.longest_match = True
    try:
        return re2.compile(_RUN_OF_LINES % pattern, options)
    except re2.error:
        # The pattern was close to a limit of RE2.
        return None


def _options() -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    return options


def _problem(error: Exception) -> str:
    """Return RE2's own words for the problem of a pattern."""
    words = error.args[0] if error.args else "it is malformed"
    return words.decode(errors="replace") if isinstance(words, bytes) else str(words)
