CREATE TABLE hf_tasks (
    id              TEXT PRIMARY KEY NOT NULL,
    name            TEXT NOT NULL,
    kind            TEXT NOT NULL,
    subject         TEXT,
    project         TEXT,
    owner           TEXT,
    state           TEXT NOT NULL,
    percent         INTEGER NOT NULL,
    resumable       INTEGER NOT NULL,
    payload         TEXT NOT NULL,
    request         TEXT,
    messages        TEXT NOT NULL,
    failure         TEXT,
    start_ms        INTEGER NOT NULL,
    end_ms          INTEGER,
    generation      INTEGER NOT NULL
);
