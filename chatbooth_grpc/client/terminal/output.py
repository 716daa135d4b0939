"""Printing data on standard output and words on standard error, as text or JSON."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TextIO

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.client.failures.command_failure import CommandFailure, details_of, exit_code
from chatbooth_grpc.client.failures.outcomes import Unprinted
from chatbooth_grpc.client.terminal.display import harmless_line

_USUAL_COLUMNS = 80


class Output:
    """The two streams that a command prints to.

    With `as_json` each datum, notice and result is one JSON object in ASCII on a line of `out`. An error is one on
    `err`, and nothing else is printed. Otherwise data goes to `out` and words go to `err`, harmless to a terminal.
    """

    def __init__(self, out: TextIO, err: TextIO | None, *, as_json: bool, quiet: bool = False) -> None:
        """`quiet` leaves out all words but notices and errors."""
        self.out = out
        self.as_json = as_json
        self._err = err
        self._quiet = quiet
        self._passing = ""

    def datum(self, record: Mapping[str, object], shown: str) -> None:
        """Print a piece of the requested data. `shown` is printed unchanged, so it must be harmless.

        Raises OSError, here or at `flush`.
        """
        with _named("standard output"):
            self.out.write(f"{json.dumps(record) if self.as_json else shown}\n")

    def notice(self, record: Mapping[str, object], words: str) -> None:
        """Print a fact about the data, for example a gap: words for a person, an object for a program.

        Raises OSError if the stream does not take it.
        """
        if self.as_json:
            self.datum(record, "")
        elif self._err is not None:
            self.show_passing("")
            with _named("standard error"):
                _write_line(self._err, harmless_line(words))

    def result(self, record: Mapping[str, object], words: str, *, even_if_quiet: bool = False) -> None:
        """Say that something was done. Raises Unprinted if the stream does not take the words."""
        if self._quiet and not self.as_json and not even_if_quiet:
            return
        try:
            self.notice(record, words)
            if self.as_json:
                self.flush()
        except OSError as error:
            raise Unprinted(record, words, error) from error

    def say(self, words: str) -> None:
        """Print words for a person on one line. They may hold any characters. A program does not get them.

        If the stream does not take them, only these words are lost. The command continues, and its exit code tells the
        outcome.
        """
        if not self.as_json and not self._quiet:
            with suppress(OSError):
                self.notice({}, words)

    def fail(self, error: Exception) -> None:
        """Say why the command failed.

        If standard error does not take a failure that must be said, print it on standard output.
        """
        line = json.dumps(_error_record(error)) if self.as_json else harmless_line(f"chatbooth: {error_words(error)}")
        self.show_passing("")
        try:
            if self._err is not None:
                _write_line(self._err, line)
        except OSError:
            if isinstance(error, CommandFailure) and error.must_be_said:
                with suppress(OSError):
                    _write_line(self.out, line)

    @property
    def shows_passing(self) -> bool:
        """Whether `show_passing` shows anything. It does when a person watches the words."""
        return not self.as_json and not self._quiet and self._err is not None and self._err.isatty()

    def show_passing(self, words: str) -> None:
        """Show a passing line, only on a person's terminal. The next words take its place. Empty words clear it."""
        if self._err is None or not (words or self._passing) or not self.shows_passing:
            return
        shown = harmless_line(words)[: _columns(self._err) - 1]
        with suppress(OSError):
            self._err.write(f"\r{' ' * len(self._passing)}\r{shown}")
            self._err.flush()
        self._passing = shown

    def columns(self) -> int | None:
        """Return the width of the terminal that data goes to. None means that it does not go to a terminal."""
        if not self.out.isatty():
            return None
        return _columns(self.out)

    def flush(self) -> None:
        """Hand all data that was printed over to its reader. Raises OSError."""
        with _named("standard output"):
            self.out.flush()


@contextmanager
def _named(stream: str) -> Iterator[None]:
    """Name the stream in an error that names no file."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.strerror:
            error.filename = stream
        if error.errno == errno.EBADF:
            error.strerror = "it is closed"
        raise


def _write_line(stream: TextIO, line: str) -> None:
    # Several threads print, so the line and its end are one write.
    stream.write(f"{line}\n")
    stream.flush()


def _columns(terminal: TextIO) -> int:
    return os.get_terminal_size(terminal.fileno()).columns or _USUAL_COLUMNS


def _error_record(error: Exception) -> dict[str, object]:
    record: dict[str, object] = {"error": "FAILED", "message": error_words(error), "exit_code": exit_code(error)}
    if isinstance(error, ChatboothError):
        record |= {"error": error.reason, "details": details_of(error)}
    elif isinstance(error, CommandFailure):
        record |= {"error": error.reason, "details": error.details()}
    return record


def error_words(error: Exception) -> str:
    """Return the words that tell a person of an error."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__
