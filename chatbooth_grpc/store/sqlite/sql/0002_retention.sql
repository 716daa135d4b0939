-- Finds the mailboxes that hold acknowledged messages, and so perhaps some that retention may remove, and no others.
CREATE INDEX mailboxes_with_acknowledged ON mailboxes (mailbox_id) WHERE removed_through < acknowledged_through;
