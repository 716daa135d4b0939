-- The statements of the SQLite store.

-- name: generations
SELECT generation, log_base FROM store

-- name: begin_log
UPDATE store SET log_base = generation

-- name: end_log
UPDATE store SET generation = randomblob(16) WHERE generation = log_base

-- name: begin_log_with_migration
UPDATE store SET generation = randomblob(16), log_base = NULL

-- name: standing
SELECT epoch, start_id, pruned_messages + (SELECT ifnull(sum(last_sequence), 0) FROM mailboxes),
       EXISTS (SELECT 1 FROM accounts)
  FROM store

-- name: note_start
UPDATE store SET start_id = ?

-- name: begin_epoch
UPDATE store SET epoch = ?, start_id = ?

-- name: held_name
SELECT hold_time, free_time FROM held_names WHERE username = ?

-- name: release_name
DELETE FROM held_names WHERE username = ?

-- name: hold_name
INSERT INTO held_names (username, hold_time, free_time) VALUES (?, ?, ?)

-- name: name_is_free
SELECT NOT EXISTS (SELECT 1 FROM held_names WHERE username = :username)
   AND NOT EXISTS (SELECT 1 FROM accounts WHERE username = :username)

-- name: insert_account
INSERT INTO accounts (username, password_hash, create_time) VALUES (?, ?, ?) RETURNING account_id

-- name: insert_mailbox
INSERT INTO mailboxes (account_id) VALUES (?)

-- name: insert_session
INSERT INTO sessions (account_id, token_hash, cursor, create_time, used_time)
SELECT account_id, :token_hash, acknowledged_through, :create_time, :used_time FROM mailboxes WHERE account_id = :account_id

-- name: account_by_name
SELECT account_id, username, password_hash FROM accounts WHERE username = ?

-- name: account_has_hash
SELECT 1 FROM accounts WHERE account_id = ? AND password_hash = ?

-- name: update_password_hash
UPDATE accounts SET password_hash = :new WHERE account_id = :account_id AND password_hash = :old

-- name: usernames
-- group_concat() takes the rows as the subquery gives them; an ORDER BY of its own would sort them a second time.
SELECT CAST(coalesce(group_concat(username, char(10)), '') AS BLOB)
  FROM (SELECT username FROM accounts
         WHERE username >= :start AND username <> :after AND username < :end
         ORDER BY username LIMIT :limit)

-- name: session_by_token
SELECT session_id, account_id, username, mailbox_id, cursor, used_time
  FROM sessions JOIN accounts USING (account_id) JOIN mailboxes USING (account_id)
 WHERE token_hash = ?

-- name: unused_sessions
SELECT session_id, mailbox_id FROM sessions JOIN mailboxes USING (account_id) WHERE used_time < ? LIMIT ?

-- name: kept_clock
SELECT clock, (SELECT ifnull(max(used_time), 0) FROM sessions) FROM store

-- name: keep_clock
UPDATE store SET clock = ?

-- name: bound_used_times
UPDATE sessions SET used_time = :now WHERE used_time > :now

-- name: session_is_live
SELECT 1 FROM sessions WHERE session_id = ?

-- name: touch_session
UPDATE sessions SET used_time = max(used_time, ?) WHERE session_id = ?

-- name: end_session
DELETE FROM sessions WHERE session_id = ?

-- name: end_other_sessions
DELETE FROM sessions WHERE account_id = ? AND session_id <> ?

-- name: end_all_sessions
DELETE FROM sessions WHERE account_id = ?

-- name: detach_mailbox
UPDATE mailboxes SET account_id = NULL WHERE account_id = ? RETURNING last_sequence - removed_through

-- name: delete_account
DELETE FROM accounts WHERE account_id = ?

-- name: recipient_mailbox
SELECT mailbox_id, last_sequence FROM accounts JOIN mailboxes USING (account_id) WHERE username = ?

-- name: accepted_message
SELECT digest, accept_time FROM recent_message_ids WHERE mailbox_id = ?1 AND sender_id = ?2 AND message_id = ?3
 UNION ALL
SELECT digest, accept_time FROM message_ids WHERE mailbox_id = ?1 AND sender_id = ?2 AND message_id = ?3

-- name: set_last_sequence
UPDATE mailboxes SET last_sequence = ?2 WHERE mailbox_id = ?1

-- The next three take one row or more: see appending.py.

-- name: insert_message_ids
INSERT INTO recent_message_ids (mailbox_id, sender_id, message_id, digest, accept_time) VALUES (?, ?, ?, ?, ?)

