-- Everything that happened, in the order of the commits, one JSON document for each: what streams are resumed from, and what is still to be delivered.
-- Only the newest are kept.
CREATE TABLE hf_events (
    seq   INTEGER PRIMARY KEY NOT NULL,
    fact  TEXT NOT NULL
);
