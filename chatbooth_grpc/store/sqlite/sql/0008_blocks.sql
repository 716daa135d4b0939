-- The senders that an account blocks. The sender's name may pass to another account, which is not blocked. If the sender
-- is deleted, its rows stay for a while: nothing depends on them.
CREATE TABLE blocks (
    mailbox_id INTEGER NOT NULL REFERENCES mailboxes,
    sender_id INTEGER NOT NULL,
    PRIMARY KEY (mailbox_id, sender_id)
) STRICT, WITHOUT ROWID;
