"""`signup`: makes an account, and keeps its session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.parsing.shared_flags import (
    DEFAULT_LABEL,
    add_label_flag,
    add_password_flag,
    add_username,
)
from chatbooth_grpc.client.commands.table import Command
from chatbooth_grpc.client.failures.invocation import command_line

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
    """Sign up the user that the words name. If they name none, ask for one."""
    from chatbooth_grpc.client.commands.tasks.new_session import asked_username

    sign_up(context, asked_username(context, parsed), label=parsed.label)


def sign_up(context: Context, username: str, *, label: str = DEFAULT_LABEL) -> None:
    """Make an account, and keep its session."""
    from chatbooth_grpc.booth.rules import folded_username
    from chatbooth_grpc.client.commands.tasks.new_session import keep_session
    from chatbooth_grpc.client.failures.outcomes import outcome_unknown

    username = folded_username(username)
    password = context.passwords.first(username)
    log_in_command = command_line(context.server, "login", username)
    with (
        context.client() as client,
        outcome_unknown(f"Whether the account was made is not known. To find out, type: {log_in_command}"),
    ):
        session = client.sign_up(username, password, label=label)
    keep_session(context, session, f"Signed up as {session.username} on {context.server}")


COMMAND = Command(run, add_flags)
