"""Judge of one account at a time: score, band, alerts, next due time, and what is published of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from processors.alerts.changes import EpisodeChange, handed_over
from processors.alerts.episodes import resolve_all
from processors.fold.ask_rules import Grounds, ask_rules, measure, reasons_of_alert, sample
from processors.fold.due import earliest, kpis_due
from processors.fold.evaluation_cache import Evaluation, LoadedAccount, evaluate, verdict_on
from processors.fold.models_in_force import RULES
from processors.fold.outcome import (
    Outcome,
    alert_records,
    deleted_health,
    health_record,
    kpis_record,
    tombstone_health,
    tombstone_kpis,
)
from processors.fold.shared import Shared
from processors.lost_days import DayCounts, contact_count_of, count_of
from processors.measures import View
from processors.measures.view import LostDays
from processors.merging.transfers import forward, is_forwarded
from processors.model import Model
from processors.observe import evict
from processors.observe.deletion import forgotten_at, is_erased
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
from processors.state.account import DECIDED, Episode, State, arrange
from processors.state.own import MUTED_UNTIL
from processors.state.position import BatchOrigin
from processors.state.usage_parts import TODAY
from schemas.identity.aliases import is_alias
from schemas.identity.keys import account_key
from schemas.inputs import ENGAGEMENT, USAGE
from schemas.records import ShadowScore
from schemas.times import DAY

__all__ = ["AccountUpdate", "Judge"]


@dataclass(slots=True)
class AccountUpdate:
    """
    The events that one batch brought an account, in its state already; none where time alone made it due.

    ``received_at`` is when the first event of it was received, ``changed_usage`` the parts of the usage that
    may differ (``processors.state.usage_parts``). ``deleted`` says that they erased what was known.
    ``owner_before`` has the account's owner before what may have named another; it is empty where nothing
    did.
    """

    account: LoadedAccount
    received_at: int | None = None
    episode_changes: list[EpisodeChange] = field(default_factory=list)
    usage_only: bool = True
    changed_usage: int = TODAY
    deleted: bool = False
    owner_before: tuple[str | None, ...] = ()

    def note_owner(self) -> None:
        """Note the owner before something comes that may name another."""
        self.owner_before = self.owner_before or (self.account.state.fact("owner"),)

    @property
    def handed_over(self) -> bool:
        """Whether the account has another owner than before."""
        return self.owner_before not in ((), (self.account.state.fact("owner"),))

    def received(self, at: int) -> None:
        """Note the time at which another event was received."""
        if self.received_at is None or at < self.received_at:
            self.received_at = at


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
            self._delete(key, update, outcome)
        elif is_erased(state):
            self._remember_deletion(key, update.account, outcome)
        elif is_forwarded(state):
            self._forward(key, update, outcome)
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
        changes = _last_of_each(update.episode_changes + asked.changes)
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

    def _forward(self, key: bytes, update: AccountUpdate, outcome: Outcome) -> None:
        """End what was published of an account, and send its evidence to the account that it belongs to."""
        origin, account, received_at = self._origin, update.account, update.received_at
        state = account.state
        view = View(state, origin.written_at)
        model = self._models.of(view)
        if state.score is not None:
            last = tombstone_health(origin, state, model, received_at)
            outcome.health.append((key, last))
            outcome.kpis.append((key, tombstone_kpis(last)))
        alerts = alert_records(
            origin,
            state,
            _last_of_each(
                update.episode_changes
                + resolve_all(state, f"Merged into {state.link.into}", "merged", origin.written_at)
            ),
            model,
            score=state.score or 0,
            band=model.for_account(view).bands.severity(state.band),
            reasons=lambda _: (),
            received_at=received_at,
            rules_version=self._models.rules(state.tenant).version,
        )
        outcome.alerts.extend((key, alert) for alert in alerts)
        account.state, transfer = forward(state, origin.sequence, origin.written_at, received_at)
        account.evaluation = account.encoding = None
        outcome.accounts[key] = account
        if transfer is not None:
            outcome.transfers.append((account_key(transfer.tenant, transfer.account_id), transfer))

    def _delete(self, key: bytes, update: AccountUpdate, outcome: Outcome) -> None:
        """
        End what was published and decided of an account whose evidence is erased.

        What occurred after the deletion, in the same batch, is judged with the next one, because of each
        account a batch publishes one health record.
        """
        origin, account, received_at = self._origin, update.account, update.received_at
        state = account.state
        model = self._models.of(View(state, origin.written_at))
        if not is_alias(state.account_id):
            last = deleted_health(origin, state, model, received_at)
            outcome.health.append((key, last))
            outcome.kpis.append((key, tombstone_kpis(last)))
        state.episodes = {
            rule: Episode(
                episode.number, episode.severity, episode.opened_at, dismissed=episode.dismissed,
                muted=episode.muted, shadow=episode.shadow, lane=episode.lane,
            )
            for rule, episode in state.episodes.items()
        }  # fmt: skip
        alerts = alert_records(
            origin,
            state,
            resolve_all(state, "Account deleted", "deleted", origin.written_at),
            model,
            score=0,
            band="unknown",
            reasons=lambda _: (),
            received_at=received_at,
            rules_version=self._models.rules(state.tenant).version,
        )
        outcome.alerts.extend((key, alert) for alert in alerts)
        blank, numbers = State(), {rule: Episode(one.number) for rule, one in state.episodes.items()}
        for name in DECIDED:
            setattr(state, name, getattr(blank, name))
        state.episodes = numbers
        self._remember_deletion(key, account, outcome)
        if not is_erased(state):
            state.due = origin.written_at

    def _remember_deletion(self, key: bytes, account: LoadedAccount, outcome: Outcome) -> None:
        """Keep the time of a deletion for as long as events of before it are admitted; then nothing."""
        state = account.state
        if is_erased(state) and self._origin.written_at >= forgotten_at(state):
            account.state = State(tenant=state.tenant, account_id=state.account_id)
        else:
            arrange(state)
            state.sequence, state.due = self._origin.sequence, forgotten_at(state)
        account.evaluation = account.encoding = None
        outcome.accounts[key] = account

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


def _last_of_each(changes: list[EpisodeChange]) -> list[EpisodeChange]:
    """
    Return the changes without those that a later one of the same kind, of the same alert, makes out of date.

    Two records of one batch and of one kind would have the same version; the later one says all.
    """
    newest = {(one.rule, one.subject, one.episode.number, one.change): one for one in changes}
    return list(newest.values())


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
