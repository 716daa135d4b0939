-- clock: the store's own time and which stamps were given when, as JSON (see booth/store_clock.py). NULL: the times in
-- this store were all given by the machine's time of day.
ALTER TABLE store ADD COLUMN clock TEXT;
-- hold_time: when the hold of a name began. free_time less that is how long it lasts. Both are in store time, like
-- used_time in sessions. Of holds from before, all that is known is when they end: they count as the default's 30 days.
ALTER TABLE held_names ADD COLUMN hold_time INTEGER NOT NULL DEFAULT 0;
UPDATE held_names SET hold_time = free_time - 2592000000000;
