"""Removing the rows of detached mailboxes in small steps, so that no sender waits long."""

from __future__ import annotations

from chatbooth_grpc.store.sqlite.write_transaction import WriteTransaction

ROWS_PER_STEP = 500

# Each message is removed together with the row of its id.
MESSAGES_PER_STEP = ROWS_PER_STEP // 2

BYTES_PER_STEP = 4 << 20


def prune_detached(transaction: WriteTransaction) -> bool:
    """Remove one step's worth of rows of one detached mailbox, and return whether there may be more."""
    mailbox_id = transaction.execute("detached_mailbox").get
    if mailbox_id is None:
        return False
    through = _step_end(transaction, mailbox_id)
    if through:
        remove_messages(transaction, mailbox_id, through)
        return True
    if transaction.write("delete_some_message_ids", (mailbox_id, ROWS_PER_STEP)) == 0:
        transaction.execute("note_pruned", (mailbox_id,))
        transaction.execute("delete_mailbox", (mailbox_id,))
    return True


def remove_messages(transaction: WriteTransaction, mailbox_id: int, through: int) -> None:
    """Remove a mailbox's messages up to a sequence, and their ids."""
    transaction.execute("delete_recent_message_ids_through", (mailbox_id, through))
    transaction.execute("delete_messages_through", (mailbox_id, through))


def _step_end(transaction: WriteTransaction, mailbox_id: int) -> int:
    """Return the sequence up to which one step removes messages. 0 means that no messages are left."""
    size, end = 0, 0
    for sequence, length in transaction.execute("oldest_message_sizes", (mailbox_id, MESSAGES_PER_STEP)):
        end = sequence
        size += length
        if size >= BYTES_PER_STEP:
            break
    return end
