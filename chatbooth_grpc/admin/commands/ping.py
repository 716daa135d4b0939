"""`ping`: asks whether the server runs and can write its store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.admin.commands.reaching import is_served
from chatbooth_grpc.admin.commands.table import Command
from chatbooth_grpc.client.failures.command_failure import CommandFailure
from chatbooth_grpc.client.failures.exit_codes import UNREACHABLE

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from chatbooth_grpc.admin.commands.context import Context


class NotRunning(CommandFailure):
    """No server serves the store."""

    reason = "NOT_RUNNING"
    exit_code = UNREACHABLE

    def __init__(self, store: Path) -> None:
        super().__init__(f"No server serves {store}. Start one, or name the file of another store with --store.")


class NotServing(CommandFailure):
    """The server runs, but cannot write its store."""

    reason = "NOT_SERVING"

    def __init__(self, store: Path, problem: str) -> None:
        super().__init__(f"The server runs, but it cannot write {store}: {problem}. See its log.")


def run(context: Context, _parsed: Namespace) -> None:
    """Say that the server is healthy. Raises NotRunning, NotServing."""
    if not is_served(context.store):
        raise NotRunning(context.store)
    from chatbooth_grpc.rpc.admin_client import connected
    from chatbooth_grpc.rpc.admin_socket import socket_of

    with connected(socket_of(context.store)) as client:
        problem = client.problem()
    if problem:
        raise NotServing(context.store, problem)
    words = f"The server runs and can write {context.store}."
    context.output.result({"serving": True, "store": str(context.store)}, words)


COMMAND = Command(run)
