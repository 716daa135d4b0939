"""`sessions`: prints the account's sessions, or ends one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.parsing import argument_values as values
from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser, flag_value
from chatbooth_grpc.client.commands.table import Command
from chatbooth_grpc.client.failures.invocation import command_line

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.client.commands.tasks.context import Context


def add_flags(parser: CommandParser) -> None:
    """Add the flag that names a session to end."""
    parser.add_flag("--end", type=flag_value(values.count), metavar="ID", help="end the session with this id")


def run(context: Context, parsed: Namespace) -> None:
    """End the session that the words name. If they name none, print all sessions."""
    if parsed.end is None:
        show_sessions(context)
    else:
        end_session(context, parsed.end)


def end_session(context: Context, session_id: int) -> None:
    """End one session of the account."""
    from chatbooth_grpc.client.failures.outcomes import outcome_unknown

    saved = context.pick()
    list_command = command_line(context.server, "--as", saved.username, "sessions")
    with (
        context.client_of(saved) as client,
        outcome_unknown(f"Whether the session was ended is not known. To find out, type: {list_command}"),
    ):
        client.end_session(session_id)
    context.output.result({"session_id": session_id, "ended": True}, f"Ended session {session_id}.")


def show_sessions(context: Context) -> None:
    """Print the sessions and tokens of the account, one a line, the oldest first."""
    from chatbooth_grpc.client.commands.tasks.session_words import line_of, record_of

    with context.client_of(context.pick()) as client:
        for entry in client.sessions():
            context.output.datum(record_of(entry), line_of(entry))


COMMAND = Command(run, add_flags)
