"""`backup`: copies the store into a file, also while the server runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.admin.commands.shared_arguments import add_file, add_force
from chatbooth_grpc.admin.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.admin.commands.context import Context
    from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser


def add_flags(parser: CommandParser) -> None:
    """Add the file."""
    add_file(parser, "the file to make, by the user who runs the server")
    add_force(parser)


def run(context: Context, parsed: Namespace) -> None:
    """Make the backup, and say what it has once it is in its place."""
    from chatbooth_grpc.admin.commands.showing import size

    with context.actions() as actions:
        for backup in context.showing(actions.backup(parsed.file.absolute(), force=parsed.force)):
            context.output.result(
                {"path": str(backup.path), "size": backup.size, "messages": backup.messages},
                f"Backed up to {parsed.file}: {backup.messages:,} messages, {size(backup.size)}, checked.",
            )


COMMAND = Command(run, add_flags)
