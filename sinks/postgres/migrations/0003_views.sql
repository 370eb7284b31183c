-- Views for analysts. "Now" is the newest journal time of a tenant, so that they also hold for a simulated year.

-- Minor units as an amount: places of ISO 4217 other than two are listed.
CREATE FUNCTION amount(minor bigint, currency text) RETURNS numeric
LANGUAGE sql IMMUTABLE RETURN trim_scale(minor / CASE
  WHEN currency IN (
    'BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF',
    'XPF') THEN 1::numeric
  WHEN currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 1000
  WHEN currency IN ('CLF', 'UYW') THEN 10000
  ELSE 100
END);

-- The newest journal time of each tenant.
CREATE VIEW tenants AS
SELECT tenant, max(as_of) AS now, count(*) FILTER (WHERE merged_into IS NULL) AS accounts
FROM accounts GROUP BY tenant;

-- Every measure of every account, one row each, as it is now.
CREATE VIEW measures AS
SELECT
  k.tenant, k.account_id, m.name, m.value, m.unit, m.score, m.weight, m.contribution, m.reason,
  m."group" AS measure_group, m.stale, k.as_of
FROM kpis k, jsonb_to_recordset(k.measures) AS m(
  name text, value double precision, unit text, score double precision, weight double precision,
  contribution double precision, reason text, "group" text, stale boolean);

-- The value of every measure over time, one row each; those that were not known are left out.
CREATE VIEW measure_values AS
SELECT h.tenant, h.account_id, m.key AS name, m.value::text::double precision AS value, h.as_of
FROM measure_history h, jsonb_each(h.measure_values) AS m
WHERE m.value <> 'null'::jsonb;

-- The last score of every account on each UTC day on which it was published.
CREATE VIEW score_by_day AS
SELECT DISTINCT ON (tenant, account_id, day)
  tenant, account_id, (as_of AT TIME ZONE 'UTC')::date AS day, score, band, owner, segment, stage,
  amount(arr_minor, currency) AS arr, currency
FROM score_history
ORDER BY tenant, account_id, day, as_of DESC, sequence DESC;

-- Every account with its score 7 and 28 days ago: order by change_7d.
CREATE VIEW movers AS
SELECT
  a.tenant, a.account_id, a.name, a.owner, a.segment, amount(a.arr_minor, a.currency) AS arr, a.currency,
  a.band, a.score, week.band AS band_7d, week.score AS score_7d, a.score - week.score AS change_7d,
  month.band AS band_28d, month.score AS score_28d, a.score - month.score AS change_28d,
  a.reasons ->> 0 AS first_reason
FROM accounts a
JOIN tenants t USING (tenant)
LEFT JOIN LATERAL (
  SELECT h.score, h.band FROM score_history h
  WHERE h.tenant = a.tenant AND h.account_id = a.account_id AND h.as_of <= t.now - interval '7 days'
  ORDER BY h.as_of DESC, h.sequence DESC LIMIT 1) week ON true
LEFT JOIN LATERAL (
  SELECT h.score, h.band FROM score_history h
  WHERE h.tenant = a.tenant AND h.account_id = a.account_id AND h.as_of <= t.now - interval '28 days'
  ORDER BY h.as_of DESC, h.sequence DESC LIMIT 1) month ON true
WHERE a.merged_into IS NULL;

-- Annual revenue of every owner, and how much of it is with accounts of the bands critical and at_risk.
CREATE VIEW arr_at_risk_by_owner AS
SELECT
  tenant, coalesce(owner, '(nobody)') AS owner, currency, count(*) AS accounts,
  count(*) FILTER (WHERE band IN ('critical', 'at_risk')) AS accounts_at_risk,
  amount(sum(arr_minor)::bigint, currency) AS arr,
  coalesce(amount(sum(arr_minor) FILTER (WHERE band IN ('critical', 'at_risk'))::bigint, currency), 0) AS arr_at_risk,
  round(coalesce(sum(arr_minor) FILTER (WHERE band IN ('critical', 'at_risk')), 0)
        / nullif(sum(arr_minor), 0), 4) AS share_at_risk
FROM accounts
WHERE merged_into IS NULL
GROUP BY tenant, owner, currency;

-- Retention of the accounts that became customers in the same month. Revenue is that of 12 months ago, or of the start
-- where that is later; gross_retention and net_retention are the shares kept of it, weighted by it. An account whose
-- subscription has ended, or whose stage is churned, is not active.
CREATE VIEW retention_by_cohort AS
WITH known AS (
  SELECT
    k.tenant, k.account_id, k.as_of, a.currency, a.stage,
    max(m.value) FILTER (WHERE m.name = 'revenue.tenure') AS months,
    max(m.value) FILTER (WHERE m.name = 'revenue.before') AS mrr_before,
    max(m.value) FILTER (WHERE m.name = 'revenue.gross_retention') AS gross,
    max(m.value) FILTER (WHERE m.name = 'revenue.net_retention') AS net,
    max(m.value) FILTER (WHERE m.name = 'billing.cancellation') AS cancellation
  FROM kpis k
  JOIN accounts a USING (tenant, account_id),
  jsonb_to_recordset(k.measures) AS m(name text, value double precision)
  WHERE a.merged_into IS NULL
  GROUP BY k.tenant, k.account_id, k.as_of, a.currency, a.stage
)
SELECT
  tenant,
  date_trunc('month', as_of - months * interval '30.436875 days')::date AS cohort,
  currency,
  count(*) AS accounts,
  count(*) FILTER (WHERE coalesce(cancellation, 0) < 2 AND stage IS DISTINCT FROM 'churned') AS active,
  round(avg(CASE WHEN coalesce(cancellation, 0) < 2 AND stage IS DISTINCT FROM 'churned' THEN 1 ELSE 0 END), 4)
    AS logo_retention,
  amount(sum(mrr_before)::bigint, currency) AS mrr_before,
  round((sum(mrr_before * gross) / nullif(sum(mrr_before) FILTER (WHERE gross IS NOT NULL), 0))::numeric, 4)
    AS gross_retention,
  round((sum(mrr_before * net) / nullif(sum(mrr_before) FILTER (WHERE net IS NOT NULL), 0))::numeric, 4)
    AS net_retention
FROM known
WHERE months IS NOT NULL
GROUP BY tenant, cohort, currency;

-- Open alerts, the gravest first, without those that are only counted.
CREATE VIEW open_alerts AS
SELECT
  tenant, alert_id, account_id, name, owner, assignee, severity, lane, rule, title, reasons ->> 0 AS first_reason, action,
  score, band, amount(arr_minor, currency) AS arr, currency, opened_at, changed_at, acknowledged_by, snoozed_until
FROM alerts
WHERE change <> 'resolved' AND NOT shadow
ORDER BY array_position(ARRAY['critical', 'warning', 'info'], severity), opened_at;
