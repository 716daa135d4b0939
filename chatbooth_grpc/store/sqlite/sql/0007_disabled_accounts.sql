-- disabled_time: when an administrator disabled the account, by the time of day. NULL: it is enabled. A disabled account
-- has no sessions and gets no new ones. Its mailbox goes on receiving.
ALTER TABLE accounts ADD COLUMN disabled_time INTEGER;
