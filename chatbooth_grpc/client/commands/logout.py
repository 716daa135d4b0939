"""`logout`: ends the session, and forgets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.client.commands.tasks.context import Context


def run(context: Context, _parsed: Namespace) -> None:
    """Log out."""
    log_out(context)


def log_out(context: Context) -> None:
    """End the session, and forget it. Forget it as well if it has ended already."""
    from chatbooth_grpc.booth.errors import SessionInvalid

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


COMMAND = Command(run)
