"""Sending through the outbox: `send --queue`, the `outbox` command, and the thread that empties it meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chatbooth_grpc.booth.errors import ChatboothError, DeadlineExceeded, TooBusy, Unavailable
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.booth.rules import folded_username
from chatbooth_grpc.client.chat_client import ChatClient
from chatbooth_grpc.client.context import Context
from chatbooth_grpc.client.display import harmless_line, harmless_name, local_time, utc_time
from chatbooth_grpc.client.failures import Misuse
from chatbooth_grpc.client.outbox import Outbox, QueuedMessage
from chatbooth_grpc.client.session_file import SavedSession

_LOOK_INTERVAL = 1.0
_LONGEST_SHOWN_TEXT = 60


def send_queued(context: Context, recipient: str, text: str, message_id: bytes | None = None) -> None:
    """Accept a message durably, then send what is queued; if the server is away, it waits."""
    recipient = folded_username(recipient, "recipient")
    if not text:
        raise Misuse("The text is empty. Write at least one character.")
    saved = context.pick()
    with context.sessions.outbox(saved) as outbox:
        queued = outbox.put(recipient, text, message_id)
        try:
            _send_waiting(context, saved, outbox)
        except (Unavailable, DeadlineExceeded, TooBusy) as error:
            context.output.result(
                {"type": "queued", "recipient": recipient, "message_id": queued.hex()},
                f"{error} The message to {recipient} is queued: it goes out with the next send --queue, outbox --send "
                "or listen that finds the server.",
            )


def show_outbox(context: Context, *, send: bool = False, drop: bytes | None = None) -> None:
    """Print what is queued and what was refused; `send` tries to send it first, `drop` forgets one by its id."""
    saved = context.pick()
    with context.sessions.outbox(saved) as outbox:
        if drop is not None and not outbox.drop(drop):
            raise Misuse(f"No message in the outbox has the id {drop.hex()}.")
        if send:
            _send_waiting(context, saved, outbox)
        messages = outbox.waiting() + outbox.refused()
        for message in messages:
            _print_queued(context, message)
        if not messages:
            context.output.say("The outbox is empty.")


@contextmanager
def emptying_outbox(context: Context, saved: SavedSession, client: ChatClient) -> Iterator[None]:
    """Send what is queued, and what other commands queue, for as long as the block runs."""
    stopping = threading.Event()

    def run() -> None:
        while not stopping.wait(_LOOK_INTERVAL):
            if context.sessions.has_outbox(saved):
                try:
                    with context.sessions.outbox(saved) as outbox:
                        _flush(context, outbox, client)
                except (ChatboothError, OSError):
                    continue  # it stays queued; the stream beside it tells the person what is wrong

    thread = threading.Thread(target=run, name="outbox-sender", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(context.timeout)


def _send_waiting(context: Context, saved: SavedSession, outbox: Outbox) -> None:
    with context.client_of(saved) as client:
        _flush(context, outbox, client)


def _flush(context: Context, outbox: Outbox, client: ChatClient) -> None:
    def send(recipient: str, text: str, message_id: bytes) -> Receipt:
        return client.send(recipient, text, message_id=message_id)

    for message, outcome in outbox.flush(send):
        record: dict[str, object] = {"recipient": message.recipient, "message_id": message.message_id.hex()}
        if isinstance(outcome, Receipt):
            record |= {"type": "sent", "accept_time": utc_time(outcome.accept_time)}
            words = f"Sent to {message.recipient}, accepted at {local_time(outcome.accept_time)}."
        else:
            record |= {"type": "refused", "error": outcome.reason, "message": str(outcome)}
            words = f"Not sent to {message.recipient}: {outcome} The text stays in the outbox: see the command outbox."
        context.output.result(record, words)


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
