-- Tells whether this file is the one that a server last wrote to: the seal beside it knows the same.
-- start_id: names the latest start of a server on this file; zeros before the first one that knew of seals.
-- pruned_messages: how many messages the mailboxes had been sent that are deleted and pruned.
ALTER TABLE store ADD COLUMN start_id BLOB NOT NULL DEFAULT x'00000000000000000000000000000000'
    CHECK (length(start_id) = 16);
ALTER TABLE store ADD COLUMN pruned_messages INTEGER NOT NULL DEFAULT 0;
