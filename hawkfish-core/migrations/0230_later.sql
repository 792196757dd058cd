-- How each system was last seen to run, apart from what it is made of (hf_systems.machine): this changes with every reset, that hardly ever, and
-- is a hundred times as long. A system without a row here is as its machine says.
CREATE TABLE hf_system_states (
    system   TEXT PRIMARY KEY NOT NULL,
    state    TEXT NOT NULL,
    seen_ms  INTEGER NOT NULL
) WITHOUT ROWID;

-- Where all the rows go that are put in with the commit, whoever left them to it: one statement, and so one hand-over to the database, which also is a
-- transaction by itself where there is no other. Each column is a JSON array, NULL where there is nothing to do; those of events follow the number `before`,
-- and those up to `forgotten` go.
CREATE VIEW hf_later (before, events, forgotten, entries, overflows, trims, states) AS
    SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL WHERE 0;

CREATE TRIGGER hf_later_put INSTEAD OF INSERT ON hf_later BEGIN
    INSERT INTO hf_system_states (system, state, seen_ms)
        SELECT value ->> 0, value -> 1, value ->> 2 FROM json_each(NEW.states) WHERE true
        ON CONFLICT (system) DO UPDATE SET state = excluded.state, seen_ms = excluded.seen_ms;
    INSERT INTO hf_log_entries (log, number, event, resolved)
        SELECT value ->> 0, value ->> 1, value -> 2, 0 FROM json_each(NEW.entries);
    -- A log without a row was never touched: it is on.
    INSERT INTO hf_logs (log, enabled, overflowed, first)
        SELECT value, 1, 1, 1 FROM json_each(NEW.overflows) WHERE true
        ON CONFLICT (log) DO UPDATE SET overflowed = 1;
    DELETE FROM hf_log_entries WHERE (log, number) IN (
        SELECT e.log, e.number FROM json_each(NEW.trims) AS t
        JOIN hf_log_entries AS e ON e.log = (t.value ->> 0) AND e.number < (t.value ->> 1)
    );
    INSERT INTO hf_events (seq, fact)
        SELECT NEW.before + 1 + key, value FROM json_each(NEW.events);
    DELETE FROM hf_events WHERE seq <= NEW.forgotten;
END;
