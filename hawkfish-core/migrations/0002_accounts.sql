CREATE TABLE hf_roles (
    id              TEXT PRIMARY KEY NOT NULL,
    predefined      INTEGER NOT NULL,
    privileges      TEXT NOT NULL,
    generation      INTEGER NOT NULL
);

-- The three roles of DSP0266, "Roles".
INSERT INTO hf_roles (id, predefined, privileges, generation) VALUES
    ('Administrator', 1, '["Login","ConfigureManager","ConfigureUsers","ConfigureSelf","ConfigureComponents"]', 1),
    ('Operator', 1, '["Login","ConfigureSelf","ConfigureComponents"]', 1),
    ('ReadOnly', 1, '["Login","ConfigureSelf"]', 1);

CREATE TABLE hf_accounts (
    id                          TEXT PRIMARY KEY NOT NULL,
    name                        TEXT NOT NULL UNIQUE,
    role                        TEXT NOT NULL REFERENCES hf_roles (id),
    enabled                     INTEGER NOT NULL,
    password_hash               TEXT NOT NULL,
    password_change_required    INTEGER NOT NULL,
    created_ms                  INTEGER NOT NULL,
    failures                    INTEGER NOT NULL,
    last_failure_ms             INTEGER,
    locked                      INTEGER NOT NULL,
    generation                  INTEGER NOT NULL
);
CREATE INDEX hf_accounts_role ON hf_accounts (role);
