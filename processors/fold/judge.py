"""Judge of one account at a time: score, band, alerts, next due time, and what is published of them."""

from __future__ import annotations

from functools import partial

from processors.alerts.changes import handed_over, newest_changes
from processors.fold.account_update import AccountUpdate
from processors.fold.ask_rules import Grounds, ask_rules, measure, reasons_of_alert, sample
from processors.fold.due import earliest, kpis_due
from processors.fold.ended_accounts import delete_account, forward_account, remember_deletion
from processors.fold.evaluation_cache import Evaluation, evaluate, verdict_on
from processors.fold.models_in_force import RULES
from processors.fold.outcome import Outcome, alert_records, health_record, kpis_record
from processors.fold.shared import Shared
from processors.lost_days import DayCounts, contact_count_of, count_of
from processors.merging.transfers import is_forwarded
from processors.model import Model
from processors.observe import evict
from processors.observe.deletion import is_erased
from processors.rules import Situation
from processors.scoring.score import Verdict, assess, inform, settle
from processors.silent_sources import (
    NOTHING_FROZEN,
    FeedKey,
    FrozenSources,
    Silence,
    frozen_for,
    frozen_values,
    silences,
)
from processors.state.account import State, arrange
from processors.state.own import MUTED_UNTIL
from processors.state.position import BatchOrigin
from processors.view import LostDays, View
from schemas.identity.aliases import is_alias
from schemas.inputs import ENGAGEMENT, USAGE
from schemas.records import ShadowScore
from schemas.times import DAY

__all__ = ["Judge"]


