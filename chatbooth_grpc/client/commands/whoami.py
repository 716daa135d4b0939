"""`whoami`: prints who is logged in, if the session is alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.client.commands.tasks.context import Context


def run(context: Context, _parsed: Namespace) -> None:
    """Print who is logged in."""
    who_am_i(context)


def who_am_i(context: Context) -> None:
    """Print who is logged in, after the server has confirmed that the session is alive."""
    from chatbooth_grpc.client.terminal.display import harmless_name

    saved = context.pick()
    with context.client_of(saved) as client:
        # This moves no cursor. It is the cheapest call that needs a session.
        client.acknowledge(0)
    context.output.datum(context.account_record(saved.session), harmless_name(saved.username))


COMMAND = Command(run)
