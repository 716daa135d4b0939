"""`verify`: looks whether a backup is whole and sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.admin.commands.shared_arguments import add_file
from chatbooth_grpc.admin.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.admin.commands.context import Context
    from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser


def add_flags(parser: CommandParser) -> None:
    """Add the file."""
    add_file(parser, "the backup")


def run(context: Context, parsed: Namespace) -> None:
    """Verify the file. Raises NotSound."""
    from chatbooth_grpc.admin.commands.context import NotSound
    from chatbooth_grpc.booth.admin_store import Finding, Verified
    from chatbooth_grpc.booth.counting import counted

    findings = 0
    for item in context.showing(context.place.verify(parsed.file.absolute())):
        if isinstance(item, Finding):
            findings += 1
            context.output.datum({"check": item.check, "words": item.words}, f"{item.check}: {item.words}")
        elif isinstance(item, Verified) and not findings:
            rest = "" if item.is_of_newest_schema else " Its schema is older, so the file alone was checked."
            context.output.result(
                {"path": str(parsed.file), "schema": item.schema, "messages": item.messages, "sound": True},
                f"{parsed.file} is sound: schema {item.schema}, {counted(item.messages, 'message')}.{rest}",
            )
    if findings:
        raise NotSound(str(parsed.file), findings)


COMMAND = Command(run, add_flags)
