-- The codes with which people may sign up on a server that asks for one.
-- note: the words of the administrator who made it.
-- create_time: the time of day, for people. start_time, end_time: store time. The invite is good for the time between
-- the two. Its last use, or an administrator who revokes it, brings the end forward. NULL: it has no end.
CREATE TABLE invites (
    invite_id INTEGER PRIMARY KEY AUTOINCREMENT,
    code_hash BLOB NOT NULL UNIQUE CHECK (length(code_hash) = 32),
    note TEXT NOT NULL,
    max_uses INTEGER NOT NULL,
    uses INTEGER NOT NULL DEFAULT 0,
    is_revoked INTEGER NOT NULL DEFAULT 0,
    create_time INTEGER NOT NULL,
    start_time INTEGER NOT NULL,
    end_time INTEGER
) STRICT;

CREATE INDEX invites_by_end ON invites (end_time);
