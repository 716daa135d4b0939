-- Finds the mailboxes that hold acknowledged messages, and no others. Retention may remove only acknowledged messages.
CREATE INDEX mailboxes_with_acknowledged ON mailboxes (mailbox_id) WHERE removed_through < acknowledged_through;
