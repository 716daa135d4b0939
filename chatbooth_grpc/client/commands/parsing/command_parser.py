"""The parser of one command's words, with short errors. Words after -- are never flags."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from chatbooth_grpc.client.failures.exit_codes import USAGE

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

HELP = ("-h", "--help")

_LITERAL = "\0"
"""Marks a word that stood after `--`. No word of a real command line can hold this character."""

_T = TypeVar("_T")


class CommandParser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are two lines, or one JSON object with `as_json`, and hold no usage.

    Each error ends with `hint`, for the mistake that people and scripts make most often. `takes_words` says that the
    command takes more than flags. Then --help among other words may be a text or a name, so the parser refuses it.
    """

    def __init__(self, prog: str, *, as_json: bool, hint: str = "", takes_words: bool = True, **settings: Any) -> None:
        super().__init__(
            prog=prog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            add_help=False,
            **settings,
        )
        self.flags: list[str] = []
        self._as_json = as_json
        self._hint = hint
        self.add_flag(
            *HELP, action=_HelpBesideOthers if takes_words else "help", help="show this help and exit; stands alone"
        )

    def add_flag(self, *names: str, **settings: Any) -> argparse.Action:
        """Add a flag by all of its names. The type of a value refuses words after `--`."""
        self.flags += names
        return self.add_argument(*names, **settings)

    def show_help(self) -> NoReturn:
        """Print the help and exit with 0."""
        self.print_help()
        self.exit(0)

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help. Raises OSError, which argparse would swallow."""
        (file or sys.stdout).write(self.format_help())

    def error(self, message: str) -> NoReturn:
        """Exit with 2 after saying what is wrong and where the help is."""
        words = f"{message}. {self._hint}" if self._hint else message
        if self._as_json:
            # Importing json takes long, and so does difflib below. Only errors need them.
            import json

            record = {"error": "USAGE", "message": words, "exit_code": USAGE, "details": {}}
            lines = json.dumps(record)
        else:
            lines = f"{self.prog}: error: {words}\n'{self.prog} --help' lists what it takes."
        # A caller that cannot read the words still gets the exit code.
        with contextlib.suppress(OSError):
            print(lines.encode("utf-8", "backslashreplace").decode(), file=sys.stderr)
        self.exit(USAGE)

    def refuse_left_over(self, words: Sequence[str]) -> None:
        """Exit with 2 if there are words that no flag and no argument took."""
        if not words:
            return
        flags = [word for word in words if word.startswith("-")]
        if flags:
            self.error(f"there is no flag {flags[0]!r}{did_you_mean(flags[0].partition('=')[0], self.flags)}")
        shown = " ".join(repr(_unmarked(word)) for word in words)
        self.error(f"too many words: {shown} (quote a text of several words)")


class _HelpBesideOthers(argparse.Action):
    """Refuses a request for help among other words."""

    def __init__(self, option_strings: Sequence[str], **settings: Any) -> None:
        super().__init__(option_strings, **{**settings, "dest": argparse.SUPPRESS, "nargs": 0})

    def __call__(
        self, parser: argparse.ArgumentParser, _namespace: object, _values: object, flag: object = None
    ) -> None:
        parser.error(f"{flag} stands alone, as in '{parser.prog} --help'")


def mark_literals(words: Sequence[str]) -> list[str]:
    """Return the words without the first `--`. The words after it are marked, so that none looks like a flag."""
    if "--" not in words:
        return [*words]
    end = words.index("--")
    return [*words[:end], *(_LITERAL + word for word in words[end + 1 :])]


def positional(convert: Callable[[str], _T]) -> Callable[[str], _T]:
    """Return the type of an argument that may stand after `--`."""
    return lambda word: convert(_unmarked(word))


def flag_value(convert: Callable[[str], _T]) -> Callable[[str], _T]:
    """Return the type of a flag's value, which may not stand after `--`."""

    def converted(word: str) -> _T:
        if word.startswith(_LITERAL):
            raise argparse.ArgumentTypeError("expected a value before --")
        return convert(word)

    return converted


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question that names the nearest of the known words, or nothing if none is near."""
    import difflib

    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""


def _unmarked(word: str) -> str:
    return word.removeprefix(_LITERAL)
