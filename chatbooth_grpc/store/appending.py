"""Appending messages to mailboxes inside the writer's transaction: dedup, the counter, the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import apsw

from chatbooth_grpc.booth.errors import (
    ChatboothError,
    MessageIdReused,
    RecipientNotFound,
    SessionInvalid,
)
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.booth.store import NewMessage


def append_messages(
    connection: apsw.Connection, sql: Mapping[str, str], messages: Sequence[NewMessage], now: int, grown: set[int]
) -> list[Receipt | ChatboothError]:
    """Append each message to its recipient's mailbox; return each one's outcome, in the same order.

    `now`: the accept time, in microseconds; `grown` takes the ids of mailboxes that got one. A message is refused
    before anything of it is written.
    """
    outcomes: list[Receipt | ChatboothError] = []
    for message in messages:
        try:
            outcomes.append(_append(connection, sql, message, now, grown))
        except ChatboothError as refusal:
            outcomes.append(refusal)
    return outcomes


def _append(connection: apsw.Connection, sql: Mapping[str, str], new: NewMessage, now: int, grown: set[int]) -> Receipt:
    sender, message = new.session, new.outgoing
    if connection.execute(sql["session_is_live"], (sender.session_id,)).get is None:
        raise SessionInvalid
    mailbox_id = connection.execute(sql["recipient_mailbox"], (message.recipient,)).get
    if mailbox_id is None:
        raise RecipientNotFound(message.recipient)

    key = (mailbox_id, sender.account_id, message.message_id)
    accepted = connection.execute(sql["accepted_message"], key).fetchone()
    if accepted is not None:
        digest, accept_time = accepted
        if digest != new.digest:
            raise MessageIdReused
        return Receipt(accept_time)

    connection.execute(sql["insert_message_id"], (*key, new.digest, now))
    sequence = connection.execute(sql["next_sequence"], (mailbox_id,)).get
    connection.execute(
        sql["insert_message"],
        (
            mailbox_id,
            sequence,
            sender.account_id,
            sender.username,
            message.message_id,
            now,
            message.kind,
            message.content,
        ),
    )
    grown.add(mailbox_id)
    return Receipt(now)
