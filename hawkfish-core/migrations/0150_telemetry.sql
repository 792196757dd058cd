-- What is to be reported, as JSON.
CREATE TABLE hf_report_definitions (
    id          TEXT PRIMARY KEY NOT NULL,
    definition  TEXT NOT NULL
);

-- What was reported last, or so far, by definition.
CREATE TABLE hf_reports (
    id          TEXT PRIMARY KEY NOT NULL REFERENCES hf_report_definitions (id) ON DELETE CASCADE,
    report      TEXT NOT NULL
);
