"""`passwd`: changes the password, and ends the account's other sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.parsing.shared_flags import add_password_flag
from chatbooth_grpc.client.commands.table import Command
from chatbooth_grpc.client.failures.invocation import command_line

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser
    from chatbooth_grpc.client.commands.tasks.context import Context


def add_flags(parser: CommandParser) -> None:
    """Add the flag for where the passwords come from."""
    add_password_flag(parser, "the old and the new password, two lines,")


def run(context: Context, _parsed: Namespace) -> None:
    """Change the password."""
    change_password(context)


def change_password(context: Context) -> None:
    """Change the password, and say how many other sessions ended."""
    from chatbooth_grpc.client.failures.outcomes import outcome_unknown

    saved = context.pick()
    old_password = context.passwords.current(saved.username)
    new_password = context.passwords.new(saved.username)
    log_in_command = command_line(context.server, "login", saved.username)
    with (
        context.client_of(saved) as client,
        outcome_unknown(
            "Whether the password was changed is not known. To find out, log in with the new one; type: "
            f"{log_in_command}"
        ),
    ):
        ended = client.change_password(old_password, new_password)
    context.output.result(
        {"username": saved.username, "sessions_ended": ended},
        f"The password of {saved.username} is changed. Other sessions ended: {ended}.",
    )


COMMAND = Command(run, add_flags)
