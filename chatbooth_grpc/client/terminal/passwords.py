"""Getting passwords and invite codes from standard input, the environment or a prompt."""

# A password never comes from an argument, since other users of the machine can read those.

from __future__ import annotations

from collections.abc import Mapping

from chatbooth_grpc.client.failures.command_failure import Misuse
from chatbooth_grpc.client.terminal.prompts import Prompts

# The names of the variables that hold passwords.
PASSWORD_VARIABLE = "CHATBOOTH_PASSWORD"  # noqa: S105
NEW_PASSWORD_VARIABLE = "CHATBOOTH_NEW_PASSWORD"  # noqa: S105

INVITE_VARIABLE = "CHATBOOTH_INVITE"
"""The variable that holds an invite code."""

FROM_STDIN = "-"
"""In place of an invite code: the next line of standard input has it."""


class Passwords:
    """Gets the passwords that a command needs, in the order in which the command asks for them."""

    def __init__(self, prompts: Prompts, environment: Mapping[str, str], *, from_stdin: bool) -> None:
        self._prompts = prompts
        self._environment = environment
        self._from_stdin = from_stdin

    def current(self, username: str) -> str:
        """Return the present password of an account. Raises Misuse."""
        return self._given(PASSWORD_VARIABLE) or self._asked(f"Password of {username}: ")

    def first(self, username: str) -> str:
        """Return the password for a new account. A prompt asks for it twice. Raises Misuse."""
        return self._given(PASSWORD_VARIABLE) or self._asked_twice(f"Password for {username}: ")

    def new(self, username: str) -> str:
        """Return the new password for an account. A prompt asks for it twice. Raises Misuse."""
        return self._given(NEW_PASSWORD_VARIABLE) or self._asked_twice(f"New password for {username}: ")

    def invite(self, given: str | None) -> str:
        """Return the invite code for a new account: the one `given`, or else the environment's. It may be empty.

        Raises Misuse.
        """
        if given == FROM_STDIN:
            return self._line("an invite code", "Invite code: ")
        return given or self._environment.get(INVITE_VARIABLE, "").strip()

    def asked_invite(self) -> str:
        """Ask the person at the terminal for an invite code. It is empty if there is no terminal, or no answer."""
        return (self._prompts.at_terminal("Invite code: ") or "").strip()

    def _given(self, variable: str) -> str:
        """Return the password from standard input or the environment. It is empty if a prompt must ask for it."""
        if not self._from_stdin:
            return self._environment.get(variable, "")
        return self._line("a password")

    def _line(self, what: str, question: str = "") -> str:
        """Return the next line of standard input, which a person at a terminal gets a question for. Raises Misuse."""
        try:
            line = self._prompts.line(question if self._prompts.is_terminal else "")
        except EOFError as error:
            raise Misuse(f"Standard input ended where a line with {what} was expected.") from error
        if not line:
            raise Misuse(f"The line of standard input that should hold {what} is empty.")
        return line

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
