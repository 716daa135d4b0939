-- label: the words by which the client that opened the session names itself, for the list of the account's sessions.
-- kind: how the session was opened, a number of the .proto's SessionKind. All sessions so far were opened by a password.
ALTER TABLE sessions ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN kind INTEGER NOT NULL DEFAULT 1;
