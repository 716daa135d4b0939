-- Accounts, sessions, and mailboxes as ordered logs. Times: microseconds since 1970 UTC. Sequences start at 1.

-- One row. The epoch names this store's history. A restore from a backup writes another epoch.
CREATE TABLE store (
    epoch BLOB NOT NULL CHECK (length(epoch) = 16)
) STRICT;

INSERT INTO store (epoch) VALUES (randomblob(16));

-- AUTOINCREMENT, here and below: an id is never given out again, not even after its row was deleted.
CREATE TABLE accounts (
    account_id INTEGER PRIMARY KEY AUTOINCREMENT,
    username TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    create_time INTEGER NOT NULL
) STRICT;

-- Names of deleted accounts, which nobody may take before free_time.
CREATE TABLE held_names (
    username TEXT NOT NULL PRIMARY KEY,
    free_time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- account_id: NULL if the account was deleted. Nobody can read such a mailbox, and its rows are pruned.
-- last_sequence: the counter that numbers the mailbox's messages.
-- acknowledged_through: the furthest cursor of any session.
-- removed_through: retention has removed all messages up to this sequence.
CREATE TABLE mailboxes (
    mailbox_id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER UNIQUE REFERENCES accounts,
    last_sequence INTEGER NOT NULL DEFAULT 0,
    acknowledged_through INTEGER NOT NULL DEFAULT 0 CHECK (acknowledged_through <= last_sequence),
    removed_through INTEGER NOT NULL DEFAULT 0 CHECK (removed_through <= last_sequence)
) STRICT;

CREATE TABLE sessions (
    session_id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES accounts,
    token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    cursor INTEGER NOT NULL,
    create_time INTEGER NOT NULL,
    used_time INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_by_account ON sessions (account_id);
CREATE INDEX sessions_by_use ON sessions (used_time);

-- The logs. sender and sender_id are the sender's at the time of sending. It may have been deleted or renamed since.
CREATE TABLE messages (
    mailbox_id INTEGER NOT NULL REFERENCES mailboxes,
    sequence INTEGER NOT NULL,
    sender_id INTEGER NOT NULL,
    sender TEXT NOT NULL,
    message_id BLOB NOT NULL CHECK (length(message_id) = 16),
    accept_time INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (mailbox_id, sequence)
) STRICT, WITHOUT ROWID;

-- With these ids, a repeated message is stored once, as long as the mailbox exists. Retention does not remove them.
CREATE TABLE message_ids (
    mailbox_id INTEGER NOT NULL REFERENCES mailboxes,
    sender_id INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 16),
    accept_time INTEGER NOT NULL,
    PRIMARY KEY (mailbox_id, sender_id, message_id)
) STRICT, WITHOUT ROWID;
