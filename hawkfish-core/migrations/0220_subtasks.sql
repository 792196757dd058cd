-- Tasks have parts, which are tasks that know whose part they are; and whether a task's end was told by its monitor outlives a restart.
ALTER TABLE hf_tasks ADD COLUMN parent TEXT;
ALTER TABLE hf_tasks ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
CREATE INDEX hf_tasks_parent ON hf_tasks (parent) WHERE parent IS NOT NULL;
