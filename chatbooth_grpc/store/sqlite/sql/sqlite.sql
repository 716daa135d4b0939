-- The statements of the SQLite store. The lines between a statement's name and its text explain the statement.

-- name: generations
-- The generations by which the write-ahead log and the file know each other (see checkpoints.py).
SELECT generation, log_base FROM store

-- name: begin_log
-- Note which file a new log continues. The first transaction of each log does this.
UPDATE store SET log_base = generation

-- name: end_log
-- Give the store a new generation, unless this log already has. A checkpoint follows.
UPDATE store SET generation = randomblob(16) WHERE generation = log_base

-- name: begin_log_with_migration
-- Mark a log that a migration begins: its file still has the earlier schema.
UPDATE store SET generation = randomblob(16), log_base = NULL

-- name: standing
-- The store's own record at the start of a server: its epoch, its latest start, how many messages it ever stored, and
-- whether it has accounts.
SELECT epoch, start_id, pruned_messages + (SELECT ifnull(sum(last_sequence), 0) FROM mailboxes),
       EXISTS (SELECT 1 FROM accounts)
  FROM store

-- name: note_start
-- Note the random id of this start, which the seal knows too.
UPDATE store SET start_id = ?

-- name: begin_epoch
-- Begin a new history of the store, whose sequences mean other messages.
UPDATE store SET epoch = ?, start_id = ?

-- name: held_name
-- The times from which and until which a deleted account holds its name, in store time.
SELECT hold_time, free_time FROM held_names WHERE username = ?

-- name: release_name
-- Free a name that was held for long enough.
DELETE FROM held_names WHERE username = ?

-- name: hold_name
-- Hold a deleted account's name.
INSERT INTO held_names (username, hold_time, free_time) VALUES (?, ?, ?)

-- name: name_is_free
-- Whether nobody has a name and no deleted account holds it.
SELECT NOT EXISTS (SELECT 1 FROM held_names WHERE username = :username)
   AND NOT EXISTS (SELECT 1 FROM accounts WHERE username = :username)

-- name: insert_account
-- Make an account. Its id is never reused.
INSERT INTO accounts (username, password_hash, create_time) VALUES (?, ?, ?) RETURNING account_id

-- name: insert_mailbox
-- Make the mailbox of a new account.
INSERT INTO mailboxes (account_id) VALUES (?)

-- name: insert_session
-- Open a session whose cursor is the furthest that any session of its account has acknowledged.
INSERT INTO sessions (account_id, token_hash, cursor, create_time, used_time)
SELECT account_id, :token_hash, acknowledged_through, :create_time, :used_time FROM mailboxes WHERE account_id = :account_id

-- name: account_by_name
-- Find an account for log-in.
SELECT account_id, username, password_hash, disabled_time IS NOT NULL FROM accounts WHERE username = ?

-- name: account_has_hash
-- Whether an account still exists, still has this password and is enabled.
SELECT 1 FROM accounts WHERE account_id = ? AND password_hash = ? AND disabled_time IS NULL

-- name: update_password_hash
-- Change a password, unless it was changed meanwhile.
UPDATE accounts SET password_hash = :new WHERE account_id = :account_id AND password_hash = :old

-- name: usernames
-- A page of the names with a prefix, sorted, joined by newlines.
-- group_concat() takes the rows in the order of the subquery. With another ORDER BY it would sort them a second time.
SELECT CAST(coalesce(group_concat(username, char(10)), '') AS BLOB)
  FROM (SELECT username FROM accounts
         WHERE username >= :start AND username <> :after AND username < :end
         ORDER BY username LIMIT :limit)

-- name: session_by_token
-- Find a live session by the hash of its token, with the limits of a token and the recipient that it names.
SELECT session_id, account_id, username, mailbox_id, cursor, used_time, kind, may_read, may_send, recipient_id,
       (SELECT username FROM accounts AS recipients WHERE recipients.account_id = recipient_id),
       (SELECT mailbox_id FROM mailboxes AS theirs WHERE theirs.account_id = recipient_id), expire_time
  FROM sessions JOIN accounts USING (account_id) JOIN mailboxes USING (account_id)
 WHERE token_hash = ?

-- name: insert_token
-- Make a token, whose cursor is the furthest that any session of its account has acknowledged.
INSERT INTO sessions (account_id, token_hash, cursor, create_time, used_time, label, kind, may_read, may_send,
                      recipient_id, expire_time)
SELECT account_id, :token_hash, acknowledged_through, :create_time, :used_time, :label, 2, :may_read, :may_send,
       :recipient_id, :expire_time
  FROM mailboxes WHERE account_id = :account_id

