-- The system whose face something was made through; NULL for what was made at the fleet's.
ALTER TABLE hf_sessions ADD COLUMN face TEXT;
ALTER TABLE hf_tasks ADD COLUMN face TEXT;
