"""Sending one message, so that it can be repeated and is stored once."""

from __future__ import annotations

from chatbooth_grpc.booth.errors import RecipientNotFound
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.failures.invocation import command_line
from chatbooth_grpc.client.failures.outcomes import outcome_unknown
from chatbooth_grpc.client.state.session_file import SavedSession
from chatbooth_grpc.client.terminal.display import harmless_line, local_time, utc_time

_LONGEST_SHOWN_TEXT = 200


def send(context: Context, recipient: str, text: str, message_id: bytes | None = None) -> None:
    """Send a text. If it is not known whether it arrived, say how to repeat it so that it is stored once."""
    message_id = message_id or new_message_id()
    saved = context.pick()
    command = _repeating_command(context, saved, recipient, text, message_id)
    with (
        context.client_of(saved) as client,
        outcome_unknown(
            f"Whether it was stored is not known; to have it sent once, type: {command}",
            {"message_id": message_id.hex(), "command": command},
        ),
    ):
        try:
            receipt = client.send(recipient, text, message_id=message_id)
        except RecipientNotFound as error:
            # Only this failure needs the module.
            from chatbooth_grpc.client.commands.tasks.suggestions import with_near_names

            raise with_near_names(client, error) from error
    record = {
        "recipient": recipient.lower(),
        "message_id": message_id.hex(),
        "accept_time": utc_time(receipt.accept_time),
    }
    context.output.result(record, f"Sent to {recipient.lower()}, accepted at {local_time(receipt.accept_time)}.")


def _repeating_command(context: Context, saved: SavedSession, recipient: str, text: str, message_id: bytes) -> str:
    """Return the command that repeats a message. It reads a text that is too long or odd to type from a pipe."""
    words = [*context.sessions.words_of(saved), "send", "--message-id", message_id.hex(), recipient]
    if len(text) > _LONGEST_SHOWN_TEXT or harmless_line(text) != text:
        return f"{command_line(context.server, *words, '-')}  (with the same text on standard input)"
    return command_line(context.server, *words, "--", text)
