"""`delete`: deletes the account, its sessions and all messages in its mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.parsing.shared_flags import add_password_flag
from chatbooth_grpc.client.commands.table import Command
from chatbooth_grpc.client.failures.invocation import command_line

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser
    from chatbooth_grpc.client.commands.tasks.context import Context
    from chatbooth_grpc.client.state.session_file import SavedSession


def add_flags(parser: CommandParser) -> None:
    """Add the confirmation and the password's flag."""
    parser.add_flag("--yes", action="store_true", help="do not ask whether it is meant")
    add_password_flag(parser, "the password, a line,")


def run(context: Context, parsed: Namespace) -> None:
    """Delete the account. Ask first, unless --yes was given."""
    delete(context, confirmed=parsed.yes)


def delete(context: Context, *, confirmed: bool = False) -> None:
    """Delete the account, and forget its session."""
    from chatbooth_grpc.client.failures.outcomes import outcome_unknown

    saved = context.pick()
    if not confirmed:
        _confirm(context, saved)
    password = context.passwords.current(saved.username)
    who_am_i_command = command_line(context.server, "--as", saved.username, "whoami")
    with (
        context.client_of(saved) as client,
        outcome_unknown(f"Whether {saved.username} was deleted is not known. To find out, type: {who_am_i_command}"),
    ):
        removal = client.delete(password)
    try:
        context.output.result(
            {"username": saved.username, "messages_removed": removal.messages, "sessions_ended": removal.sessions},
            f"Deleted {saved.username}. Messages removed: {removal.messages}. Sessions ended: {removal.sessions}.",
        )
    finally:
        context.sessions.remove(saved)
        context.sessions.remove_outbox(saved)


def _confirm(context: Context, saved: SavedSession) -> None:
    """Ask whether the account is to be deleted. Raises Misuse unless the answer is yes."""
    from chatbooth_grpc.client.failures.command_failure import Misuse

    if not context.prompts.is_terminal:
        raise Misuse("Deleting an account cannot be undone. Say --yes to do it without being asked.")
    try:
        question = f"Delete {saved.username} and all its messages on {context.server}? [y/N] "
        answer = context.prompts.line(question, flush=True)
    except EOFError:
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise Misuse("Nothing was deleted.")


COMMAND = Command(run, add_flags)
