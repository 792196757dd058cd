-- What is to be done on a schedule, with how it went so far, as JSON.
CREATE TABLE hf_jobs (
    id          TEXT PRIMARY KEY NOT NULL,
    job         TEXT NOT NULL
);
