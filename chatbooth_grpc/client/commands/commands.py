"""The commands but `deliver`: each does one thing for a person or a script, then says or prints what came of it."""

from __future__ import annotations

from chatbooth_grpc.booth.errors import ChatboothError, RecipientNotFound, SessionInvalid
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.booth.rules import folded_username
from chatbooth_grpc.client.commands.context import Context
from chatbooth_grpc.client.failures.failures import Misuse, SessionFileDamaged, SessionNotKept, outcome_unknown
from chatbooth_grpc.client.failures.invocation import command_line
from chatbooth_grpc.client.state.session_file import SavedSession
from chatbooth_grpc.client.terminal.display import harmless_line, harmless_name, local_time, utc_time

_LONGEST_SHOWN_TEXT = 200


def sign_up(context: Context, username: str) -> None:
    """Make an account, and keep its session."""
    username = folded_username(username)
    password = context.passwords.first(username)
    log_in_command = command_line(context.server, "login", username)
    with (
        context.client() as client,
        outcome_unknown(f"Whether the account was made is not known. To find out, type: {log_in_command}"),
    ):
        session = client.sign_up(username, password)
    words = f"Signed up as {session.username} on {context.server}"
    _keep(context, session, words)
    context.output.result(_account(context, session), f"{words}.")


def log_in(context: Context, username: str) -> None:
    """Open a session, and keep it; one that was kept for this user before is ended."""
    username = folded_username(username)
    password = context.passwords.current(username)
    with context.client() as client:
        session = client.log_in(username, password)
    words = f"Logged in as {session.username} on {context.server}"
    _keep(context, session, words)
    context.output.result(_account(context, session), f"{words}.")


def log_out(context: Context) -> None:
    """End the session, and forget it; a session that has ended already is forgotten too."""
    saved = context.pick()
    with context.client(saved.session) as client:
        try:
            client.log_out()
        except SessionInvalid:
            context.output.say("The session had ended already.")
    try:
        context.output.result({"username": saved.username, "server": context.server}, f"Logged out {saved.username}.")
    finally:
        context.sessions.remove(saved)


def who_am_i(context: Context) -> None:
    """Print who acts, after the server has confirmed that the session is alive."""
    saved = context.pick()
    with context.client_of(saved) as client:
        client.acknowledge(0)  # moves nothing: the cheapest call that needs a session
    context.output.datum(_account(context, saved.session), harmless_name(saved.username))


def change_password(context: Context) -> None:
    """Change the password."""
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


def list_accounts(context: Context, pattern: str, prefix: str) -> None:
    """Print the usernames that the pattern finds, one a line."""
    found = 0
    with context.client_of(context.pick()) as client:
        for username in client.list(pattern, prefix=prefix):
            context.output.datum({"username": username}, harmless_name(username))
            found += 1
    if not found:
        context.output.say("No username matches.")


def send(context: Context, recipient: str, text: str, message_id: bytes | None = None) -> None:
    """Send a text; if it is not known whether it arrived, say how to repeat it so that it does so once."""
    message_id = message_id or new_message_id()
    saved = context.pick()
    command = _repeating_command(context, saved, recipient, text, message_id)
    with (
        context.client_of(saved) as client,
        outcome_unknown(
            f"Whether it was stored is not known; to have it sent once, type: {command}",
            {"message_id": message_id.hex(), "command": command},
        ),
    ):
        try:
            receipt = client.send(recipient, text, message_id=message_id)
        except RecipientNotFound as error:
            from chatbooth_grpc.client.commands.suggestions import with_near_names  # commands that go well need none

            raise with_near_names(client, error) from error
    record = {
        "recipient": recipient.lower(),
        "message_id": message_id.hex(),
        "accept_time": utc_time(receipt.accept_time),
    }
    context.output.result(record, f"Sent to {recipient.lower()}, accepted at {local_time(receipt.accept_time)}.")


def delete(context: Context, *, confirmed: bool = False) -> None:
    """Delete the account, and forget its session."""
    saved = context.pick()
    if not confirmed:
        confirm_deletion(context, saved)
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


def confirm_deletion(context: Context, saved: SavedSession) -> None:
    """Ask whether the account is really to go. Raises Misuse unless it is."""
    if not context.prompts.is_terminal:
        raise Misuse("Deleting an account cannot be undone. Say --yes to do it without being asked.")
    try:
        question = f"Delete {saved.username} and all its messages on {context.server}? [y/N] "
        answer = context.prompts.line(question, flush=True)
    except EOFError:
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise Misuse("Nothing was deleted.")


def _keep(context: Context, session: Session, done: str) -> None:
    """Keep a new session in place of the user's last, and end that one, so that they don't pile up.

    Raises SessionNotKept, which begins with the words for what was `done`.
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
            return  # it ends by itself when it has not been used for long enough


def _account(context: Context, session: Session) -> dict[str, object]:
    return {"username": session.username, "account_id": session.account_id, "server": context.server}


def _repeating_command(context: Context, saved: SavedSession, recipient: str, text: str, message_id: bytes) -> str:
    """Return the command that repeats a message; a text too long or odd to be typed is to be piped in again."""
    words = ["--as", saved.username, "send", "--message-id", message_id.hex(), recipient]
    if len(text) > _LONGEST_SHOWN_TEXT or harmless_line(text) != text:
        return f"{command_line(context.server, *words, '-')}  (with the same text on standard input)"
    return command_line(context.server, *words, "--", text)
