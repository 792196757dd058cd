-- Of a token only the SHA-256 is kept, so that the database opens no session.
CREATE TABLE hf_sessions (
    id              TEXT PRIMARY KEY NOT NULL,
    account         TEXT NOT NULL REFERENCES hf_accounts (id) ON DELETE CASCADE,
    token_sha256    BLOB NOT NULL UNIQUE,
    created_ms      INTEGER NOT NULL,
    last_used_ms    INTEGER NOT NULL,
    address         TEXT
);
CREATE INDEX hf_sessions_account ON hf_sessions (account);
