r"""Finding the names that an RE2 pattern finds, in a text of many names, a line each.

A search of each name by itself costs a call into RE2 and a Python object for every name, so the search goes over all
lines at once, and its matches are runs of neighbouring lines. A line is in a match just when the pattern finds the
name on it by itself:

- `never_nl` keeps everything that the pattern consumes inside one line, whatever it says of newlines;
- `(?m)` lets its `^` and `$` stand at the ends of a line, where by itself they stand at the ends of the name;
- to `\b` and `\B`, a newline is what the end of a text is: no word character.

`_TIED_TO_THE_TEXT` are the exceptions. Patterns with these are searched for name by name, and so are any that RE2
refuses in this dress, as it does a `\Q` without its `\E`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import re2

from chatbooth_grpc.booth.errors import InvalidPattern

MAX_PATTERN_SIZE = 1_000

_TIED_TO_THE_TEXT = re.compile(r"\\[AzC]|\(\?[a-zA-Z]*-[a-zA-Z]*m")
r"""`\A`, `\z`, and `^` or `$` after `(?-m)` know no lines; `\C` takes even a newline.

An escaped backslash before one of these letters looks the same here; that pattern is only slower for it.
"""

_RUN_OF_LINES = r"(?m)(?:^.*(?:%s).*$\C?)+"
r"""`\C` takes the newline, which `never_nl` keeps from all else: it stands behind `$`, and what follows it is `^`."""

_MAX_PIECE_SIZE = 32_768
_MAX_PIECE_WORK = 2_000_000
"""How many bytes times instructions of the pattern's program: at up to 10 ns each, 20 ms in the worst case."""

Find = Callable[[bytes], list[str]]


class NameSearch:
    """What a pattern finds, ignoring case; the empty pattern finds everything.

    Names are ASCII, in one text, joined by newlines; no text is empty.
    """

    def __init__(self, pattern: str) -> None:
        """Raises InvalidPattern."""
        self._piece_size = _MAX_PIECE_SIZE
        self.find: Find = _every_name
        """Return the names of a text that the pattern finds."""
        if pattern:
            self._compile(pattern)

    def pieces(self, names: bytes) -> Iterator[bytes]:
        """Cut a text into texts that are searched in milliseconds each: RE2 cannot be interrupted."""
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
    """Return what finds the runs of lines that a valid pattern finds; None if there is no such thing."""
    if _TIED_TO_THE_TEXT.search(pattern):
        return None
    options = _options()
    options.never_nl = True
    options.never_capture = True
    options.longest_match = True
    try:
        return re2.compile(_RUN_OF_LINES % pattern, options)
    except re2.error:  # it was at the limit of what RE2 takes
        return None


def _options() -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    return options


def _problem(error: Exception) -> str:
    """RE2's own words for what is wrong with a pattern."""
    words = error.args[0] if error.args else "it is malformed"
    return words.decode(errors="replace") if isinstance(words, bytes) else str(words)