class Judge:
    """
    Judges the accounts that one batch touches, with the models and the feeds after that batch.

    ``day_counts`` are, by feed, those of yesterday of the accounts that are judged first on this day.
    """

    def __init__(self, origin: BatchOrigin, shared: Shared) -> None:
        self._origin = origin
        self.day_counts: dict[FeedKey, DayCounts] = {}
        self._shared = shared
        self._models = shared.models
        self._silences: dict[str, tuple[Silence, ...]] = {}
        self._lost_days: dict[str, LostDays] = {}
        self._switches: dict[str, int] = {}
        self._replacements: dict[str, int] = {}

    def judge(self, key: bytes, update: AccountUpdate, outcome: Outcome) -> None:
        """
        Judge an account, or forward its evidence where that belongs to another account.

        Of an account that only people have spoken of, by an override or an alert action, what they said is
        kept for the time when it is known, and nothing is published. A deleted account is ended.
        """
        state = update.account.state
        if update.deleted:
            delete_account(key, update, self._origin, self._models, outcome)
        elif is_erased(state):
            remember_deletion(key, update.account, self._origin, outcome)
        elif is_forwarded(state):
            forward_account(key, update, self._origin, self._models, outcome)
        elif state.known:
            self._judge(key, update, outcome)
        else:
            arrange(state)
            state.sequence, state.due, state.kpis_due = self._origin.sequence, None, None
            outcome.accounts[key] = update.account

    def _judge(self, key: bytes, update: AccountUpdate, outcome: Outcome) -> None:
        account, now = update.account, self._origin.written_at
        state = account.state
        first_today = now // DAY != state.scored_day
        if first_today:
            evict(state, now)  # the first day of every ring moves with the day; nothing older is admitted
        switched = self._model_switched(state)
        rules, replaced = self._models.rules(state.tenant), self._rules_replaced(state)
        evaluation = evaluate(
            account,
            now,
            self._models,
            usage_only=update.usage_only and not (switched or replaced),
            changed_usage=update.changed_usage,
            frozen=self._frozen(state),
            lost=self._lost(state.tenant),
        )
        if first_today:
            self._count_yesterday(evaluation.view)
        model_ends = earliest(evaluation.model.next_change(now), self._models.next_change(state.tenant, now))
        verdict = verdict_on(account, evaluation, model_ends)
        score_before = state.score
        score_changed, band_due = _enter_score(state, verdict, now)
        band = evaluation.plan.bands.severity(state.band)
        grounds = Grounds(evaluation, verdict, band)
        situation = Situation(evaluation.view, partial(measure, evaluation))
        asked = ask_rules(
            account, rules, situation, grounds, update.changed_usage,
            switched=switched, replaced=replaced or _is_muted(state, now), score_before=score_before,
        )  # fmt: skip
        changes = newest_changes(update.episode_changes + asked.changes)
        if update.handed_over:
            changes += handed_over(state, changes)
        if rules.samples:
            sample(rules, situation, verdict)
        if state.kpis_due is not None and state.kpis_due <= now:
            self._publish_kpis(key, evaluation, verdict, outcome)
        else:
            state.kpis_due = kpis_due(state, now)
        state.sequence = self._origin.sequence
        state.due = earliest(evaluation.due, verdict.due, band_due, state.kpis_due, asked.due)
        outcome.accounts[key] = account
        if score_changed or changes or switched or update.received_at is not None:
            shadow_scores = [
                _shadow_score(model, evaluation.view, evaluation.frozen)
                for model in self._models.shadow(state.tenant)
            ]
            health = health_record(self._origin, evaluation, verdict, shadow_scores, update.received_at)
            outcome.health.append((key, health))
        if changes:
            alerts = alert_records(
                self._origin,
                state,
                changes,
                evaluation.model,
                score=verdict.score,
                band=band,
                reasons=partial(reasons_of_alert, rules, situation, grounds),
                received_at=update.received_at,
                rules_version=rules.version,
            )
            outcome.alerts.extend((key, alert) for alert in alerts)

    def _model_switched(self, state: State) -> bool:
        """Tell whether the models have changed since the account was judged last."""
        if not self._models.entries or state.score is None:
            return False
        switched_at = self._switches.get(state.tenant)
        if switched_at is None:
            switch = self._models.switch(state.tenant)
            switched_at = self._switches[state.tenant] = -1 if switch is None else switch.sequence
        return state.sequence < switched_at

    def _rules_replaced(self, state: State) -> bool:
        """Tell whether the alert rules have changed since the account was judged last."""
        if not self._models.entries or state.score is None or self._models.fixed_rules:
            return False
        replaced_at = self._replacements.get(state.tenant)
        if replaced_at is None:
            switch = self._models.switch(state.tenant, RULES)
            replaced_at = self._replacements[state.tenant] = -1 if switch is None else switch.sequence
        return state.sequence < replaced_at

    def _count_yesterday(self, view: View) -> None:
        """Count whether the account should have come yesterday, and whether it was in contact."""
        state = view.state
        if is_alias(state.account_id) or view.churned:
            return
        day, heard_at = view.today - 1, state.heard.get(ENGAGEMENT.topic)
        for topic, counts in (
            (USAGE.topic, count_of(state.usage, day, view.lost.usage, view.holidays)),
            (ENGAGEMENT.topic, contact_count_of(heard_at, day)),
        ):
            if counts.expected:
                key = state.tenant, topic
                self.day_counts[key] = self.day_counts.get(key, DayCounts()).plus(counts)

    def _lost(self, tenant: str) -> LostDays:
        lost = self._lost_days.get(tenant)
        if lost is None:
            lost = self._lost_days[tenant] = self._shared.lost_days(tenant)
        return lost

    def _frozen(self, state: State) -> FrozenSources:
        silent = self._silences.get(state.tenant)
        if silent is None:
            silent = silences(self._shared.feeds, state.tenant, self._origin.written_at)
            self._silences[state.tenant] = silent
        return frozen_for(silent, state) if silent else NOTHING_FROZEN

    def _publish_kpis(self, key: bytes, evaluation: Evaluation, verdict: Verdict, outcome: Outcome) -> None:
        view, plan = evaluation.view, evaluation.plan
        values = frozen_values(plan.shows, view, evaluation.frozen)
        informing, view.state.kpis_due = inform(plan, values, view.now)
        record = kpis_record(self._origin, evaluation, [*verdict.measures, *informing])
        outcome.kpis.append((key, record))


def _is_muted(state: State, now: int) -> bool:
    """Tell whether what opens now is muted: an import goes on, and what it tells began before."""
    until = state.own.get(MUTED_UNTIL)
    return until is not None and isinstance(until.value, int | float) and now < until.value


def _enter_score(state: State, verdict: Verdict, now: int) -> tuple[bool, int | None]:
    """Enter score and band; return whether either changed, and when a waiting band has waited long enough."""
    settled = settle(verdict, state, now)
    if now // DAY != state.scored_day:
        state.opening_score, state.scored_day = state.score, now // DAY
    changed = (verdict.score, settled.band) != (state.score, state.band)
    state.score, state.band, state.band_since = verdict.score, settled.band, settled.since
    state.pending_band, state.pending_since = settled.pending, settled.pending_since
    return changed, settled.due


def _shadow_score(model: Model, view: View, frozen: FrozenSources) -> ShadowScore:
    """Return what a shadow model makes of the account; it keeps no past, so its band has no hysteresis."""
    verdict = assess(view.state, view.now, model, frozen)
    bands = verdict.plan.bands
    return ShadowScore(
        model=model.name,
        model_version=model.version,
        score=verdict.score / 100,
        band=bands.severity(bands.of(verdict.score)) if verdict.judged else "unknown",
    )
