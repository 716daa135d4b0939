"""Showing deliveries: each message once, and acknowledged only after it was shown.

The order of the steps is:

1. print the messages;
2. flush them to their reader;
3. note in the session file the last sequence that was shown;
4. acknowledge. Asking for the next batch does that.

If the program is killed after the note, the next run drops the messages that come again, by their sequence. If it is
killed before the note, messages may be shown again. None is lost.
"""

from __future__ import annotations

import base64
from contextlib import AbstractContextManager

from chatbooth_grpc.booth.model import ContentKind, Delivery, Gap, GapReason, Message, Opening
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.failures.session_failures import AlreadyReading
from chatbooth_grpc.client.state.history import History, Restored
from chatbooth_grpc.client.state.session_file import SavedSession
from chatbooth_grpc.client.terminal.display import shown_message, utc_time

_GAP_WORDS = {GapReason.RETENTION: "the server removed them for their age"}

LISTEN = "listen"
"""The command that delivers until somebody ends it."""


def only_reader(context: Context, username: str, command: str) -> AbstractContextManager[None]:
    """Be the only command that delivers for a user.

    If another command does, say so at once, and wait for it if it ends by itself. Raises AlreadyReading.
    """

    def tell(holder: str) -> None:
        # A listen ends only when somebody ends it.
        if holder.startswith(LISTEN):
            raise AlreadyReading(username, holder)
        context.output.say(
            f"Another command{f', {holder},' if holder else ''} is delivering for {username} on this machine. "
            f"Waiting for its end, for up to {context.timeout:g} s…"
        )

    return context.sessions.reading(username, context.timeout, command=command, on_wait=tell)


class Showing:
    """Shows deliveries.

    Leaves out the messages that were shown before, unless `repeat`. Notes the messages that it has shown, if `note`.
    """

    def __init__(self, context: Context, saved: SavedSession, *, repeat: bool, note: bool) -> None:
        self.anything = False
        self._context = context
        self._output = context.output
        self._saved = saved
        self._repeat = repeat
        self._note = note
        self._history = History(saved.session.epoch or None, saved.shown_through)
        self._columns = self._output.columns()

    def check(self, opening: Opening) -> None:
        """Say so if the history went back, as the opening of a new delivery shows."""
        restored = self._history.check(opening)
        if restored is not None:
            self.show_restored(restored)

    def show_restored(self, restored: Restored) -> None:
        """Say that the store was restored, and forget which messages were shown."""
        record = {
            "type": "restored",
            "epoch": restored.epoch.hex(),
            "shown_through": restored.taken_through,
            "last_sequence": restored.last_sequence,
        }
        words = (
            "The server was restored from a backup. Messages may be missing, and messages shown before may come again."
        )
        self._output.notice(record, words)
        self._saved = self._saved.with_nothing_shown(restored.epoch)
        if self._note:
            self._context.sessions.forget_shown(self._saved.username, restored.epoch)

    def show(self, delivery: Delivery) -> int:
        """Show a delivery. Return how many of its messages were shown, after all of them have left this program."""
        opening = delivery.opening
        shown_before = 0 if self._repeat else self._saved.shown_of(opening.account_id, opening.epoch)
        fresh = [message for message in delivery.messages if message.sequence > shown_before]
        through = 0
        if opening.gap and opening.gap.last > shown_before:
            self._show_gap(opening.gap)
            through = opening.gap.last
        self._show_messages(delivery, fresh, through)
        return len(fresh)

    def _show_messages(self, delivery: Delivery, messages: list[Message], through: int) -> None:
        try:
            for message in messages:
                # An interrupt between these two lines would show the message again.
                with self._context.interrupts.held(may_block=True):
                    self._show_message(message)
                    through = message.sequence
        except KeyboardInterrupt:
            self._finish(delivery, through)
            raise
        self._finish(delivery, through)

    def _finish(self, delivery: Delivery, through: int) -> None:
        # An interrupt between the flush and the note would show these messages again.
        with self._context.interrupts.held(may_block=True):
            self._output.flush()
            if self._note and through:
                with self._context.interrupts.held():
                    self._context.sessions.note_shown(self._saved.username, delivery.opening, through)
                self._history.note_reached(through)

    def _show_message(self, message: Message) -> None:
        self.anything = True
        record = {
            "type": "message",
            "sequence": message.sequence,
            "sender": message.sender,
            "sender_id": message.sender_id,
            "message_id": message.message_id.hex(),
            "accept_time": utc_time(message.accept_time),
        } | _content(message)
        self._output.datum(record, "" if self._output.as_json else shown_message(message, self._columns))

    def _show_gap(self, gap: Gap) -> None:
        self.anything = True
        record = {"type": "gap", "first_sequence": gap.first, "last_sequence": gap.last, "reason": gap.reason.name}
        why = _GAP_WORDS.get(gap.reason, "the server gave a reason that this client does not know")
        self._output.notice(record, f"Messages {gap.first} to {gap.last} are missing: {why}.")


def _content(message: Message) -> dict[str, object]:
    """Return a message's content for a program. Content of any kind is kept whole."""
    if message.kind == ContentKind.TEXT:
        return {"text": message.text}
    return {"kind": int(message.kind), "content": base64.b64encode(message.content).decode()}