-- name: token_by_label
-- The token of an account that has a label.
SELECT session_id FROM sessions WHERE account_id = ? AND kind = 2 AND label = ?

-- name: count_tokens
-- How many tokens an account has.
SELECT count(*) FROM sessions WHERE account_id = ? AND kind = 2

-- name: expired_tokens
-- Some of the tokens that expire at a store time or earlier.
SELECT session_id, mailbox_id FROM sessions JOIN mailboxes USING (account_id) WHERE expire_time <= ? LIMIT ?

-- name: set_session_label
-- Give a new session its label.
UPDATE sessions SET label = ? WHERE session_id = ?

-- name: sessions_of_account
-- A page of the sessions of an account.
SELECT session_id, label, kind, create_time, used_time, expire_time, may_read, may_send, recipient_id,
       (SELECT username FROM accounts WHERE accounts.account_id = recipient_id)
  FROM sessions
 WHERE account_id = ? AND session_id > ? ORDER BY session_id LIMIT ?

-- name: is_session_of
-- Whether a session is one of an account.
SELECT 1 FROM sessions WHERE session_id = ? AND account_id = ?

-- name: surplus_sessions
-- The sessions of an account but the few that were used last. The caller says how many those are. Tokens do not count.
SELECT session_id, mailbox_id FROM sessions JOIN mailboxes USING (account_id) WHERE account_id = ? AND kind = 1
 ORDER BY used_time DESC, session_id DESC LIMIT -1 OFFSET ?

-- name: unused_sessions
-- Some of the sessions that nobody has used since a store time. Tokens stay.
SELECT session_id, mailbox_id FROM sessions JOIN mailboxes USING (account_id) WHERE kind = 1 AND used_time < ? LIMIT ?

-- name: kept_clock
-- The store's clock as the latest server kept it, and the newest store time that any session was used.
SELECT clock, (SELECT ifnull(max(used_time), 0) FROM sessions) FROM store

-- name: keep_clock
-- Keep the store's clock, so that store time continues after a restart.
UPDATE store SET clock = ?

-- name: bound_used_times
-- Take back session times of the future, which an earlier version wrote while the clock was ahead.
UPDATE sessions SET used_time = :now WHERE used_time > :now

-- name: session_is_live
-- Whether a session has not ended.
SELECT 1 FROM sessions WHERE session_id = ?

-- name: touch_session
-- Note that a session is used. The time never goes back.
UPDATE sessions SET used_time = max(used_time, ?) WHERE session_id = ?

-- name: end_session
-- End one session.
DELETE FROM sessions WHERE session_id = ?

-- name: end_other_sessions
-- End the sessions of an account but one, after a change of the password. Tokens stay.
DELETE FROM sessions WHERE account_id = ? AND session_id <> ? AND kind = 1

-- name: end_all_sessions
-- End all sessions of an account that is deleted.
DELETE FROM sessions WHERE account_id = ?

-- name: detach_mailbox
-- Take a mailbox from its account, so that no query reaches it. Return how many messages it holds.
UPDATE mailboxes SET account_id = NULL WHERE account_id = ? RETURNING last_sequence - removed_through

-- name: delete_account
-- Delete an account that has no sessions and no mailbox any more.
DELETE FROM accounts WHERE account_id = ?

-- name: recipient_mailbox
-- Find the mailbox of a message's recipient, the last sequence that it gave out, and whether it blocks any sender.
SELECT mailbox_id, last_sequence, EXISTS (SELECT 1 FROM blocks WHERE blocks.mailbox_id = mailboxes.mailbox_id)
  FROM accounts JOIN mailboxes USING (account_id) WHERE username = ?

-- name: acknowledged_through
-- How far any session has acknowledged a mailbox. The messages that follow count for its size.
SELECT acknowledged_through FROM mailboxes WHERE mailbox_id = ?

-- name: accepted_message
-- The digest and the accept time of a message id that a sender has used in a mailbox before.
SELECT digest, accept_time FROM recent_message_ids WHERE mailbox_id = ?1 AND sender_id = ?2 AND message_id = ?3
 UNION ALL
SELECT digest, accept_time FROM message_ids WHERE mailbox_id = ?1 AND sender_id = ?2 AND message_id = ?3

-- name: set_last_sequence
-- Note the last sequence of the one mailbox that a transaction appended to.
UPDATE mailboxes SET last_sequence = ?2 WHERE mailbox_id = ?1

-- name: insert_message_ids
-- Note the ids of new messages. A repeated id violates the key. Takes one row or more (see appending.py).
INSERT INTO recent_message_ids (mailbox_id, sender_id, message_id, digest, accept_time) VALUES (?, ?, ?, ?, ?)

