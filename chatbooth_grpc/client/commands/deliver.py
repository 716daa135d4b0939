"""`deliver`: prints the messages that wait, and acknowledges them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.parsing import argument_values as values
from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser, flag_value
from chatbooth_grpc.client.commands.parsing.shared_flags import add_max_flag
from chatbooth_grpc.client.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.client.commands.tasks.context import Context

_BATCH = 256


def add_flags(parser: CommandParser) -> None:
    """Add the flags for where to start, when to stop, and whether to acknowledge."""
    parser.add_flag("--keep", action="store_true", help="only look: acknowledge nothing, so that all comes again")
    parser.add_flag(
        "--after",
        type=flag_value(values.sequence),
        metavar="N",
        help="start after the message numbered N instead of after the last acknowledged, also if shown before",
    )
    add_max_flag(parser)


def run(context: Context, parsed: Namespace) -> None:
    """Deliver as the flags say."""
    deliver(context, after=parsed.after, most=parsed.most, keep=parsed.keep)


def deliver(context: Context, *, after: int | None = None, most: int | None = None, keep: bool = False) -> None:
    """Print the messages that wait, or those after sequence `after`. Print `most` at most.

    With `keep`, acknowledge none.
    """
    from chatbooth_grpc.client.commands.tasks.showing import Showing, only_reader

    saved = context.pick()
    with ExitStack() as stack:
        if not keep:
            stack.enter_context(only_reader(context, saved.username, "deliver"))
            # Another process may have shown some messages while this one waited.
            saved = context.sessions.pick(saved.username)
        client = stack.enter_context(context.client_of(saved))
        showing = Showing(context, saved, repeat=after is not None, note=not keep)
        left = most
        batches = client.batches(after=after, max_messages=_batch_size(left), keep=keep)
        for delivery in batches:
            showing.check(delivery.opening)
            shown = showing.show(delivery)
            left = None if left is None else left - shown
            if left == 0:
                batches.acknowledge()
                break
            batches.max_messages = _batch_size(left)
        # The loop does not see the delivery that ended it, because that one has no messages.
        if batches.opening is not None:
            showing.check(batches.opening)
    if not showing.anything:
        context.output.say("No new messages.")


def _batch_size(left: int | None) -> int:
    return _BATCH if left is None else min(left, _BATCH)


COMMAND = Command(run, add_flags)
