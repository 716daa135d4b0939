"""`outbox`: prints the messages that are queued, and those that the server refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.parsing import argument_values as values
from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser, flag_value
from chatbooth_grpc.client.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.client.commands.tasks.context import Context


def add_flags(parser: CommandParser) -> None:
    """Add the flags for sending or dropping messages before the outbox is printed."""
    parser.add_flag("--send", action="store_true", help="try to send what is queued first")
    parser.add_flag(
        "--drop", type=flag_value(values.message_id), metavar="HEX", help="forget the message with this id first"
    )


def run(context: Context, parsed: Namespace) -> None:
    """Print the outbox, after sending or dropping as the flags say."""
    from chatbooth_grpc.client.commands.tasks.outbox_showing import show_outbox

    show_outbox(context, send=parsed.send, drop=parsed.drop)


COMMAND = Command(run, add_flags)
