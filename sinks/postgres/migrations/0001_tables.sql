-- Tables of the Postgres sink. docs/sinks/postgres.md says what they hold; times are UTC, money in minor units.

-- How far the sink is filled: the offset to write next of each partition of the outputs.
CREATE TABLE positions (
  part text PRIMARY KEY,
  next_offset bigint NOT NULL
);

-- Deletions, by a hash of the account, so that older records of it that come late are ignored without keeping its name.
CREATE TABLE erased (
  subject bytea NOT NULL,
  what text NOT NULL CHECK (what IN ('account', 'kpis')),
  as_of bigint NOT NULL,
  sequence bigint NOT NULL,
  PRIMARY KEY (subject, what)
);

-- Every account with its newest health.
CREATE TABLE accounts (
  tenant text NOT NULL,
  account_id text NOT NULL,
  name text,
  owner text,
  segment text,
  stage text,
  arr_minor bigint,
  currency text,
  parent_id text,
  merged_into text,
  score double precision NOT NULL,
  band text NOT NULL,
  label text NOT NULL,
  band_since timestamptz,
  previous_score double precision,
  coverage double precision NOT NULL,
  reasons jsonb NOT NULL,
  caps jsonb NOT NULL,
  adjustments jsonb NOT NULL,
  overrides jsonb NOT NULL,
  open_alerts jsonb NOT NULL,
  silent_sources jsonb NOT NULL,
  model text NOT NULL,
  model_version text NOT NULL,
  as_of timestamptz NOT NULL,
  received_at timestamptz,
  partition int NOT NULL,
  sequence bigint NOT NULL,
  PRIMARY KEY (tenant, account_id)
);
CREATE INDEX accounts_by_owner ON accounts (tenant, owner);

-- Every score that was published, by month.
CREATE TABLE score_history (
  tenant text NOT NULL,
  account_id text NOT NULL,
  as_of timestamptz NOT NULL,
  sequence bigint NOT NULL,
  score double precision NOT NULL,
  band text NOT NULL,
  coverage double precision NOT NULL,
  owner text,
  segment text,
  stage text,
  arr_minor bigint,
  currency text,
  reasons jsonb NOT NULL,
  contributions jsonb NOT NULL,
  model text NOT NULL,
  model_version text NOT NULL,
  PRIMARY KEY (tenant, account_id, as_of, sequence)
) PARTITION BY RANGE (as_of);

-- All measures of every account, the newest.
CREATE TABLE kpis (
  tenant text NOT NULL,
  account_id text NOT NULL,
  measures jsonb NOT NULL,
  model text NOT NULL,
  model_version text NOT NULL,
  as_of timestamptz NOT NULL,
  partition int NOT NULL,
  sequence bigint NOT NULL,
  PRIMARY KEY (tenant, account_id)
);

-- The values of all measures of an account, once a minute at most, by month; measure_values is {measure: value}.
CREATE TABLE measure_history (
  tenant text NOT NULL,
  account_id text NOT NULL,
  as_of timestamptz NOT NULL,
  sequence bigint NOT NULL,
  measure_values jsonb NOT NULL,
  PRIMARY KEY (tenant, account_id, as_of, sequence)
) PARTITION BY RANGE (as_of);

-- Every alert as it is now.
CREATE TABLE alerts (
  alert_id text PRIMARY KEY,
  tenant text NOT NULL,
  account_id text NOT NULL,
  name text,
  owner text,
  segment text,
  plan text,
  arr_minor bigint,
  currency text,
  renewal_at timestamptz,
  rule text NOT NULL,
  episode bigint NOT NULL,
  lane text NOT NULL,
  subject text NOT NULL,
  change text NOT NULL,
  severity text NOT NULL,
  title text NOT NULL,
  reasons jsonb NOT NULL,
  action text NOT NULL,
  score_before double precision,
  score double precision NOT NULL,
  band text NOT NULL,
  since timestamptz,
  opened_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL,
  acknowledged_by text,
  acknowledged_at timestamptz,
  assignee text,
  snoozed_until timestamptz,
  dismissed_by text,
  resolution text,
  feedback text,
  note text,
  shadow boolean NOT NULL,
  model text NOT NULL,
  model_version text NOT NULL,
  rules_version text NOT NULL,
  received_at timestamptz,
  partition int NOT NULL,
  sequence bigint NOT NULL,
  step int NOT NULL
);
CREATE INDEX alerts_by_account ON alerts (tenant, account_id);
CREATE INDEX alerts_open ON alerts (tenant, owner, opened_at) WHERE change <> 'resolved';

-- The life of every alert: its opening, each change, what people did, and its end.
CREATE TABLE alert_changes (
  alert_id text NOT NULL,
  changed_at timestamptz NOT NULL,
  sequence bigint NOT NULL,
  step int NOT NULL,
  tenant text NOT NULL,
  account_id text NOT NULL,
  change text NOT NULL,
  severity text NOT NULL,
  title text NOT NULL,
  reasons jsonb NOT NULL,
  owner text,
  score double precision NOT NULL,
  band text NOT NULL,
  acknowledged_by text,
  assignee text,
  snoozed_until timestamptz,
  dismissed_by text,
  resolution text,
  feedback text,
  note text,
  PRIMARY KEY (alert_id, changed_at, sequence, step)
);
CREATE INDEX alert_changes_by_account ON alert_changes (tenant, account_id, changed_at);

-- The time of UTC milliseconds.
CREATE FUNCTION at_milliseconds(milliseconds bigint) RETURNS timestamptz
LANGUAGE sql STABLE RETURN timestamptz '1970-01-01 00:00:00+00' + milliseconds * interval '1 millisecond';

-- What an account is called in the table of deletions.
CREATE FUNCTION erased_subject(tenant text, account_id text) RETURNS bytea
LANGUAGE sql IMMUTABLE RETURN sha256(convert_to(tenant || E'\n' || account_id, 'UTF8'));
