"""Reads flags and their twins in the environment, such as CHATBOOTH_MAX_TEXT_SIZE."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from chatbooth_grpc.environment import PREFIX, value_of

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_NOT_GIVEN = object()
_WITHOUT_TWIN = ("help", "version")
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


class FlagError(Exception):
    """A flag or its twin is wrong. The message names it as the user gave it, and says what to do."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(f"{problem}; {hint}" if hint else problem)
        self.problem = problem


class FlagParser(argparse.ArgumentParser):
    """A parser that takes only flags, each with a twin. It raises FlagError, and accepts no abbreviated flags."""

    def __init__(self, prog: str, **settings: Any) -> None:
        super().__init__(prog=prog, allow_abbrev=False, **settings)
        # Where each flag's value comes from, as a person would write it: "--host " or "CHATBOOTH_HOST=".
        self.written: dict[str, str] = {}

    @property
    def twins(self) -> dict[str, argparse.Action]:
        """Each flag that has a twin, by the twin's name."""
        return {PREFIX + flag.dest.upper(): flag for flag in self._actions if flag.dest not in _WITHOUT_TWIN}

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help. Raises OSError, which argparse would swallow."""
        (file or sys.stdout).write(self.format_help())

    def error(self, message: str) -> NoReturn:
        raise FlagError(message.removeprefix("argument "), f"{self.prog} --help lists the flags")

    def read(self, arguments: Sequence[str], environment: Mapping[str, str]) -> argparse.Namespace:
        """Return each flag's value. The arguments come first, then the twin, then the default. Raises FlagError."""
        parsed = argparse.Namespace(**{flag.dest: _NOT_GIVEN for flag in self.twins.values()})
        _, left_over = self.parse_known_args(arguments, parsed)
        if left_over:
            self.error(self._unknown(left_over[0].partition("=")[0]))
        for twin, flag in self.twins.items():
            self.written[flag.dest] = f"{flag.option_strings[0]} "
            if getattr(parsed, flag.dest) is not _NOT_GIVEN:
                continue
            text = value_of(twin, environment)
            if text is not None:
                self.written[flag.dest] = f"{twin}="
            setattr(parsed, flag.dest, flag.default if text is None else self._read_twin(twin, flag, text))
        return parsed

    def _read_twin(self, twin: str, flag: argparse.Action, text: str) -> object:
        if flag.nargs == 0:
            return _read_switch(twin, text)
        try:
            parsed, _ = self.parse_known_args([f"{flag.option_strings[0]}={text}"])
        except FlagError as error:
            # argparse puts the flag's name before the problem.
            _, _, problem = error.problem.partition(": ")
            raise FlagError(f"{twin} in the environment: {problem}") from None
        return getattr(parsed, flag.dest)

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"unexpected {word!r}: there are only flags"
        known = [name for flag in self._actions for name in flag.option_strings]
        near = difflib.get_close_matches(word, known, n=1)
        return f"there is no flag {word}" + (f", did you mean {near[0]}?" if near else "")


def _read_switch(twin: str, text: str) -> bool:
    try:
        return _SWITCH[text.strip().lower()]
    except KeyError:
        raise FlagError(f"{twin} in the environment: {text!r} is neither yes nor no; say 1 or 0") from None
