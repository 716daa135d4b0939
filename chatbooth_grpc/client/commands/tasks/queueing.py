"""Accepting a message into the outbox, for `send --queue`, and trying once to send it."""

from __future__ import annotations

from dataclasses import replace

from chatbooth_grpc.booth.errors import ChatboothError, RecipientNotFound
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.booth.rules import folded_username
from chatbooth_grpc.booth.unicode import check_unicode
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.commands.tasks.outbox_flushing import GOES_OUT, open_outbox, report, sending_by
from chatbooth_grpc.client.failures.command_failure import Misuse
from chatbooth_grpc.client.failures.invocation import command_line
from chatbooth_grpc.client.failures.outcomes import QueuedButRefused
from chatbooth_grpc.client.failures.session_failures import SessionEnded
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.state.outbox import PASSING, Outbox, QueuedMessage
from chatbooth_grpc.client.state.session_file import SavedSession

_LONGEST_TRY = 1.0
"""The seconds for which `send --queue` waits for its turn, and then for the answer to each message."""


def send_queued(context: Context, recipient: str, text: str, message_id: bytes | None = None) -> None:
    """Accept a message durably, say so, and try once to send the queued messages. If that fails, they wait."""
    recipient = folded_username(recipient, "recipient")
    _check_text(text)
    saved = context.pick()
    with open_outbox(context, saved) as outbox:
        queued = _accept(context, outbox, QueuedMessage(message_id or new_message_id(), recipient, text))
        try:
            outcome = _outcome(replace(context, timeout=min(context.timeout, _LONGEST_TRY)), saved, outbox, queued)
        except PASSING as error:
            context.output.say(f"{error} The message stays queued: it {GOES_OUT}")
        except SessionEnded:
            context.output.say("The message stays queued: it goes out after you have logged in again.")
            raise
        else:
            if isinstance(outcome, ChatboothError):
                raise QueuedButRefused(outcome, recipient, queued.message_id)


def _check_text(text: str) -> None:
    if not text:
        raise Misuse("The text is empty. Write at least one character.")
    check_unicode(text=text)


def _accept(context: Context, outbox: Outbox, message: QueuedMessage) -> QueuedMessage:
    """Put a message into the outbox, and say so. No interrupt can come between these two steps."""
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
    """Send the messages that wait, and return the outcome of `queued`. None means that another command sends it."""
    outcomes: list[Receipt | ChatboothError] = []
    with context.client_of(saved, once=True) as client:
        try:
            for message, outcome in outbox.flush(sending_by(client), wait=context.timeout):
                if message.message_id == queued.message_id:
                    if isinstance(outcome, RecipientNotFound):
                        from chatbooth_grpc.client.commands.tasks.suggestions import (
                            with_near_names,  # as in commands.send
                        )

                        outcome = with_near_names(client, outcome)  # noqa: PLW2901
                    outcomes.append(outcome)
                    _report_own(context, message, outcome)
                else:
                    report(context, message, outcome)
        except PASSING:
            # Other commands put the messages into the queue that follow ours, and will report on them.
            if not outcomes:
                raise
        return outcomes[0] if outcomes else _outcome_elsewhere(context, outbox, client, queued)


def _outcome_elsewhere(
    context: Context, outbox: Outbox, client: ChatClient, queued: QueuedMessage
) -> Receipt | ChatboothError | None:
    """Return the outcome of a message that another command may have sent meanwhile."""
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


def _report_own(context: Context, message: QueuedMessage, outcome: Receipt | ChatboothError) -> None:
    """Report the outcome of the command's own message, unless the error that ends the command says the same."""
    if isinstance(outcome, Receipt) or context.output.as_json:
        report(context, message, outcome)
