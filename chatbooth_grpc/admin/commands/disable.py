"""`disable`: ends an account's sessions, and lets nobody log in to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.admin.commands.shared_arguments import add_user
from chatbooth_grpc.admin.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.admin.commands.context import Context


def run(context: Context, parsed: Namespace) -> None:
    """Disable the account. Nothing is lost by it, so it asks nothing."""
    with context.actions() as actions:
        ended = actions.set_disabled(parsed.username, is_disabled=True)
    context.output.result(
        {"username": parsed.username, "disabled": True, "sessions_ended": ended},
        f"Disabled {parsed.username}. Sessions ended: {ended}. Its mailbox goes on receiving.",
    )


COMMAND = Command(run, add_user)
