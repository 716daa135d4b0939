-- The statements by which an administrator looks at a store. The lines between a statement's name and its text say
-- what it is for.

-- name: user
-- An account with its sessions and its mailbox's counters.
SELECT username, account_id, create_time,
       ifnull((SELECT max(used_time) FROM sessions WHERE sessions.account_id = accounts.account_id), 0),
       (SELECT count(*) FROM sessions WHERE sessions.account_id = accounts.account_id),
       last_sequence - acknowledged_through, disabled_time IS NOT NULL
  FROM accounts JOIN mailboxes USING (account_id) WHERE username = ?

-- name: statistics
-- Counts over the whole store. Messages are counted by the counters of their mailboxes, since there may be millions.
SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM accounts WHERE disabled_time IS NOT NULL),
       (SELECT count(*) FROM sessions),
       (SELECT ifnull(sum(last_sequence - removed_through), 0) FROM mailboxes WHERE account_id IS NOT NULL),
       (SELECT ifnull(sum(last_sequence - acknowledged_through), 0) FROM mailboxes WHERE account_id IS NOT NULL),
       (SELECT count(*) FROM mailboxes WHERE account_id IS NULL), (SELECT count(*) FROM held_names), epoch
  FROM store

-- name: unacknowledged
-- How many messages their recipients have not acknowledged, by the counters of their mailboxes.
SELECT ifnull(sum(last_sequence - acknowledged_through), 0) FROM mailboxes WHERE account_id IS NOT NULL

-- name: kept_messages
-- How many messages the store has, by the counters of its mailboxes.
SELECT ifnull(sum(last_sequence - removed_through), 0) FROM mailboxes WHERE account_id IS NOT NULL

-- name: exported_account
-- An account, for its export.
SELECT username, account_id, create_time, disabled_time, mailbox_id, last_sequence, acknowledged_through, removed_through
  FROM accounts JOIN mailboxes USING (account_id) WHERE username = ?

-- name: exported_sessions
-- An account's sessions without their secrets, and what those may do that are tokens for programs, for its export.
SELECT session_id, create_time, used_time, cursor, label, kind, may_read, may_send,
       (SELECT username FROM accounts WHERE accounts.account_id = recipient_id), recipient_id, expire_time
  FROM sessions WHERE account_id = ? ORDER BY session_id

-- name: exported_blocks
-- The accounts that an account blocks, for its export.
SELECT username, sender_id FROM blocks JOIN accounts ON accounts.account_id = sender_id
 WHERE mailbox_id = ? ORDER BY username

-- name: exported_received
-- The messages in a mailbox, for its account's export.
SELECT sequence, sender, sender_id, message_id, accept_time, content, kind FROM messages
 WHERE mailbox_id = ? ORDER BY sequence

-- name: exported_sent
-- The messages that an account has sent and that are kept, for its export. This looks at all messages.
SELECT (SELECT username FROM accounts WHERE accounts.account_id = mailboxes.account_id), message_id, accept_time,
       content, kind
  FROM messages JOIN mailboxes USING (mailbox_id) WHERE sender_id = ? AND mailboxes.account_id IS NOT NULL

-- name: exported_removed
-- The ids that are kept of messages that retention has removed, from or to an account. This looks at all such ids.
SELECT sender_id = :account_id, (SELECT username FROM accounts WHERE accounts.account_id = mailboxes.account_id),
       (SELECT username FROM accounts WHERE accounts.account_id = sender_id), message_id, accept_time
  FROM message_ids AS ids JOIN mailboxes USING (mailbox_id)
 WHERE (sender_id = :account_id OR mailbox_id = :mailbox_id) AND mailboxes.account_id IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.mailbox_id = ids.mailbox_id AND
                          messages.message_id = ids.message_id AND messages.sender_id = ids.sender_id)

-- name: invites
-- A page of the invites, without their codes.
SELECT invite_id, note, max_uses, uses, is_revoked, create_time, start_time, end_time FROM invites
 WHERE invite_id > ? ORDER BY invite_id LIMIT ?

-- name: check_sequences
-- The mailboxes whose messages are not exactly those from removed_through + 1 to last_sequence.
SELECT mailbox_id, count(sequence), removed_through, last_sequence FROM mailboxes LEFT JOIN messages USING (mailbox_id)
 WHERE account_id IS NOT NULL GROUP BY mailbox_id
HAVING count(sequence) <> last_sequence - removed_through
    OR (count(sequence) > 0 AND (min(sequence) <> removed_through + 1 OR max(sequence) <> last_sequence))
 LIMIT 20

