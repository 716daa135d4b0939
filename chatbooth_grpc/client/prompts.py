"""Asking the person at the keyboard; and reading, from the same standard input, what a program pipes in."""

from __future__ import annotations

import getpass
import warnings
from typing import BinaryIO, TextIO

from chatbooth_grpc.client.failures import Misuse

_LONGEST_LINE = 1 << 20


class Prompts:
    """Questions on `err`, answers from `stdin`, which is read as bytes so that ill-formed UTF-8 is found."""

    def __init__(self, stdin: BinaryIO, err: TextIO) -> None:
        self.is_terminal = stdin.isatty()
        self.stdin = stdin
        self._err = err

    def line(self, question: str = "") -> str:
        """Return the next line of input without its line break. Raises EOFError, Misuse."""
        if question:
            print(question, end="" if self.is_terminal else "\n", file=self._err, flush=True)
        line = self.stdin.readline(_LONGEST_LINE)
        if not line:
            raise EOFError
        return _decoded(line.removesuffix(b"\n").removesuffix(b"\r"))

    def rest(self, most: int) -> str:
        """Return all the input that is left, up to `most` bytes, less one line break at its end. Raises Misuse."""
        rest = self.stdin.read(most + 2).removesuffix(b"\n")
        if len(rest) > most:
            raise Misuse(f"The input has more than {most:,} bytes, the most that a text may have. Send it in parts.")
        return _decoded(rest)

    def secret(self, question: str) -> str:
        """Return what is typed without showing it. Raises EOFError; Misuse where there is no terminal to ask at."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            try:
                return getpass.getpass(question)
            except UnicodeDecodeError as error:
                raise Misuse("The password is not UTF-8.") from error
            except (getpass.GetPassWarning, OSError) as error:
                raise Misuse(
                    "There is no terminal to ask for a password at: use --password-stdin, or set CHATBOOTH_PASSWORD."
                ) from error


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Misuse(f"The input is not UTF-8: byte {error.start + 1:,} of it is wrong.") from error
