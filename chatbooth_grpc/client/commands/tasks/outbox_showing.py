"""Printing the outbox, after sending its messages or dropping one of them."""

from __future__ import annotations

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.commands.tasks.outbox_flushing import flush_outbox, open_outbox, say_what_waits
from chatbooth_grpc.client.failures.command_failure import Misuse
from chatbooth_grpc.client.failures.interrupts import Interrupted
from chatbooth_grpc.client.failures.outcomes import SomeNotSent
from chatbooth_grpc.client.state.outbox import Outbox, QueuedMessage
from chatbooth_grpc.client.state.session_file import SavedSession
from chatbooth_grpc.client.terminal.display import harmless_line, harmless_name

_LONGEST_SHOWN_TEXT = 60


def show_outbox(context: Context, *, send: bool = False, drop: bytes | None = None) -> None:
    """Print the messages that are queued and those that were refused.

    With `send`, try to send the queued ones first. `drop` is the id of a message to forget first. Raises SomeNotSent if
    the server refused some of the messages that were sent.
    """
    saved = context.pick()
    with open_outbox(context, saved) as outbox:
        if drop is not None:
            _drop(context, outbox, drop)
        outcomes = _send_waiting(context, saved, outbox) if send else []
        messages = outbox.waiting() + outbox.refused()
        for message in messages:
            _print_queued(context, message)
        if not messages:
            context.output.say("The outbox is empty.")
    failed = sum(not isinstance(outcome, Receipt) for outcome in outcomes)
    if failed:
        raise SomeNotSent(len(outcomes) - failed, failed)


def _drop(context: Context, outbox: Outbox, message_id: bytes) -> None:
    if not outbox.drop(message_id):
        raise Misuse(f"No message in the outbox has the id {message_id.hex()}.")
    context.output.result(
        {"type": "dropped", "message_id": message_id.hex()}, f"Dropped the message with the id {message_id.hex()}."
    )


def _send_waiting(context: Context, saved: SavedSession, outbox: Outbox) -> list[Receipt | ChatboothError]:
    with context.client_of(saved) as client:
        try:
            return flush_outbox(context, outbox, client, wait=context.timeout)
        except Interrupted:
            say_what_waits(context, outbox)
            raise


def _print_queued(context: Context, message: QueuedMessage) -> None:
    record = {
        "type": "waiting" if message.refusal is None else "refused",
        "recipient": message.recipient,
        "message_id": message.message_id.hex(),
        "text": message.text,
    }
    if message.refusal is not None:
        record["message"] = message.refusal
    text = harmless_line(message.text)
    shown = text if len(text) <= _LONGEST_SHOWN_TEXT else f"{text[:_LONGEST_SHOWN_TEXT]}…"
    state = "waiting" if message.refusal is None else f"refused ({harmless_line(message.refusal)})"
    name = harmless_name(message.recipient)
    context.output.datum(record, f"{message.message_id.hex()}  to {name}, {state}: {shown}")
