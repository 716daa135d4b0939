"""Functions that parse and run a line as the command line does."""

from __future__ import annotations

from typing import Any

from chatbooth_grpc.client.commands.arguments import parse
from chatbooth_grpc.client.commands.table import load
from chatbooth_grpc.client.commands.tasks.context import Context


def parsed(line: str) -> dict[str, Any]:
    """Return the parsed words of a line."""
    return vars(parse(line.split()))


def run_line(context: Context, line: str) -> None:
    """Run the command of a line, over a context that the test gives."""
    found = parse(line.split())
    load(found.command).run(context, found)
