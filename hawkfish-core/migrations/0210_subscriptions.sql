-- Where events are sent. What a client said (with its secrets: the file is its owner's alone), and how far the deliveries are, as JSON.
CREATE TABLE hf_subscriptions (
    id            INTEGER PRIMARY KEY NOT NULL,
    subscription  TEXT NOT NULL,
    delivery      TEXT NOT NULL
);

-- Events that a destination did not take, each with its own copy of the event.
CREATE TABLE hf_dead_letters (
    subscription  INTEGER NOT NULL REFERENCES hf_subscriptions (id) ON DELETE CASCADE,
    seq           INTEGER NOT NULL,
    letter        TEXT NOT NULL,
    PRIMARY KEY (subscription, seq)
) WITHOUT ROWID;
