"""Retention: finding mailboxes with messages that need not be kept, and removing those.

A step has two halves. The first half walks over some of the mailboxes that hold an acknowledged message, on a reading
connection. There may be a million mailboxes with nothing to remove, and the writer does not wait for that. The second
half removes messages in the writer's transaction. It checks everything again, because it may have changed meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import apsw

from chatbooth_grpc.booth.store import RetentionStep
from chatbooth_grpc.booth.store_clock import Stamps
from chatbooth_grpc.store.sqlite.pruning import BYTES_PER_STEP, MESSAGES_PER_STEP, remove_messages
from chatbooth_grpc.store.sqlite.sql import SQL
from chatbooth_grpc.store.sqlite.write_transaction import WriteTransaction

_NO_STAMPS = (0, -1)

# This bounds how long a step reads, and so how long it keeps SQLite from completing a checkpoint.
MAILBOXES_PER_STEP = 1_000


def due_mailboxes(connection: apsw.Connection, young: Stamps | None, start: int) -> tuple[list[int], int | None]:
    """Walk over the next mailboxes from the id `start`. Return those with something to remove, and where to continue.

    None in place of the second means that no mailboxes were left.
    """
    end = connection.execute(SQL["end_of_walk"], (start, MAILBOXES_PER_STEP)).get
    if end is None:
        return [], None
    bounds = {"start": start, "end": end}
    if young is None:
        found = connection.execute(SQL["mailboxes_acknowledged_by_all"], bounds)
    else:
        [(first, last), *others] = young or [_NO_STAMPS]
        stamps = {"first": first, "last": last, "others": json.dumps(others)}
        found = connection.execute(SQL["mailboxes_with_old_messages"], {**bounds, **stamps})
    return [mailbox_id for (mailbox_id,) in found], end + 1


def remove_from(
    transaction: WriteTransaction,
    mailbox_ids: Sequence[int],
    young: Stamps | None,
    go_on_from: int | None,
) -> RetentionStep:
    """Remove the oldest messages of these mailboxes, up to one step's worth.

    `go_on_from` is where the walk continues after these mailboxes. A step that is full continues where it stopped.
    """
    step = _Step(transaction, young)
    for mailbox_id in mailbox_ids:
        step.take_from(mailbox_id)
        if step.is_full:
            return RetentionStep(step.removed, mailbox_id)
    return RetentionStep(step.removed, go_on_from)


class _Step:
    """One step, and how much it has removed so far."""

    def __init__(self, transaction: WriteTransaction, young: Stamps | None) -> None:
        self._transaction = transaction
        self._young = young
        self._size = 0
        self.removed = 0

    @property
    def is_full(self) -> bool:
        return self.removed >= MESSAGES_PER_STEP or self._size >= BYTES_PER_STEP

    def take_from(self, mailbox_id: int) -> None:
        """Remove a mailbox's oldest messages that need not be kept, as many as the step has room for."""
        through = 0
        for sequence, accept_time, length in self._acknowledged_messages(mailbox_id):
            if self.is_full or not self._is_old(accept_time):
                break
            through = sequence
            self.removed += 1
            self._size += length
        if through:
            self._transaction.execute("keep_message_ids_through", (mailbox_id, through))
            remove_messages(self._transaction, mailbox_id, through)
            self._transaction.execute("note_removed", (through, mailbox_id))

    def _is_old(self, accept_time: int) -> bool:
        return self._young is None or not any(first <= accept_time <= last for first, last in self._young)

    def _acknowledged_messages(self, mailbox_id: int) -> list[tuple[Any, ...]]:
        """Read the sequence, accept time and size of a mailbox's oldest messages that no session still needs."""
        bounds = self._transaction.execute("retention_bounds", (mailbox_id,)).fetchone()
        if bounds is None:
            # The mailbox was deleted and pruned since it was found.
            return []
        removed_through, acknowledged_through, least_cursor = bounds
        end = acknowledged_through
        if self._young is None and least_cursor is not None:
            end = min(end, least_cursor)
        return self._transaction.execute(
            "oldest_messages", (mailbox_id, removed_through, end, MESSAGES_PER_STEP)
        ).fetchall()
