"""The arguments and flags that several commands of an administrator take."""

from __future__ import annotations

from pathlib import Path

from chatbooth_grpc.client.commands.parsing import argument_values as values
from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser, positional


def add_user(parser: CommandParser) -> None:
    """Add the name of an account."""
    parser.add_argument("username", type=positional(values.words), metavar="USER", help="the account's name")


def add_file(parser: CommandParser, what: str) -> None:
    """Add the name of a file."""
    parser.add_argument("file", type=positional(Path), metavar="FILE", help=what)


def add_force(parser: CommandParser) -> None:
    """Add the flag that lets another file be replaced."""
    parser.add_flag("--force", action="store_true", help="replace the file if there is one")


def add_yes(parser: CommandParser) -> None:
    """Add the confirmation."""
    parser.add_flag("--yes", action="store_true", help="do not ask whether it is meant")
