"""The table of an administrator's commands: one row for each, and its file."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.admin.commands.context import Context
    from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser

COMMANDS: dict[str, str] = {
    "users": "print the accounts that a pattern finds",
    "disable": "end an account's sessions, and let nobody log in to it",
    "enable": "let the user of a disabled account log in again",
    "reset-password": "give an account another password, and end its sessions",
    "delete": "delete an account, its sessions and all messages in its mailbox",
    "invite": "make a code with which people can sign up, list the invites, or revoke one",
    "export": "print all that the store holds about a person, as JSON lines",
    "ping": "ask whether the server runs and can write its store",
    "stats": "print how much the store has",
    "backup": "copy the store into a file, also while the server runs",
    "verify": "look whether a backup is whole and sound",
    "restore": "put a backup in the store's place, while no server runs",
    "check": "look whether the store is intact and keeps its promises",
    "vacuum": "give the free space in the store's file back to the disk",
}
"""Each command's name and what it does, in the order of --help."""


def _add_none(_parser: CommandParser) -> None:
    """Add no flags: the command has none of its own."""


class Command(NamedTuple):
    """A command: its file ends with one of these, named COMMAND."""

    run: Callable[[Context, Namespace], None]
    """Runs the command with the parsed words. Raises ChatboothError, MaintenanceFailed, CommandFailure, OSError."""

    add_flags: Callable[[CommandParser], None] = _add_none
    """Adds the command's own flags and arguments to its parser."""


def load(name: str) -> Command:
    """Import the file of a command of the table, and return the command."""
    command: Command = import_module(f"{__package__}.{name.replace('-', '_')}").COMMAND
    return command
