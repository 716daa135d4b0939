"""What a command prints: data on standard output, words on standard error, for a person or as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TextIO

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.client.display import harmless_line
from chatbooth_grpc.client.failures import CommandFailure, exit_code

_USUAL_COLUMNS = 80


class Output:
    """Where a command's results go.

    With `as_json` each datum and each result is one JSON object in ASCII on a line of `out`, an error is one on
    `err`, and nothing else is printed. Without, data goes to `out` and words to `err`, harmless to a terminal.
    """

    def __init__(self, out: TextIO, err: TextIO | None, *, as_json: bool) -> None:
        self.out = out
        self.as_json = as_json
        self._err = err
        self._passing = ""

    def datum(self, record: Mapping[str, object], shown: str) -> None:
        """Print a piece of what was asked for. `shown` is printed as it is, so it must be harmless."""
        print(json.dumps(record) if self.as_json else shown, file=self.out)

    def result(self, record: Mapping[str, object], words: str) -> None:
        """Say that something was done."""
        if self.as_json:
            print(json.dumps(record), file=self.out)
        else:
            self.say(words)

    def say(self, words: str) -> None:
        """Tell a person, on one line, in words that may hold anything; programs are not told."""
        self.show_passing("")
        if not self.as_json:
            print(harmless_line(words), file=self._err, flush=True)

    def fail(self, error: Exception) -> None:
        """Say why it failed."""
        if self.as_json:
            print(json.dumps(_error_record(error)), file=self._err, flush=True)
        else:
            self.say(f"chatbooth: {_words(error)}")

    @property
    def shows_passing(self) -> bool:
        """Whether `show_passing` shows anything: a person watches the words."""
        return not self.as_json and self._err is not None and self._err.isatty()

    def show_passing(self, words: str) -> None:
        """Show a line for now, on a person's terminal alone: the next words take its place, none clear it."""
        if self._err is None or not (words or self._passing) or not self.shows_passing:
            return
        shown = harmless_line(words)[: _columns(self._err) - 1]
        print(f"\r{' ' * len(self._passing)}\r{shown}", end="", file=self._err, flush=True)
        self._passing = shown

    def columns(self) -> int | None:
        """Return how wide the terminal that data goes to is; None: it goes elsewhere."""
        if not self.out.isatty():
            return None
        return _columns(self.out)

    def flush(self) -> None:
        """Hand all that was printed over to whoever reads it. Raises OSError if that cannot be."""
        self.out.flush()


def _columns(terminal: TextIO) -> int:
    return os.get_terminal_size(terminal.fileno()).columns or _USUAL_COLUMNS


def _error_record(error: Exception) -> dict[str, object]:
    record: dict[str, object] = {"error": "FAILED", "message": _words(error), "exit_code": exit_code(error)}
    if isinstance(error, ChatboothError):
        record |= {"error": error.reason, "details": error.attributes()}
    elif isinstance(error, CommandFailure):
        record |= {"error": error.reason, "details": error.details()}
    return record


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__
