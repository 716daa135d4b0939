"""`delete`: deletes an account, its sessions and all messages in its mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.admin.commands.shared_arguments import add_user, add_yes
from chatbooth_grpc.admin.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.admin.commands.context import Context
    from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser


def add_flags(parser: CommandParser) -> None:
    """Add the name and the confirmation."""
    add_user(parser)
    add_yes(parser)


def run(context: Context, parsed: Namespace) -> None:
    """Delete the account. Ask first, unless --yes was given."""
    context.confirm(f"Delete {parsed.username} and all its messages?", confirmed=parsed.yes)
    with context.actions() as actions:
        removal = actions.delete(parsed.username)
    context.output.result(
        {"username": parsed.username, "messages_removed": removal.messages, "sessions_ended": removal.sessions},
        f"Deleted {parsed.username}. Messages removed: {removal.messages}. Sessions ended: {removal.sessions}.",
    )


COMMAND = Command(run, add_flags)
