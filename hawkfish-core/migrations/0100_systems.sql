-- Every machine that was ever seen, with what it looked like last, so that a host that does not answer can be shown as last seen.
CREATE TABLE hf_systems (
    id          TEXT PRIMARY KEY NOT NULL,
    host        TEXT NOT NULL,
    project     TEXT NOT NULL,
    present     INTEGER NOT NULL,
    indicator   INTEGER NOT NULL,
    machine     TEXT NOT NULL,
    seen_ms     INTEGER NOT NULL
);
CREATE INDEX hf_systems_host ON hf_systems (host);

-- What HawkFish put into a slot of a system. The backend says whether it is still in it.
CREATE TABLE hf_media (
    system      TEXT NOT NULL,
    slot        TEXT NOT NULL,
    record      TEXT NOT NULL,
    PRIMARY KEY (system, slot)
);

-- How a slot of a system is set up.
CREATE TABLE hf_slots (
    system      TEXT NOT NULL,
    slot        TEXT NOT NULL,
    verify      INTEGER NOT NULL,
    PRIMARY KEY (system, slot)
);