-- name: set_last_sequences
-- Note the last sequences of several mailboxes. Takes one row or more (see appending.py).
UPDATE mailboxes SET last_sequence = column2 FROM (VALUES (?, ?)) WHERE mailbox_id = column1

-- name: insert_messages
-- Store new messages. Takes one row or more (see appending.py).
INSERT INTO messages (mailbox_id, sequence, sender_id, sender, message_id, accept_time, kind, content)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: mailbox_bounds
-- The bounds of a mailbox, and the cursor of one of its sessions. No row if the session has ended.
SELECT last_sequence, removed_through, cursor
  FROM sessions JOIN mailboxes USING (account_id)
 WHERE session_id = ? AND mailbox_id = ?

-- name: messages_after
-- The messages of a mailbox that follow a sequence, in order.
SELECT sequence, sender, sender_id, message_id, accept_time, content, kind FROM messages
 WHERE mailbox_id = ? AND sequence > ? ORDER BY sequence LIMIT ?

-- name: advance_cursor
-- Note how far a session has acknowledged. The cursor never goes back.
UPDATE sessions SET cursor = max(cursor, ?) WHERE session_id = ?

-- name: advance_acknowledged
-- Note how far any session of a mailbox has acknowledged. It never goes back.
UPDATE mailboxes SET acknowledged_through = max(acknowledged_through, ?) WHERE mailbox_id = ?

-- name: is_blocked
-- Whether a mailbox takes no messages of a sender.
SELECT 1 FROM blocks WHERE mailbox_id = ? AND sender_id = ?

-- name: account_id_by_name
-- Find the id of a live account.
SELECT account_id FROM accounts WHERE username = ?

-- name: insert_block
-- Block a sender, unless it is blocked already.
INSERT OR IGNORE INTO blocks (mailbox_id, sender_id) VALUES (?, ?)

-- name: delete_block
-- Unblock a sender.
DELETE FROM blocks WHERE mailbox_id = ? AND sender_id = ?

-- name: delete_blocks
-- Remove all blocks of an account that is deleted.
DELETE FROM blocks WHERE mailbox_id = ?

-- name: delete_outlived_blocks
-- Remove the blocks of a mailbox whose sender was deleted. Nothing depends on them, but they count for the limit.
DELETE FROM blocks WHERE mailbox_id = ? AND sender_id NOT IN (SELECT account_id FROM accounts)

-- name: count_blocks
-- How many senders a mailbox blocks.
SELECT count(*) FROM blocks WHERE mailbox_id = ?

-- name: blocked_usernames
-- A page of the names of the senders that a mailbox blocks, sorted, joined by newlines, as in usernames.
SELECT CAST(coalesce(group_concat(username, char(10)), '') AS BLOB)
  FROM (SELECT username FROM blocks JOIN accounts ON accounts.account_id = sender_id
         WHERE mailbox_id = :mailbox_id AND username > :after ORDER BY username LIMIT :limit)

-- name: detached_mailbox
-- A mailbox that a deleted account left, for pruning.
SELECT mailbox_id FROM mailboxes WHERE account_id IS NULL LIMIT 1

-- name: oldest_message_sizes
-- The oldest messages of a mailbox with their sizes, for one step of pruning.
SELECT sequence, length(content) FROM messages WHERE mailbox_id = ? ORDER BY sequence LIMIT ?

-- name: delete_messages_through
-- Remove the oldest messages of a mailbox.
DELETE FROM messages WHERE mailbox_id = ? AND sequence <= ?

-- name: keep_message_ids_through
-- Copy the ids of messages that retention removes, so that a repeat is recognized for ever.
INSERT INTO message_ids (mailbox_id, sender_id, message_id, digest, accept_time)
SELECT mailbox_id, sender_id, message_id, recent.digest, recent.accept_time
  FROM messages JOIN recent_message_ids AS recent USING (message_id, mailbox_id, sender_id)
 WHERE mailbox_id = ? AND sequence <= ?

-- name: delete_recent_message_ids_through
-- Remove the ids of messages from the table of recent ones. The messages must still be there.
DELETE FROM recent_message_ids WHERE (message_id, mailbox_id, sender_id) IN
    (SELECT message_id, mailbox_id, sender_id FROM messages WHERE mailbox_id = ? AND sequence <= ?)

-- name: delete_some_message_ids
-- Remove some of the ids that a deleted mailbox's removed messages left.
DELETE FROM message_ids WHERE (mailbox_id, sender_id, message_id) IN
    (SELECT mailbox_id, sender_id, message_id FROM message_ids WHERE mailbox_id = ? LIMIT ?)

