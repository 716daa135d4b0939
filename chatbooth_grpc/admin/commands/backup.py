"""`backup`: copies the store into a file, also while the server runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from chatbooth_grpc.admin.commands.shared_arguments import add_force
from chatbooth_grpc.admin.commands.table import Command
from chatbooth_grpc.client.commands.parsing import argument_values as values
from chatbooth_grpc.client.commands.parsing.command_parser import flag_value, positional

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.admin.commands.context import Context
    from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser


def add_flags(parser: CommandParser) -> None:
    """Add the file or folder, and how many backups are kept there."""
    parser.add_argument(
        "file",
        type=positional(Path),
        metavar="FILE|FOLDER",
        help="the file to make, or the folder in which to make a file that is named by the time; the user who runs "
        "the server makes it",
    )
    add_force(parser)
    parser.add_flag(
        "--keep",
        type=flag_value(values.count),
        metavar="N",
        help="afterwards remove all but the newest N backups of this store from the folder",
    )


def run(context: Context, parsed: Namespace) -> None:
    """Make the backup, and say what it has once it is in its place. Then remove the old ones."""
    from chatbooth_grpc.admin.commands.dated_backups import DatedBackups, require_folder
    from chatbooth_grpc.admin.commands.showing import size
    from chatbooth_grpc.booth.counting import counted

    if parsed.keep is not None:
        require_folder(parsed.file)
    dated = DatedBackups(parsed.file, context.store)
    target = dated.next(time.time()) if parsed.file.is_dir() else parsed.file
    with context.actions() as actions:
        for backup in context.showing(actions.backup(target.absolute(), force=parsed.force)):
            context.output.result(
                {"path": str(backup.path), "size": backup.size, "messages": backup.messages},
                f"Backed up to {target}: {counted(backup.messages, 'message')}, {size(backup.size)}, checked.",
            )
    if parsed.keep is not None:
        context.output.say(f"Older backups removed: {dated.remove_all_but(parsed.keep)}.")


COMMAND = Command(run, add_flags)
