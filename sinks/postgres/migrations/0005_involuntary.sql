-- What causes that nobody decided, such as failed payments, leave of 100 by themselves, and why; and how probably an
-- account leaves within 90 days. Rows of before get them with their next record: `bellbuoy sinks reconcile --repair`
-- writes all that are on Kafka at once.
ALTER TABLE accounts
  ADD COLUMN churn_probability double precision,
  ADD COLUMN involuntary_score double precision,
  ADD COLUMN involuntary_reasons jsonb NOT NULL DEFAULT '[]';

ALTER TABLE score_history
  ADD COLUMN involuntary_score double precision;

-- Accounts with a payment risk, whose case finance can take, the largest first: risk is what it takes of 100 points.
CREATE VIEW payment_risks AS
SELECT
  tenant, account_id, name, owner, segment, amount(arr_minor, currency) AS arr, currency,
  100 - involuntary_score AS risk, involuntary_reasons ->> 0 AS first_reason, involuntary_reasons AS reasons, score, band,
  as_of
FROM accounts
WHERE involuntary_score < 100 AND merged_into IS NULL AND stage IS DISTINCT FROM 'churned'
ORDER BY involuntary_score, arr_minor DESC NULLS LAST;
