"""Sending through the outbox: `send --queue` and the `outbox` command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chatbooth_grpc.booth.errors import ChatboothError, RecipientNotFound
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.booth.rules import folded_username
from chatbooth_grpc.booth.unicode import check_unicode
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.failures.failures import Misuse, QueuedButRefused, SessionEnded, SomeNotSent
from chatbooth_grpc.client.failures.interrupts import Interrupted
from chatbooth_grpc.client.failures.invocation import command_line
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.state.outbox import PASSING, Outbox, OutboxDamaged, QueuedMessage, Send, set_aside
from chatbooth_grpc.client.state.session_file import SavedSession
from chatbooth_grpc.client.terminal.display import harmless_line, harmless_name, local_time, utc_time

_LONGEST_SHOWN_TEXT = 60

_LONGEST_TRY = 1.0
"""The seconds for which `send --queue` waits for its turn, and then for the server's answer to each message."""

_GOES_OUT = "goes out with the next send --queue, outbox --send or listen that finds the server."


def send_queued(context: Context, recipient: str, text: str, message_id: bytes | None = None) -> None:
    """Accept a message durably, say so, then try once to send what is queued; if that fails, it waits."""
    recipient = folded_username(recipient, "recipient")
    _check_text(text)
    saved = context.pick()
    with open_outbox(context, saved) as outbox:
        queued = _accept(context, outbox, QueuedMessage(message_id or new_message_id(), recipient, text))
        try:
            outcome = _outcome(replace(context, timeout=min(context.timeout, _LONGEST_TRY)), saved, outbox, queued)
        except PASSING as error:
            context.output.say(f"{error} The message stays queued: it {_GOES_OUT}")
        except SessionEnded:
            context.output.say("The message stays queued: it goes out after you have logged in again.")
            raise
        else:
            if isinstance(outcome, ChatboothError):
                raise QueuedButRefused(outcome, recipient, queued.message_id)


def show_outbox(context: Context, *, send: bool = False, drop: bytes | None = None) -> None:
    """Print what is queued and what was refused; `send` tries to send it first, `drop` forgets one by its id.

    Raises SomeNotSent: the server refused some of the messages that `send` tried.
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


def open_outbox(context: Context, saved: SavedSession) -> Outbox:
    """Open the outbox of a session's account. A damaged file is set aside, and that is said. Raises OSError."""
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


def say_what_waits(context: Context, outbox: Outbox) -> None:
    """Say how many messages stay queued, if any do."""
    count = len(outbox.waiting())
    if count:
        context.output.say(f"Still queued: {count}. What is queued {_GOES_OUT}")


def _check_text(text: str) -> None:
    if not text:
        raise Misuse("The text is empty. Write at least one character.")
    check_unicode(text=text)


def _accept(context: Context, outbox: Outbox, message: QueuedMessage) -> QueuedMessage:
    """Put a message into the outbox and say so. No interrupt can come between the two."""
    waiting = outbox.same_texts(message.recipient, message.text)
    twin = waiting[0] if waiting and message not in waiting else None
    record = {"type": "queued", "recipient": message.recipient, "message_id": message.message_id.hex()}
    if twin:
        record["same_text_as"] = twin.message_id.hex()
    with context.interrupts.held():
        outbox.put(message.recipient, message.text, message.message_id)
        context.output.result(record, f"The message to {message.recipient} is queued, id {message.message_id.hex()}.")
    if twin:
        context.output.say(
            f"The outbox holds the same text to {message.recipient} already, id {twin.message_id.hex()}, and sends "
            "both. To repeat a message and have it stored once, repeat it with its --message-id. To drop this one "
            f"while it waits, type: {_drop_command(context, message)}"
        )
    return message


def _drop_command(context: Context, message: QueuedMessage) -> str:
    words = ["--as", context.pick().username, "outbox", "--drop", message.message_id.hex()]
    return command_line(context.server, *words)


def _outcome(
    context: Context, saved: SavedSession, outbox: Outbox, queued: QueuedMessage
) -> Receipt | ChatboothError | None:
    """Send what waits, and return what became of one message of it. None: it waits for another command's turn."""
    outcomes: list[Receipt | ChatboothError] = []
    with context.client_of(saved, once=True) as client:
        try:
            for message, outcome in outbox.flush(_sending_by(client), wait=context.timeout):
                if message.message_id == queued.message_id:
                    if isinstance(outcome, RecipientNotFound):
                        from chatbooth_grpc.client.commands.tasks.suggestions import (
                            with_near_names,  # as in commands.send
                        )

                        outcome = with_near_names(client, outcome)  # noqa: PLW2901
                    outcomes.append(outcome)
                    _report_own(context, message, outcome)
                else:
                    _report(context, message, outcome)
        except PASSING:
            # What comes after our message in the queue is for the commands that put it there.
            if not outcomes:
                raise
        return outcomes[0] if outcomes else _outcome_elsewhere(context, outbox, client, queued)


def _outcome_elsewhere(
    context: Context, outbox: Outbox, client: ChatClient, queued: QueuedMessage
) -> Receipt | ChatboothError | None:
    """Return what became of a message that another command may have sent meanwhile."""
    found = outbox.find(queued.message_id)
    if found is not None and found.refusal is None:
        context.output.say("Another command sends what is queued now. The message waits in the outbox for its turn.")
        return None
    # The server answers a repeat under the same id with the first receipt, or refuses it again.
    outcome: Receipt | ChatboothError
    try:
        outcome = client.send(queued.recipient, queued.text, message_id=queued.message_id)
    except PASSING:
        raise
    except ChatboothError as refusal:
        outcome = refusal
    else:
        outbox.drop(queued.message_id)
    _report_own(context, queued, outcome)
    return outcome


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


def flush_outbox(
    context: Context, outbox: Outbox, client: ChatClient, wait: float = 0.0
) -> list[Receipt | ChatboothError]:
    """Send what waits, say what became of each message, and return that."""
    outcomes = []
    for message, outcome in outbox.flush(_sending_by(client), wait=wait):
        _report(context, message, outcome)
        outcomes.append(outcome)
    return outcomes


def _sending_by(client: ChatClient) -> Send:
    return lambda recipient, text, message_id: client.send(recipient, text, message_id=message_id)


def _report_own(context: Context, message: QueuedMessage, outcome: Receipt | ChatboothError) -> None:
    """Say what became of the command's own message, unless the error with which it ends says the same."""
    if isinstance(outcome, Receipt) or context.output.as_json:
        _report(context, message, outcome)


def _report(context: Context, message: QueuedMessage, outcome: Receipt | ChatboothError) -> None:
    record: dict[str, object] = {"recipient": message.recipient, "message_id": message.message_id.hex()}
    if isinstance(outcome, Receipt):
        record |= {"type": "sent", "accept_time": utc_time(outcome.accept_time)}
        words = f"Sent to {message.recipient}, accepted at {local_time(outcome.accept_time)}."
    else:
        record |= {"type": "refused", "error": outcome.reason, "message": str(outcome)}
        words = str(QueuedButRefused(outcome, message.recipient, message.message_id))
    context.output.result(record, words, even_if_quiet=not isinstance(outcome, Receipt))


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
