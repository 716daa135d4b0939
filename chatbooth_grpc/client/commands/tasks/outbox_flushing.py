"""Opening the outbox, sending the messages that wait in it, and reporting each outcome."""

from __future__ import annotations

from pathlib import Path

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.failures.outcomes import QueuedButRefused
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.state.outbox import Outbox, OutboxDamaged, QueuedMessage, Send, set_aside
from chatbooth_grpc.client.state.session_file import SavedSession
from chatbooth_grpc.client.terminal.display import local_time, utc_time

GOES_OUT = "goes out with the next send --queue, outbox --send or listen that finds the server."


def open_outbox(context: Context, saved: SavedSession) -> Outbox:
    """Open the outbox of a session's account. If its file is damaged, set it aside and say so. Raises OSError."""
    try:
        return context.sessions.outbox(saved)
    except OutboxDamaged as damage:
        if (kept := set_aside(Path(damage.filename))) is not None:
            context.output.notice(
                {"type": "outbox_damaged", "path": damage.filename, "kept": str(kept), "message": damage.strerror},
                f"{damage.filename}: {damage.strerror}. It is kept as {kept}, and a new outbox takes its place. "
                "Messages that waited in it were not sent. To send one again, queue it under the id that was said when "
                "it was queued: then it is stored once, even if it was sent after all.",
            )
        return context.sessions.outbox(saved)


def flush_outbox(
    context: Context, outbox: Outbox, client: ChatClient, wait: float = 0.0
) -> list[Receipt | ChatboothError]:
    """Send the messages that wait, report the outcome of each, and return the outcomes."""
    outcomes = []
    for message, outcome in outbox.flush(sending_by(client), wait=wait):
        report(context, message, outcome)
        outcomes.append(outcome)
    return outcomes


def say_what_waits(context: Context, outbox: Outbox) -> None:
    """Say how many messages stay queued, if any do."""
    count = len(outbox.waiting())
    if count:
        context.output.say(f"Still queued: {count}. What is queued {GOES_OUT}")


def sending_by(client: ChatClient) -> Send:
    return lambda recipient, text, message_id: client.send(recipient, text, message_id=message_id)


def report(context: Context, message: QueuedMessage, outcome: Receipt | ChatboothError) -> None:
    record: dict[str, object] = {"recipient": message.recipient, "message_id": message.message_id.hex()}
    if isinstance(outcome, Receipt):
        record |= {"type": "sent", "accept_time": utc_time(outcome.accept_time)}
        words = f"Sent to {message.recipient}, accepted at {local_time(outcome.accept_time)}."
    else:
        record |= {"type": "refused", "error": outcome.reason, "message": str(outcome)}
        words = str(QueuedButRefused(outcome, message.recipient, message.message_id))
    context.output.result(record, words, even_if_quiet=not isinstance(outcome, Receipt))
