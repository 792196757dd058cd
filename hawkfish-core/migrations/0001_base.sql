-- Numbers handed out one after the other and never twice: ids of accounts, sessions and tasks.
CREATE TABLE hf_sequences (
    name        TEXT PRIMARY KEY NOT NULL,
    last        INTEGER NOT NULL
);

-- What an operator can set, one JSON document for each room.
CREATE TABLE hf_settings (
    name        TEXT PRIMARY KEY NOT NULL,
    value       TEXT NOT NULL
);

-- What happens later. One row of a kind for each subject.
CREATE TABLE hf_due (
    id          INTEGER PRIMARY KEY NOT NULL,
    at_ms       INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    payload     TEXT NOT NULL,
    UNIQUE (kind, subject)
);
CREATE INDEX hf_due_at ON hf_due (at_ms, id);
