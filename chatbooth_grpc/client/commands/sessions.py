"""`sessions`: prints the account's sessions, or ends one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.parsing import argument_values as values
from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser, flag_value
from chatbooth_grpc.client.commands.table import Command
from chatbooth_grpc.client.failures.invocation import command_line

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.booth.model import SessionEntry
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
    """Print the sessions of the account, one a line, the oldest first."""
    with context.client_of(context.pick()) as client:
        for entry in client.sessions():
            context.output.datum(_record(entry), _line(entry))


def _record(entry: SessionEntry) -> dict[str, object]:
    from chatbooth_grpc.client.terminal.display import utc_time

    return {
        "session_id": entry.session_id,
        "label": entry.label,
        "kind": entry.kind.name,
        "create_time": utc_time(entry.create_time),
        "used_time": utc_time(entry.used_time),
        "current": entry.is_current,
    }


def _line(entry: SessionEntry) -> str:
    from chatbooth_grpc.client.terminal.display import harmless_line, local_time

    label = f" {harmless_line(entry.label)}" if entry.label else ""
    current = " (this one)" if entry.is_current else ""
    times = f"since {local_time(entry.create_time)}, last used {local_time(entry.used_time)}"
    return f"{entry.session_id}{label}{current}: {times}"


COMMAND = Command(run, add_flags)
