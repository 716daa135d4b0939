-- The state of this file from which a write-ahead log continues. So a log is not read with a file that it does not fit.
-- generation: names a state of the file. A log ends with a new generation before it is copied into the file.
-- log_base: the generation that the file had when the current log began. The log's first transaction writes it. NULL if
-- the log holds a migration. Then any file fits.
ALTER TABLE store ADD COLUMN generation BLOB CHECK (length(generation) = 16);
ALTER TABLE store ADD COLUMN log_base BLOB CHECK (length(log_base) = 16);
