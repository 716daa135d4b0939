-- These tell whether this file is the one that a server last wrote to. The seal beside the file has the same values.
-- start_id: names the latest start of a server on this file. Zeros before the first server that knew of seals.
-- pruned_messages: how many messages were ever sent to the mailboxes that are deleted and pruned by now.
ALTER TABLE store ADD COLUMN start_id BLOB NOT NULL DEFAULT x'00000000000000000000000000000000'
    CHECK (length(start_id) = 16);
ALTER TABLE store ADD COLUMN pruned_messages INTEGER NOT NULL DEFAULT 0;
