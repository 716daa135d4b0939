"""`users`: prints the accounts that a pattern finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.admin.commands.table import Command
from chatbooth_grpc.client.commands.parsing import argument_values as values
from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser, flag_value, positional

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from chatbooth_grpc.admin.commands.context import Context
    from chatbooth_grpc.booth.admin_store import User
    from chatbooth_grpc.booth.administration import AdminActions


def add_flags(parser: CommandParser) -> None:
    """Add the pattern and the number of users."""
    parser.add_argument(
        "pattern",
        type=positional(values.words),
        nargs="?",
        default="",
        metavar="PATTERN",
        help="an RE2 regular expression to find anywhere in a name, ignoring case; default: all names",
    )
    parser.add_flag("--max", dest="most", type=flag_value(values.count), metavar="N", help="stop after N accounts")


def run(context: Context, parsed: Namespace) -> None:
    """Print the users, one a line."""
    with context.actions() as actions:
        for number, user in enumerate(_all(actions, parsed.pattern), start=1):
            context.output.datum(_record(user), _line(user))
            if number == parsed.most:
                break


def _all(actions: AdminActions, pattern: str) -> Iterator[User]:
    """Yield the users of all pages."""
    token = ""
    while True:
        page = actions.users(pattern, page_token=token)
        yield from page.users
        token = page.next_page_token
        if not token:
            return


def _record(user: User) -> dict[str, object]:
    from chatbooth_grpc.admin.commands.showing import utc

    return {
        "username": user.username,
        "account_id": user.account_id,
        "create_time": utc(user.create_time),
        "last_use_time": utc(user.used_time) if user.used_time else None,
        "sessions": user.sessions,
        "unacknowledged": user.unacknowledged,
        "disabled": user.is_disabled,
    }


def _line(user: User) -> str:
    from chatbooth_grpc.admin.commands.showing import utc

    parts = [
        f"{user.username:32}  made {utc(user.create_time)[:10]}",
        f"used {utc(user.used_time)[:10]}" if user.used_time else "no session     ",
        f"sessions {user.sessions}",
        f"unacknowledged {user.unacknowledged:,}",
    ]
    return "  ".join([*parts, *(["disabled"] if user.is_disabled else [])])


COMMAND = Command(run, add_flags)
