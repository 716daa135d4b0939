"""`restore`: puts a backup in the store's place, while no server runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.admin.commands.shared_arguments import add_file, add_yes
from chatbooth_grpc.admin.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.admin.commands.context import Context
    from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser


def add_flags(parser: CommandParser) -> None:
    """Add the file and the confirmation."""
    add_file(parser, "the backup")
    add_yes(parser)


def run(context: Context, parsed: Namespace) -> None:
    """Restore the backup. Ask first, unless --yes was given."""
    from chatbooth_grpc.admin.commands.reaching import is_served
    from chatbooth_grpc.booth.admin_store import MaintenanceFailed
    from chatbooth_grpc.booth.counting import counted

    if is_served(context.store):
        raise MaintenanceFailed(f"A server serves {context.store}. Stop it first. Nothing was changed.")
    context.confirm(f"Put {parsed.file} in the place of {context.store}?", confirmed=parsed.yes)
    for restored in context.showing(context.place.restore(parsed.file.absolute())):
        kept = f" The store before it is kept as {restored.former}." if restored.former else ""
        context.output.result(
            {"messages": restored.messages, "former": str(restored.former) if restored.former else None},
            f"Restored {context.store} from {parsed.file}: {counted(restored.messages, 'message')}, a new epoch.{kept}",
        )


COMMAND = Command(run, add_flags)