-- name: check_detached_sequences
-- The mailboxes of deleted accounts whose rest of messages has a gap or another end. They are removed from the start.
SELECT mailbox_id, count(sequence), last_sequence FROM mailboxes JOIN messages USING (mailbox_id)
 WHERE account_id IS NULL GROUP BY mailbox_id
HAVING max(sequence) <> last_sequence OR count(sequence) <> max(sequence) - min(sequence) + 1
 LIMIT 20

-- name: check_message_ids
-- The messages without the row of their id.
SELECT mailbox_id, sequence FROM messages
 WHERE NOT EXISTS (SELECT 1 FROM recent_message_ids AS ids
                    WHERE ids.message_id = messages.message_id AND ids.mailbox_id = messages.mailbox_id
                      AND ids.sender_id = messages.sender_id)
   AND NOT EXISTS (SELECT 1 FROM message_ids AS ids
                    WHERE ids.mailbox_id = messages.mailbox_id AND ids.sender_id = messages.sender_id
                      AND ids.message_id = messages.message_id)
 LIMIT 20

-- name: check_id_counts
-- The mailboxes that have not exactly one id for each message that they ever numbered.
SELECT mailbox_id, ifnull(recent.ids, 0) + ifnull(former.ids, 0), last_sequence FROM mailboxes
  LEFT JOIN (SELECT mailbox_id, count(*) AS ids FROM recent_message_ids GROUP BY mailbox_id) AS recent USING (mailbox_id)
  LEFT JOIN (SELECT mailbox_id, count(*) AS ids FROM message_ids GROUP BY mailbox_id) AS former USING (mailbox_id)
 WHERE account_id IS NOT NULL AND last_sequence <> ifnull(recent.ids, 0) + ifnull(former.ids, 0)
 LIMIT 20

-- name: check_counters
-- The mailboxes whose counters contradict each other.
SELECT mailbox_id, removed_through, acknowledged_through, last_sequence FROM mailboxes
 WHERE NOT (0 <= removed_through AND removed_through <= acknowledged_through AND acknowledged_through <= last_sequence)
 LIMIT 20

-- name: check_cursors
-- The sessions whose cursor is out of its mailbox's bounds.
SELECT session_id, cursor, acknowledged_through FROM sessions JOIN mailboxes USING (account_id)
 WHERE cursor < 0 OR cursor > acknowledged_through LIMIT 20

-- name: check_accounts
-- The accounts without a mailbox.
SELECT account_id FROM accounts WHERE account_id NOT IN (SELECT account_id FROM mailboxes WHERE account_id IS NOT NULL)
 LIMIT 20

-- name: check_disabled
-- The disabled accounts that have a session all the same.
SELECT DISTINCT account_id FROM accounts JOIN sessions USING (account_id) WHERE disabled_time IS NOT NULL LIMIT 20

-- name: check_tokens
-- The tokens without a name or a right, and the sessions of persons that are limited.
SELECT session_id, kind FROM sessions
 WHERE (kind = 1 AND NOT (may_read AND may_send AND recipient_id IS NULL AND expire_time IS NULL))
    OR (kind = 2 AND (label = '' OR NOT (may_read OR may_send) OR (recipient_id IS NOT NULL AND NOT may_send)))
 LIMIT 20

-- name: check_orphans
-- The mailboxes that do not exist and that ids refer to. Foreign keys hold the other tables.
SELECT DISTINCT mailbox_id FROM recent_message_ids WHERE mailbox_id NOT IN (SELECT mailbox_id FROM mailboxes) LIMIT 20

-- name: check_held_names
-- The names that are held although an account has them.
SELECT account_id FROM accounts JOIN held_names USING (username) LIMIT 20

-- name: check_blocks
-- The blocks of a deleted account, of an account by itself, or of an account that never was. A deleted account may still
-- be blocked.
SELECT mailbox_id, sender_id FROM blocks JOIN mailboxes USING (mailbox_id)
 WHERE account_id IS NULL OR sender_id = account_id
    OR sender_id NOT BETWEEN 1 AND (SELECT seq FROM sqlite_sequence WHERE name = 'accounts')
 LIMIT 20

-- name: check_invites
-- The invites that were used too often, or that are over but have no end or one before their start.
SELECT invite_id, uses, max_uses FROM invites
 WHERE uses < 0 OR uses > max_uses OR end_time < start_time
    OR (end_time IS NULL AND (is_revoked OR uses = max_uses))
 LIMIT 20

-- name: check_store
-- The number of rows that the table of the store has, if it is not one.
SELECT count(*) FROM store HAVING count(*) <> 1

-- name: renew_epoch
-- Give a store of any schema another epoch, during a restore.
UPDATE store SET epoch = randomblob(16)
