"""`listen`: prints each message that waits or comes, once, through lost connections."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.parsing.shared_flags import add_max_flag
from chatbooth_grpc.client.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.booth.errors import ChatboothError
    from chatbooth_grpc.booth.model import Opening
    from chatbooth_grpc.client.commands.tasks.context import Context


def run(context: Context, parsed: Namespace) -> None:
    """Listen as the flags say."""
    listen(context, most=parsed.most)


def listen(context: Context, *, most: int | None = None) -> None:
    """Print messages as they come, `most` of them at most. Meanwhile, send the messages that the outbox holds."""
    from dataclasses import replace

    from chatbooth_grpc.booth.model import Delivery, Gap
    from chatbooth_grpc.client.commands.tasks.outbox_sender import emptying_outbox
    from chatbooth_grpc.client.commands.tasks.showing import LISTEN, Showing, only_reader
    from chatbooth_grpc.client.state.history import Restored

    saved = context.pick()
    with ExitStack() as stack:
        stack.enter_context(only_reader(context, saved.username, LISTEN))
        # Another process may have shown some messages while this one waited.
        saved = context.sessions.pick(saved.username)
        client = stack.enter_context(context.client_of(saved, quiet=True))
        connection = _ConnectionWords(context)
        stream = stack.enter_context(
            client.listen(
                after=saved.shown_through or None,
                epoch=saved.session.epoch or None,
                on_lost=connection.lost,
                on_resumed=connection.resumed,
            )
        )
        # The block that is entered last ends first. So an interrupt says which messages stay queued before anything
        # waits for the stream's end.
        stack.enter_context(emptying_outbox(context, saved, client))
        showing = Showing(context, saved, repeat=False, note=True)
        left = most
        for event in stream:
            if isinstance(event, Restored):
                showing.show_restored(event)
                continue
            opening = connection.opening
            if isinstance(event, Gap):
                delivery = Delivery(replace(opening, gap=event), [], more=False)
            else:
                messages = [*event.messages[:left]]
                delivery = Delivery(replace(opening, gap=None), messages, more=False)
            shown = showing.show(delivery)
            left = None if left is None else left - shown
            if left == 0:
                client.acknowledge(delivery.messages[-1].sequence, epoch=opening.epoch)
                break


class _ConnectionWords:
    """Says once for each change whether the connection is lost, and keeps the latest connection's opening."""

    def __init__(self, context: Context) -> None:
        self._output = context.output
        self._server = context.server
        self._is_lost = False
        self._opening: Opening | None = None

    @property
    def opening(self) -> Opening:
        """The opening of the connection that brought the latest event."""
        if self._opening is None:
            raise LookupError("no event comes before an opening")
        return self._opening

    def lost(self, error: ChatboothError, _pause: float) -> None:
        """Say that the connection is lost."""
        if not self._is_lost:
            self._output.say(f"Connection lost, reconnecting… ({error})")
        self._is_lost = True

    def resumed(self, opening: Opening) -> None:
        """Say that there is a connection, the first one or again."""
        if self._opening is None:
            self._output.say(f"Connected to {self._server}; messages waiting: {opening.replaying}. Stop with Ctrl-C.")
        elif self._is_lost:
            self._output.say(f"Connected again; messages missed meanwhile: {opening.replaying}.")
        self._is_lost = False
        self._opening = opening


COMMAND = Command(run, add_max_flag)
