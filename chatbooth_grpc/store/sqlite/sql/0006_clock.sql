-- clock: the store's own time, and the stamps that it gave at each time, as JSON (see booth/store_clock.py). NULL if
-- all times in this store are from the machine's time of day.
ALTER TABLE store ADD COLUMN clock TEXT;
-- hold_time: when the hold of a name began. The hold lasts for free_time minus hold_time. Both are in store time, like
-- used_time in sessions. Holds from before this migration have no such time, so they count as the default's 30 days.
ALTER TABLE held_names ADD COLUMN hold_time INTEGER NOT NULL DEFAULT 0;
UPDATE held_names SET hold_time = free_time - 2592000000000;
