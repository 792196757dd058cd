-- What is known of a log beside its entries. A log without a row was never touched: it is on and empty.
CREATE TABLE hf_logs (
    log         TEXT PRIMARY KEY NOT NULL,
    enabled     INTEGER NOT NULL,
    overflowed  INTEGER NOT NULL,
    -- Numbers below were handed out before the log was cleared, and are not handed out again.
    first       INTEGER NOT NULL
);

-- What happened, one JSON document for each.
CREATE TABLE hf_log_entries (
    log         TEXT NOT NULL,
    number      INTEGER NOT NULL,
    event       TEXT NOT NULL,
    resolved    INTEGER NOT NULL,
    modified_ms INTEGER,
    PRIMARY KEY (log, number)
) WITHOUT ROWID;