-- name: set_last_sequences
UPDATE mailboxes SET last_sequence = column2 FROM (VALUES (?, ?)) WHERE mailbox_id = column1

-- name: insert_messages
INSERT INTO messages (mailbox_id, sequence, sender_id, sender, message_id, accept_time, kind, content)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: mailbox_bounds
SELECT last_sequence, removed_through, cursor
  FROM sessions JOIN mailboxes USING (account_id)
 WHERE session_id = ? AND mailbox_id = ?

-- name: messages_after
SELECT sequence, sender, sender_id, message_id, accept_time, content, kind FROM messages
 WHERE mailbox_id = ? AND sequence > ? ORDER BY sequence LIMIT ?

-- name: advance_cursor
UPDATE sessions SET cursor = max(cursor, ?) WHERE session_id = ?

-- name: advance_acknowledged
UPDATE mailboxes SET acknowledged_through = max(acknowledged_through, ?) WHERE mailbox_id = ?

-- name: detached_mailbox
SELECT mailbox_id FROM mailboxes WHERE account_id IS NULL LIMIT 1

-- name: oldest_message_sizes
SELECT sequence, length(content) FROM messages WHERE mailbox_id = ? ORDER BY sequence LIMIT ?

-- name: delete_messages_through
DELETE FROM messages WHERE mailbox_id = ? AND sequence <= ?

-- name: keep_message_ids_through
INSERT INTO message_ids (mailbox_id, sender_id, message_id, digest, accept_time)
SELECT mailbox_id, sender_id, message_id, recent.digest, recent.accept_time
  FROM messages JOIN recent_message_ids AS recent USING (message_id, mailbox_id, sender_id)
 WHERE mailbox_id = ? AND sequence <= ?

-- name: delete_recent_message_ids_through
DELETE FROM recent_message_ids WHERE (message_id, mailbox_id, sender_id) IN
    (SELECT message_id, mailbox_id, sender_id FROM messages WHERE mailbox_id = ? AND sequence <= ?)

-- name: delete_some_message_ids
DELETE FROM message_ids WHERE (mailbox_id, sender_id, message_id) IN
    (SELECT mailbox_id, sender_id, message_id FROM message_ids WHERE mailbox_id = ? LIMIT ?)

-- name: note_pruned
UPDATE store SET pruned_messages = pruned_messages + (SELECT last_sequence FROM mailboxes WHERE mailbox_id = ?)

-- name: delete_mailbox
DELETE FROM mailboxes WHERE mailbox_id = ?

-- Retention walks along the index, so many mailboxes at a time; INDEXED BY holds SQLite to it whatever its statistics say.

-- name: end_of_walk
SELECT max(mailbox_id) FROM (
    SELECT mailbox_id FROM mailboxes INDEXED BY mailboxes_with_acknowledged
     WHERE removed_through < acknowledged_through AND mailbox_id >= ? ORDER BY mailbox_id LIMIT ?)

-- name: mailboxes_with_old_messages
SELECT mailbox_id FROM mailboxes INDEXED BY mailboxes_with_acknowledged JOIN messages USING (mailbox_id)
 WHERE removed_through < acknowledged_through AND mailbox_id BETWEEN :start AND :end
   AND sequence = removed_through + 1 AND accept_time NOT BETWEEN :first AND :last
   AND NOT EXISTS (SELECT 1 FROM json_each(:others) WHERE accept_time BETWEEN value ->> 0 AND value ->> 1)
 ORDER BY mailbox_id

-- name: mailboxes_acknowledged_by_all
SELECT mailbox_id FROM mailboxes INDEXED BY mailboxes_with_acknowledged
 WHERE removed_through < acknowledged_through AND mailbox_id BETWEEN :start AND :end
   AND removed_through < ifnull((SELECT min(cursor) FROM sessions WHERE account_id = mailboxes.account_id),
                                acknowledged_through)
 ORDER BY mailbox_id

-- name: retention_bounds
SELECT removed_through, acknowledged_through,
       (SELECT min(cursor) FROM sessions WHERE account_id = mailboxes.account_id)
  FROM mailboxes WHERE mailbox_id = ?

-- name: oldest_messages
SELECT sequence, accept_time, length(content) FROM messages
 WHERE mailbox_id = ? AND sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?

-- name: note_removed
UPDATE mailboxes SET removed_through = ? WHERE mailbox_id = ?
