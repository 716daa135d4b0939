"""Asking for the user of a new session, and keeping the session, for `signup` and `login`."""

from __future__ import annotations

from argparse import Namespace

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.failures.command_failure import Misuse
from chatbooth_grpc.client.failures.session_failures import SessionFileDamaged, SessionNotKept
from chatbooth_grpc.client.state.session_file import SavedSession


def asked_username(context: Context, parsed: Namespace) -> str:
    """Return the user to sign up or log in. If the command line names none, ask for one. Raises Misuse."""
    given: str | None = parsed.username or context.as_user
    if given:
        return given
    if parsed.password_stdin or not context.prompts.is_terminal:
        raise Misuse("Say which user: give a USERNAME.")
    try:
        return context.prompts.line("Username: ").strip()
    except EOFError as error:
        raise Misuse("No username was given.") from error


def keep_session(context: Context, session: Session, done: str) -> None:
    """Keep a new session in place of the user's last one, and say the words `done`.

    End the last session, so that sessions do not pile up. Raises SessionNotKept, whose words begin with `done`.
    """
    try:
        old = _kept_before(context, session.username)
        shown = old.shown_of(session.account_id, session.epoch) if old else 0
        context.sessions.save(SavedSession(context.server, session, shown))
    except OSError as error:
        _end_quietly(context, session)
        raise SessionNotKept(done, error, context.server, session.username) from error
    if old:
        _end_quietly(context, old.session)
    context.output.result(context.account_record(session), f"{done}.")


def _kept_before(context: Context, username: str) -> SavedSession | None:
    try:
        return context.sessions.load(username)
    except SessionFileDamaged:
        kept = context.sessions.set_aside(username)
        context.output.say(f"The damaged session file is kept as {kept}. A new one takes its place.")
        return None


def _end_quietly(context: Context, session: Session) -> None:
    with context.client(session) as client:
        try:
            client.log_out()
        except ChatboothError:
            # The session ends by itself after some time without use.
            return
