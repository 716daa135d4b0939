"""Where passwords come from: standard input if told so, else the environment, else a prompt; never an argument."""

from __future__ import annotations

from collections.abc import Mapping

from chatbooth_grpc.client.failures.command_failure import Misuse
from chatbooth_grpc.client.terminal.prompts import Prompts

PASSWORD_VARIABLE = "CHATBOOTH_PASSWORD"  # noqa: S105  # the name of where it is
NEW_PASSWORD_VARIABLE = "CHATBOOTH_NEW_PASSWORD"  # noqa: S105


class Passwords:
    """Gets the passwords that a command needs, in the order in which it asks."""

    def __init__(self, prompts: Prompts, environment: Mapping[str, str], *, from_stdin: bool) -> None:
        self._prompts = prompts
        self._environment = environment
        self._from_stdin = from_stdin

    def current(self, username: str) -> str:
        """Return the password that an account has. Raises Misuse."""
        return self._given(PASSWORD_VARIABLE) or self._asked(f"Password of {username}: ")

    def first(self, username: str) -> str:
        """Return the password for an account to be made; asked for twice. Raises Misuse."""
        return self._given(PASSWORD_VARIABLE) or self._asked_twice(f"Password for {username}: ")

    def new(self, username: str) -> str:
        """Return the password that is to replace an account's; asked for twice. Raises Misuse."""
        return self._given(NEW_PASSWORD_VARIABLE) or self._asked_twice(f"New password for {username}: ")

    def _given(self, variable: str) -> str:
        """Return the password that needs no asking, empty if it does."""
        if not self._from_stdin:
            return self._environment.get(variable, "")
        try:
            password = self._prompts.line()
        except EOFError as error:
            raise Misuse("Standard input ended where a line with a password was expected.") from error
        if not password:
            raise Misuse("The line of standard input that should hold a password is empty.")
        return password

    def _asked_twice(self, question: str) -> str:
        password = self._asked(question)
        if self._asked("The same again: ") != password:
            raise Misuse("The two passwords differ. Nothing was done; try again.")
        return password

    def _asked(self, question: str) -> str:
        try:
            return self._prompts.secret(question)
        except EOFError as error:
            raise Misuse("No password was given.") from error
