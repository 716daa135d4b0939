"""The table of commands: one row for each command, whose file has the command's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser
    from chatbooth_grpc.client.commands.tasks.context import Context

COMMANDS: dict[str, str] = {
    "signup": "make an account, and log in",
    "login": "log in to an account",
    "logout": "end the session",
    "whoami": "print who is logged in, if the session is alive",
    "passwd": "change the password, and end the account's other sessions",
    "list": "print the usernames that match a pattern",
    "send": "send a message, or very many from a file",
    "deliver": "print the messages that wait, and acknowledge them",
    "listen": "print the messages that wait and those that come, until Ctrl-C",
    "trust": "show the certificate of a server and accept it, or forget it",
    "outbox": "print what is queued to be sent, and what was refused",
    "blocks": "print the accounts that this one blocks, or block or unblock one",
    "sessions": "print the account's sessions, or end one",
    "token": "make a token for a program, print the tokens, or revoke one",
    "delete": "delete the account, its sessions and all messages in its mailbox",
}
"""Each command's name and its description, in the order of --help."""

WITH_TOKENS = ("send", "deliver", "listen")
"""The commands that can act with a token."""


def _add_none(_parser: CommandParser) -> None:
    """Add no flags, because the command has none."""


def refuse_left_over(
    parser: CommandParser, _parsed: Namespace, _words: Sequence[str], left_over: Sequence[str]
) -> None:
    """Exit with 2 if words are left over."""
    parser.refuse_left_over(left_over)


class Command(NamedTuple):
    """A command: its file ends with one of these, named COMMAND.

    A file imports at its top only what its flags need, so that --help and an error of usage are quick. The functions
    that run the command import the rest.
    """

    run: Callable[[Context, Namespace], None]
    """Runs the command with the parsed words. Raises ChatboothError, CommandFailure, OSError, Interrupted."""

    add_flags: Callable[[CommandParser], None] = _add_none
    """Adds the command's own flags and arguments to its parser."""

    finish: Callable[[CommandParser, Namespace, Sequence[str], list[str]], None] = refuse_left_over
    """Checks the parsed words.

    Its arguments are the parser, the parsed words, the words after the command as they were typed, and the words that
    argparse left over. It exits with 2, by the parser, if the words are wrong.
    """

    hint: str = ""
    """Advice that each error of usage ends with, for the mistake that people and scripts make most often."""


def load(name: str) -> Command:
    """Import the file of a command of the table, and return the command."""
    command: Command = import_module(f"{__package__}.{name}").COMMAND
    return command
