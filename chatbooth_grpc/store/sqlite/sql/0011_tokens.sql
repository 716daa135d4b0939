-- Tokens: sessions of kind 2, which a person makes for a program. label is the name of the token.
-- may_read, may_send: what the session may do. Sessions of other kinds may do both, and everything else.
-- recipient_id: the only account that a token may send to. NULL: any. It stays when that account is deleted.
-- expire_time: the store time at which a token expires. NULL: it does not.
ALTER TABLE sessions ADD COLUMN may_read INTEGER NOT NULL DEFAULT 1;
ALTER TABLE sessions ADD COLUMN may_send INTEGER NOT NULL DEFAULT 1;
ALTER TABLE sessions ADD COLUMN recipient_id INTEGER;
ALTER TABLE sessions ADD COLUMN expire_time INTEGER;
CREATE INDEX sessions_by_expiry ON sessions (expire_time) WHERE expire_time IS NOT NULL;
-- Tokens that nobody uses stay, so the search for unused sessions must not pass them each time.
DROP INDEX sessions_by_use;
CREATE INDEX sessions_by_use ON sessions (kind, used_time);
