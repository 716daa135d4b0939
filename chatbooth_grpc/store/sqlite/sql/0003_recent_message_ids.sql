-- The ids of the messages that are in the logs, where message_ids has those that retention has removed, and all from
-- before this migration. Ordered by the ids themselves: made in the order of time, as UUIDv7s are, they are written at
-- the table's end, a few pages a commit, where message_ids would have a page written for each mailbox.
--
-- mailbox_id REFERENCES nothing: to delete a mailbox, SQLite would look for its id on every page of this table.
CREATE TABLE recent_message_ids (
    message_id BLOB NOT NULL CHECK (length(message_id) = 16),
    mailbox_id INTEGER NOT NULL,
    sender_id INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 16),
    accept_time INTEGER NOT NULL,
    PRIMARY KEY (message_id, mailbox_id, sender_id)
) STRICT, WITHOUT ROWID;

-- An id is unique over both tables.
CREATE TRIGGER message_id_is_new BEFORE INSERT ON recent_message_ids
BEGIN
    SELECT RAISE(ABORT, 'the message id is in message_ids')
     WHERE EXISTS (SELECT 1 FROM message_ids
                    WHERE mailbox_id = NEW.mailbox_id AND sender_id = NEW.sender_id AND message_id = NEW.message_id);
END;
