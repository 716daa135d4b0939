-- Which state of this file a write-ahead log goes on from, so that a log is not read with a file that it does not fit.
-- generation: names a state of the file; a log ends with a new one before it is copied into the file.
-- log_base: the generation that the file had when the current log began; a log begins with it. NULL: the log holds a
-- migration, and any file fits.
ALTER TABLE store ADD COLUMN generation BLOB CHECK (length(generation) = 16);
ALTER TABLE store ADD COLUMN log_base BLOB CHECK (length(log_base) = 16);
