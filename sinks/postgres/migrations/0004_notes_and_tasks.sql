-- What the team writes about an account and what it is to do there: the newest notes, and the tasks that are open or were
-- done lately, as they are now.
ALTER TABLE accounts
  ADD COLUMN notes jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN tasks jsonb NOT NULL DEFAULT '[]';

-- Notes on accounts, one row each.
CREATE VIEW account_notes AS
SELECT a.tenant, a.account_id, n.note_id, at_milliseconds(n.at) AS written_at, n.author, n.text
FROM accounts a, jsonb_to_recordset(a.notes) AS n(note_id text, at bigint, author text, text text);

-- Tasks of accounts, one row each; done_at is null while one is open.
CREATE VIEW account_tasks AS
SELECT
  a.tenant, a.account_id, a.name, t.task_id, t.title, t.author, at_milliseconds(t.due_at) AS due_at, t.assignee,
  at_milliseconds(t.done_at) AS done_at, t.done_by
FROM accounts a, jsonb_to_recordset(a.tasks) AS t(
  task_id text, title text, author text, due_at bigint, assignee text, done_at bigint, done_by text);
