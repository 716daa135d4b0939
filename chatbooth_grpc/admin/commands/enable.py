"""`enable`: lets the user of a disabled account log in again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.admin.commands.shared_arguments import add_user
from chatbooth_grpc.admin.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.admin.commands.context import Context


def run(context: Context, parsed: Namespace) -> None:
    """Enable the account."""
    with context.actions() as actions:
        actions.set_disabled(parsed.username, is_disabled=False)
    context.output.result(
        {"username": parsed.username, "disabled": False},
        f"Enabled {parsed.username}. It can log in with the password that it had.",
    )


COMMAND = Command(run, add_user)
