-- Firmware settings that wait for the next reset of a system, and what became of the last that did.
CREATE TABLE hf_bios (
    system      TEXT PRIMARY KEY NOT NULL,
    state       TEXT NOT NULL
);
