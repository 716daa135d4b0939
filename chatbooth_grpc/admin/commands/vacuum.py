"""`vacuum`: gives the free space in the store's file back to the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.admin.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.admin.commands.context import Context


def run(context: Context, _parsed: Namespace) -> None:
    """Vacuum the store, and say how much smaller it is."""
    from chatbooth_grpc.admin.commands.showing import size

    with context.actions() as actions:
        for done in context.showing(actions.vacuum()):
            context.output.result(
                {"size_before": done.size_before, "size_after": done.size_after},
                f"The file had {size(done.size_before)} and has {size(done.size_after)}.",
            )


COMMAND = Command(run)
