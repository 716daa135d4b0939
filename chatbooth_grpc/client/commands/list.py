"""`list`: prints the usernames that match a pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.parsing import argument_values as values
from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser, flag_value, positional
from chatbooth_grpc.client.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.client.commands.tasks.context import Context


def add_flags(parser: CommandParser) -> None:
    """Add the pattern and the prefix."""
    parser.add_argument(
        "pattern",
        type=positional(values.words),
        nargs="?",
        default="",
        metavar="PATTERN",
        help="an RE2 regular expression to find anywhere in a name, ignoring case; default: all names",
    )
    parser.add_flag(
        "--prefix", type=flag_value(values.words), default="", help="what a name must start with; fast on large servers"
    )


def run(context: Context, parsed: Namespace) -> None:
    """Print the usernames that the words ask for."""
    list_accounts(context, parsed.pattern, parsed.prefix)


def list_accounts(context: Context, pattern: str, prefix: str) -> None:
    """Print the usernames that the pattern finds, one a line."""
    from chatbooth_grpc.client.terminal.display import harmless_name

    found = 0
    with context.client_of(context.pick()) as client:
        for username in client.list(pattern, prefix=prefix):
            context.output.datum({"username": username}, harmless_name(username))
            found += 1
    if not found:
        context.output.say("No username matches.")


COMMAND = Command(run, add_flags)
