"""Asking the person at the keyboard, and reading piped input from standard input."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

from chatbooth_grpc.client.failures.command_failure import Misuse

_LONGEST_LINE = 1 << 20
_LONGEST_SECRET = 1 << 16


class Prompts:
    """Asks questions on `err`, and reads answers from `stdin`.

    `stdin` is read as bytes, so that ill-formed UTF-8 is found. At a terminal, a question and its answer are on the
    terminal itself, and a paste is one answer.
    """

    def __init__(self, stdin: BinaryIO, err: TextIO) -> None:
        self.is_terminal = stdin.isatty()
        self.stdin = stdin
        self._err = err
        self._is_at_start = True

    def line(self, question: str = "", *, flush: bool = False, lines: bool = False) -> str:
        """Return the next line of input without its line break. Raises EOFError, Misuse.

        `flush` says to drop, at a terminal, the input that was typed before the question. `lines` says that a paste may
        have several lines.
        """
        if self.is_terminal:
            answer = _asked(self.stdin.fileno(), question, _LONGEST_LINE, flush=flush)
            if "\n" in answer and not lines:
                raise Misuse("That has several lines, where one is asked for. Nothing was done with it.")
            return answer
        if question:
            print(question, file=self._err, flush=True)
        line = self._without_mark(self.stdin.readline(_LONGEST_LINE + 1))
        if not line:
            raise EOFError
        if len(line) > _LONGEST_LINE:
            self._skip_line(line)
            raise Misuse(f"The line has more than {_LONGEST_LINE:,} bytes.")
        return _decoded(_without_line_break(line))

    def rest(self, most: int) -> str:
        """Return the rest of the input, up to `most` bytes, without one line break at its end. Raises Misuse."""
        if self.is_terminal:
            return _asked(self.stdin.fileno(), "", most, multiline=True)
        rest = _without_line_break(self._without_mark(self.stdin.read(most + len(codecs.BOM_UTF8) + 3)))
        if len(rest) > most:
            raise Misuse(f"The input has more than {most:,} bytes, the most that a text may have. Send it in parts.")
        return _decoded(rest)

    def at_terminal(self, question: str) -> str | None:
        """Return the answer of a person at the terminal, whatever standard input is. None if there is no terminal."""
        try:
            with self._terminal() as terminal:
                return _asked(terminal, question, _LONGEST_LINE, flush=True)
        except (EOFError, Misuse):
            return None

    def secret(self, question: str) -> str:
        """Return the answer without showing it. Raises EOFError. Raises Misuse if there is no terminal to ask at."""
        with self._terminal() as terminal:
            answer = _asked(terminal, question, _LONGEST_SECRET, echo=False, flush=True)
        if "\n" in answer:
            raise Misuse("A password has no line breaks. Nothing was done; try again.")
        return answer

    @contextmanager
    def _terminal(self) -> Iterator[int]:
        """Give the terminal that this program was started from. If there is none, give the terminal of its input."""
        try:
            terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            if not self.is_terminal:
                raise Misuse(
                    "There is no terminal to ask for a password at: use --password-stdin, or set CHATBOOTH_PASSWORD."
                ) from error
            yield self.stdin.fileno()
            return
        try:
            yield terminal
        finally:
            os.close(terminal)

    def _without_mark(self, content: bytes) -> bytes:
        """Remove a byte order mark from the start of the input. Some programs write one before a text."""
        is_at_start, self._is_at_start = self._is_at_start, False
        return content.removeprefix(codecs.BOM_UTF8) if is_at_start else content

    def _skip_line(self, part: bytes) -> None:
        while part and not part.endswith(b"\n"):
            part = self.stdin.readline(_LONGEST_LINE)


def _asked(
    terminal: int, question: str, most: int, *, multiline: bool = False, echo: bool = True, flush: bool = False
) -> str:
    """Ask at a terminal. Raises Misuse. Raises EOFError, unless `multiline`."""
    # Only commands that ask something need these modules.
    from chatbooth_grpc.client.terminal.line_editor import LineEditor
    from chatbooth_grpc.client.terminal.terminal import Question

    editor = LineEditor(most, multiline=multiline)
    asked = Question(terminal, question, editor, echo=echo, flush=flush)
    asked.answer()
    if asked.is_gone and multiline:
        raise Misuse("The terminal was closed before the text was complete. Nothing was done with it.")
    if editor.is_end and not multiline:
        raise EOFError
    if editor.is_too_long:
        raise Misuse("That is too long. Nothing was done with it.")
    text = editor.text.removesuffix("\n")
    return _decoded(text.encode("utf-8", "surrogateescape"))


def _without_line_break(content: bytes) -> bytes:
    """Remove one line break from the end, of either kind."""
    return content.removesuffix(b"\r\n") if content.endswith(b"\r\n") else content.removesuffix(b"\n")


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Misuse(f"The input is not UTF-8: byte {error.start + 1:,} of it is wrong.") from error
