-- The ids of the messages that are in the logs. The table message_ids has the ids of messages that retention has
-- removed, and all ids from before this migration.
--
-- This table is ordered by the ids themselves. Ids that are UUIDv7s grow with time, so they are written at the table's
-- end, on a few pages for each commit. In message_ids, a commit would write a page for each mailbox.
--
-- mailbox_id has no REFERENCES. With it, SQLite would search every page of this table to delete a mailbox.
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
