"""Making a token, and handing over its secret once: to a private file, or to standard output."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO

from chatbooth_grpc.booth.errors import ChatboothError, RecipientNotFound
from chatbooth_grpc.booth.model import NewToken
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.commands.tasks.suggestions import with_near_names
from chatbooth_grpc.client.failures.invocation import command_line
from chatbooth_grpc.client.failures.outcomes import outcome_unknown
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.state.durable_file import sync_directory
from chatbooth_grpc.client.terminal.display import harmless_line, local_time, utc_time


def create_token(context: Context, parsed: Namespace) -> None:
    """Make the token that the words describe. Raises OSError if the file exists or cannot be written."""
    saved = context.pick()
    revoke_command = command_line(context.server, "--as", saved.username, "token", "revoke", parsed.name)
    unknown = f"Whether the token was made is not known, and its secret is lost. To be sure, type: {revoke_command}"
    with (
        _new_file(Path(parsed.output)) if parsed.output else nullcontext() as file,
        context.client_of(saved) as client,
    ):
        with outcome_unknown(unknown):
            made = _made(client, parsed)
        try:
            _hand_over(context, made, parsed.name, file)
        except OSError:
            # Nobody has its secret.
            with suppress(ChatboothError):
                client.end_session(made.session_id)
            raise
    _say_done(context, made, parsed)


def _made(client: ChatClient, parsed: Namespace) -> NewToken:
    try:
        return client.create_token(
            parsed.name,
            may_read=parsed.read,
            may_send=parsed.send_to_anyone,
            recipient=parsed.send_to,
            lifetime=parsed.expires,
        )
    except RecipientNotFound as error:
        raise with_near_names(client, error) from error


def _hand_over(context: Context, made: NewToken, name: str, file: IO[bytes] | None) -> None:
    if file is None:
        context.output.datum({**_record(made, name), "token": made.text}, made.text)
        context.output.flush()
        return
    file.write(f"{made.text}\n".encode())
    file.flush()
    os.fsync(file.fileno())


def _say_done(context: Context, made: NewToken, parsed: Namespace) -> None:
    expiry = f" until {local_time(made.expire_time)}" if made.expire_time else ""
    words = f"The token {harmless_line(parsed.name)} (id {made.session_id}) is valid{expiry}."
    if parsed.output:
        record = {**_record(made, parsed.name), "file": parsed.output}
        context.output.result(record, f"{words} Its secret is in {harmless_line(parsed.output)}, and nowhere else.")
    else:
        context.output.say(f"{words} Its secret is not shown again.")


def _record(made: NewToken, name: str) -> dict[str, object]:
    expire_time = utc_time(made.expire_time) if made.expire_time else None
    return {"session_id": made.session_id, "label": name, "expire_time": expire_time}


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """Make a file that its owner alone can read, and remove it again if the block fails. Raises OSError."""
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    try:
        with file:
            yield file
        sync_directory(path.resolve().parent)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
