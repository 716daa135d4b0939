"""`reset-password`: gives an account another password, and ends its sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.admin.commands.shared_arguments import add_user
from chatbooth_grpc.admin.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.admin.commands.context import Context
    from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser

_RANDOM_BYTES = 12


def add_flags(parser: CommandParser) -> None:
    """Add the name, and the flag by which the password is read."""
    add_user(parser)
    parser.add_flag(
        "--password-stdin",
        action="store_true",
        help="read the new password, a line, from standard input; default: make one and print it",
    )


def run(context: Context, parsed: Namespace) -> None:
    """Reset the password. A new one is printed only after it holds."""
    import secrets

    password = context.passwords.new(parsed.username) if parsed.password_stdin else secrets.token_urlsafe(_RANDOM_BYTES)
    with context.actions() as actions:
        ended = actions.reset_password(parsed.username, password)
    words = f"The password of {parsed.username} is changed. Sessions ended: {ended}."
    record = {"username": parsed.username, "sessions_ended": ended}
    if parsed.password_stdin:
        context.output.result(record, words)
        return
    context.output.datum({**record, "password": password}, password)
    context.output.say(words)


COMMAND = Command(run, add_flags)
