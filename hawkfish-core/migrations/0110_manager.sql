-- What is set at the manager of a system, one JSON document for each; a manager without a row is as it comes.
CREATE TABLE hf_managers (
    system      TEXT PRIMARY KEY NOT NULL,
    state       TEXT NOT NULL
);

-- Authorities that servers of images may use, for one slot of a system.
CREATE TABLE hf_media_authorities (
    system      TEXT NOT NULL,
    slot        TEXT NOT NULL,
    id          INTEGER NOT NULL,
    der         BLOB NOT NULL,
    PRIMARY KEY (system, slot, id)
);
