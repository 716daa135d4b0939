"""`export`: prints all that the store holds about a person, as JSON lines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from chatbooth_grpc.admin.commands.shared_arguments import add_force, add_user
from chatbooth_grpc.admin.commands.table import Command
from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser, positional

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Mapping

    from chatbooth_grpc.admin.commands.context import Context


def add_flags(parser: CommandParser) -> None:
    """Add the name and the file."""
    add_user(parser)
    parser.add_argument(
        "file",
        type=positional(Path),
        nargs="?",
        metavar="FILE",
        help="where to write, readable by you alone; default: standard output",
    )
    add_force(parser)


def run(context: Context, parsed: Namespace) -> None:
    """Export the records, to the file if one is named."""
    import json

    with context.actions() as actions:
        records = actions.export(parsed.username)
        if parsed.file is None:
            for record in records:
                context.output.datum(record, json.dumps(record))
            return
        from chatbooth_grpc.booth.counting import counted

        count = _write(parsed.file, records, force=parsed.force)
    context.output.result(
        {"username": parsed.username, "path": str(parsed.file), "records": count},
        f"Wrote {counted(count, 'record')} about {parsed.username} to {parsed.file}.",
    )


def _write(path: Path, records: Iterable[Mapping[str, object]], *, force: bool) -> int:
    """Write the records into a private file, and return how many. A file that is not whole is removed."""
    import json

    from chatbooth_grpc.client.failures.command_failure import Misuse

    if not force and os.path.lexists(path):
        raise Misuse(f"{path} exists already. Name another file, or say --force to replace it.")
    part = path.with_name(f"{path.name}.part-{os.getpid()}")
    count = 0
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            for record in records:
                print(json.dumps(record), file=file)
                count += 1
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        # A write that fails names no file.
        error.filename = error.filename or str(path)
        raise
    finally:
        part.unlink(missing_ok=True)
    return count


COMMAND = Command(run, add_flags)
