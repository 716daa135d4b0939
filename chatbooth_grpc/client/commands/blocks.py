"""`blocks`: prints the accounts that this one blocks, or blocks or unblocks one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.parsing import argument_values as values
from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser, flag_value
from chatbooth_grpc.client.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.client.commands.tasks.context import Context


def add_flags(parser: CommandParser) -> None:
    """Add the flags that name an account to block or to unblock."""
    parser.add_flag("--add", type=flag_value(values.words), metavar="USER", help="block this account")
    parser.add_flag("--remove", type=flag_value(values.words), metavar="USER", help="unblock this account")


def run(context: Context, parsed: Namespace) -> None:
    """Unblock and block the accounts that the words name. If they name none, print those that are blocked."""
    if parsed.remove is not None:
        set_block(context, parsed.remove, is_blocked=False)
    if parsed.add is not None:
        set_block(context, parsed.add, is_blocked=True)
    if parsed.add is None and parsed.remove is None:
        show_blocks(context)


def set_block(context: Context, username: str, *, is_blocked: bool) -> None:
    """Block or unblock an account."""
    from chatbooth_grpc.booth.errors import RecipientNotFound
    from chatbooth_grpc.booth.rules import folded_username
    from chatbooth_grpc.client.commands.tasks.suggestions import with_near_names

    username = folded_username(username)
    with context.client_of(context.pick()) as client:
        try:
            (client.block if is_blocked else client.unblock)(username)
        except RecipientNotFound as error:
            raise with_near_names(client, error) from error
    done = f"Blocked {username}." if is_blocked else f"Unblocked {username}."
    context.output.result({"username": username, "blocked": is_blocked}, done)


def show_blocks(context: Context) -> None:
    """Print the names of the accounts that this one blocks, one a line."""
    from chatbooth_grpc.client.terminal.display import harmless_name

    found = 0
    with context.client_of(context.pick()) as client:
        for username in client.blocks():
            context.output.datum({"username": username}, harmless_name(username))
            found += 1
    if not found:
        context.output.say("This account blocks nobody.")


COMMAND = Command(run, add_flags)