-- name: note_pruned
-- Count the messages of a mailbox that is about to be deleted, because the store counts all messages ever stored.
UPDATE store SET pruned_messages = pruned_messages + (SELECT last_sequence FROM mailboxes WHERE mailbox_id = ?)

-- name: delete_mailbox
-- Remove a mailbox that holds nothing any more.
DELETE FROM mailboxes WHERE mailbox_id = ?

-- name: end_of_walk
-- Where one step of retention's walk ends.
-- The walk reads along the index, one group of mailboxes after another. INDEXED BY makes SQLite use the index even if
-- its statistics favour another way.
SELECT max(mailbox_id) FROM (
    SELECT mailbox_id FROM mailboxes INDEXED BY mailboxes_with_acknowledged
     WHERE removed_through < acknowledged_through AND mailbox_id >= ? ORDER BY mailbox_id LIMIT ?)

-- name: mailboxes_with_old_messages
-- The mailboxes of a step whose oldest message was accepted outside all of the time spans that must be kept.
SELECT mailbox_id FROM mailboxes INDEXED BY mailboxes_with_acknowledged JOIN messages USING (mailbox_id)
 WHERE removed_through < acknowledged_through AND mailbox_id BETWEEN :start AND :end
   AND sequence = removed_through + 1 AND accept_time NOT BETWEEN :first AND :last
   AND NOT EXISTS (SELECT 1 FROM json_each(:others) WHERE accept_time BETWEEN value ->> 0 AND value ->> 1)
 ORDER BY mailbox_id

-- name: mailboxes_acknowledged_by_all
-- The mailboxes of a step whose oldest message has been acknowledged by every live session that may read.
SELECT mailbox_id FROM mailboxes INDEXED BY mailboxes_with_acknowledged
 WHERE removed_through < acknowledged_through AND mailbox_id BETWEEN :start AND :end
   AND removed_through < ifnull((SELECT min(cursor) FROM sessions
                                  WHERE account_id = mailboxes.account_id AND may_read), acknowledged_through)
 ORDER BY mailbox_id

-- name: retention_bounds
-- How far retention has removed, how far some session has acknowledged, and how far all live sessions have.
SELECT removed_through, acknowledged_through,
       (SELECT min(cursor) FROM sessions WHERE account_id = mailboxes.account_id AND may_read)
  FROM mailboxes WHERE mailbox_id = ?

-- name: oldest_messages
-- The oldest acknowledged messages of a mailbox with their accept times and sizes, for one step of retention.
SELECT sequence, accept_time, length(content) FROM messages
 WHERE mailbox_id = ? AND sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?

-- name: note_removed
-- Note how far retention has removed.
UPDATE mailboxes SET removed_through = ? WHERE mailbox_id = ?

-- name: account_and_mailbox
-- Find an account that an administrator names.
SELECT account_id, mailbox_id, username FROM accounts JOIN mailboxes USING (account_id) WHERE username = ?

-- name: set_disabled
-- Disable an account, or enable it with NULL. An account that is disabled already keeps its time.
UPDATE accounts SET disabled_time = iif(:time IS NULL, NULL, ifnull(disabled_time, :time)) WHERE account_id = :account_id

-- name: set_password_hash
-- Change a password. The old one does not matter.
UPDATE accounts SET password_hash = ? WHERE account_id = ?

-- name: insert_invite
-- Make an invite. Its id is never reused.
INSERT INTO invites (code_hash, note, max_uses, create_time, start_time, end_time) VALUES (?, ?, ?, ?, ?, ?)
RETURNING invite_id

-- name: unspent_invite
-- Find an invite by the hash of its code. No row if it is used up or revoked. The caller looks at its age.
SELECT invite_id, start_time, end_time FROM invites WHERE code_hash = ? AND uses < max_uses AND NOT is_revoked

-- name: use_invite
-- Count a use. The last one is the end of the invite.
UPDATE invites SET uses = uses + 1,
       end_time = iif(uses + 1 = max_uses, min(ifnull(end_time, :now), :now), end_time)
 WHERE invite_id = :invite_id

-- name: revoke_invite
-- End an invite, unless it has ended.
UPDATE invites SET is_revoked = 1, end_time = min(ifnull(end_time, :now), :now) WHERE invite_id = :invite_id

-- name: delete_old_invites
-- Remove some of the invites that have ended before a store time.
DELETE FROM invites WHERE invite_id IN (SELECT invite_id FROM invites WHERE end_time < ? LIMIT ?)
