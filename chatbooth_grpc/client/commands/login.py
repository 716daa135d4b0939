"""`login`: opens a session, and keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.parsing.shared_flags import (
    DEFAULT_LABEL,
    add_label_flag,
    add_password_flag,
    add_username,
)
from chatbooth_grpc.client.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser
    from chatbooth_grpc.client.commands.tasks.context import Context


def add_flags(parser: CommandParser) -> None:
    """Add the username and the password's flag."""
    add_username(parser)
    add_label_flag(parser)
    add_password_flag(parser, "the password, a line,")


def run(context: Context, parsed: Namespace) -> None:
    """Log in the user that the words name. If they name none, ask for one."""
    from chatbooth_grpc.client.commands.tasks.new_session import asked_username

    log_in(context, asked_username(context, parsed), label=parsed.label)


def log_in(context: Context, username: str, *, label: str = DEFAULT_LABEL) -> None:
    """Open a session, and keep it. End the session that was kept for this user before."""
    from chatbooth_grpc.booth.rules import folded_username
    from chatbooth_grpc.client.commands.tasks.new_session import keep_session

    username = folded_username(username)
    password = context.passwords.current(username)
    with context.client() as client:
        session = client.log_in(username, password, label=label)
    keep_session(context, session, f"Logged in as {session.username} on {context.server}")


COMMAND = Command(run, add_flags)
