"""`signup`: makes an account, and keeps its session."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.parsing import argument_values as values
from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser, flag_value
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
    from collections.abc import Callable

    from chatbooth_grpc.booth.model import Session
    from chatbooth_grpc.client.commands.tasks.context import Context


def add_flags(parser: CommandParser) -> None:
    """Add the username, and the flags of the session, the invite code and the password."""
    add_username(parser)
    add_label_flag(parser)
    parser.add_flag(
        "--invite",
        type=flag_value(values.words),
        metavar="CODE",
        help="the invite code, if the server asks for one; - reads it, a line, from standard input, after the "
        "password; other users of this machine may see a CODE that is given here (environment: CHATBOOTH_INVITE)",
    )
    add_password_flag(parser, "the password, a line,")


def run(context: Context, parsed: Namespace) -> None:
    """Sign up the user that the words name. If they name none, ask for one."""
    from chatbooth_grpc.client.commands.tasks.new_session import asked_username

    sign_up(context, asked_username(context, parsed), label=parsed.label, invite=parsed.invite)


def sign_up(context: Context, username: str, *, label: str = DEFAULT_LABEL, invite: str | None = None) -> None:
    """Make an account, and keep its session. `invite` is the code that the command line has, or "-"."""
    from chatbooth_grpc.booth.rules import folded_username
    from chatbooth_grpc.client.commands.tasks.new_session import keep_session
    from chatbooth_grpc.client.failures.outcomes import outcome_unknown

    username = folded_username(username)
    password = context.passwords.first(username)
    code = context.passwords.invite(invite)
    log_in_command = command_line(context.server, "login", username)
    with (
        context.client() as client,
        outcome_unknown(f"Whether the account was made is not known. To find out, type: {log_in_command}"),
    ):
        session = _admitted(context, code, partial(client.sign_up, username, password, label=label))
    keep_session(context, session, f"Signed up as {session.username} on {context.server}")


def _admitted(context: Context, code: str, sign_up: Callable[..., Session]) -> Session:
    """Sign up with an invite code. If there is none and the server asks for one, ask the person."""
    from chatbooth_grpc.booth.errors import InviteRequired

    try:
        return sign_up(invite=code)
    except InviteRequired:
        code = context.passwords.asked_invite()
        if not code:
            raise
        return sign_up(invite=code)


COMMAND = Command(run, add_flags)
