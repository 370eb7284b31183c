"""
Fold journal batches into the states of one partition.

Values in, values out: the same states, position and batches give the same bytes, whenever and however
often it is asked, and however many batches are folded before the outcome is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from processors.alerts.rules import Change, acknowledge, alert_id, decide
from processors.fold.due import kpis_due, soonest
from processors.fold.evaluation_cache import Evaluation, LoadedAccount, evaluate
from processors.fold.shared import Shared
from processors.measures import View
from processors.merging.transfers import forward, is_forwarded, no_kpis, receive, resolve_alerts, tombstone
from processors.model import Model
from processors.observe import OBSERVERS, evict, observe_usage
from processors.scoring.score import Verdict, assess, in_force, inform, settle, weigh
from processors.silent_sources import (
    NOTHING_HELD,
    FrozenSources,
    Silence,
    frozen_for,
    frozen_values,
    silences,
)
from processors.state.account import State
from processors.state.encoding import decode_state, encode_state
from processors.state.position import Position
from processors.state.usage_parts import PAST, TODAY
from schemas.identity.keys import account_key, split_key
from schemas.inputs import INPUTS, USAGE
from schemas.records import (
    AccountHealth,
    AccountKpis,
    AccountTransfer,
    JournalBatch,
    Override,
    RiskAlert,
    ShadowScore,
)
from schemas.times import DAY

__all__ = ["Fold", "Outcome"]


@dataclass(slots=True)
class Outcome:
    """
    What batches change: states and due times by account key, the new position, and what is published.

    ``transfers`` are by the key of the account they are for, which may be of another partition.

    ``known`` holds the accounts as values, for whoever folds the next batch. Every batch publishes its own
    health records and alerts; of the states only the last are of interest. ``shared`` is what all accounts
    share now, ``entries`` are the changelog's entries of it that changed.
    """

    position: Position
    shared: Shared
    entries: dict[bytes, bytes] = field(default_factory=dict)
    states: dict[bytes, bytes] = field(default_factory=dict)
    known: dict[bytes, LoadedAccount] = field(default_factory=dict)
    health: list[tuple[bytes, AccountHealth]] = field(default_factory=list)
    kpis: list[tuple[bytes, AccountKpis]] = field(default_factory=list)
    alerts: list[tuple[bytes, RiskAlert]] = field(default_factory=list)
    transfers: list[tuple[bytes, AccountTransfer]] = field(default_factory=list)


@dataclass(slots=True)
class _Touched:
    """An account and what a batch brings it: since when, whether only usage, and what that changed of it."""

    account: LoadedAccount
    received_at: int | None = None
    changes: list[Change] = field(default_factory=list)
    usage_only: bool = True
    changed: int = TODAY

    def saw(self, received_at: int) -> None:
        if self.received_at is None or received_at < self.received_at:
            self.received_at = received_at


_COUNTED = tuple(each.batch_field for each in INPUTS if each is not USAGE and each.written_by != "worker")
"""The lists of a batch whose items are counted as events; a transfer's were counted before it was sent."""


class Fold:
    """
    Batches of one partition, folded one after the other.

    ``states`` maps account keys to state bytes; ``take`` may give an account as a value instead, which is
    then changed. A batch that changes models must be the last one of its fold: then every account is due.
    """

    def __init__(
        self,
        states: Mapping[bytes, bytes],
        position: Position,
        *,
        partition: int,
        shared: Shared,
        take: Callable[[bytes], LoadedAccount | None] = lambda _: None,
        select: Callable[[JournalBatch], JournalBatch] | None = None,
    ) -> None:
        self._states = states
        self._select = select
        self._take = take
        self._partition = partition
        self._before = shared
        self._outcome = Outcome(position, shared)

    def add(self, batch: JournalBatch, offset: int, due: Iterable[bytes]) -> None:
        """
        Fold the batch at this journal offset; ``due`` names the accounts that time alone makes due.

        Raises ValueError when the batch isn't the next one.
        """
        position = self._outcome.position
        if batch.sequence != position.sequence + 1:
            raise ValueError(f"batch {batch.sequence} does not follow {position.sequence}")
        shared = self._outcome.shared = self._outcome.shared.after(batch)
        if self._select is not None:
            batch = self._select(batch)
        touched = self._observe(batch)
        for key in self._due(due, batch.written_at):
            if key not in touched:
                touched[key] = _Touched(self._account(key))
        bench = _Judge(batch, self._partition, shared)
        for key in sorted(touched):
            conclude = bench.set_apart if is_forwarded(touched[key].account.state) else bench.judge
            conclude(key, touched[key], self._outcome)
        applied = sum(cell.events for cell in batch.usage) + sum(
            len(getattr(batch, name)) for name in _COUNTED
        )
        self._outcome.position = Position(
            sequence=batch.sequence,
            offset=offset,
            written_at=batch.written_at,
            applied=position.applied + applied,
            duplicates=position.duplicates + batch.duplicates,
            dead_letters=position.dead_letters + batch.dead_letters,
            moved=position.moved + batch.moved + len(batch.transfers),
        )

    def outcome(self) -> Outcome:
        """Return what the batches added change altogether."""
        self._outcome.states = {
            key: encode_state(account.state, arranged=True, cache=account.unchanged)
            for key, account in self._outcome.known.items()
        }
        self._outcome.entries = self._outcome.shared.entries_since(self._before)
        return self._outcome

    def _due(self, due: Iterable[bytes], now: int) -> Iterator[bytes]:
        """Yield the accounts due by now; those changed by an earlier batch say it themselves."""
        changed = self._outcome.known
        yield from (key for key in due if key not in changed)
        for key, account in changed.items():
            if account.state.due is not None and account.state.due <= now:
                yield key

    def _account(self, key: bytes) -> LoadedAccount:
        account = self._outcome.known.get(key) or self._take(key)
        if account is None:
            raw = self._states.get(key)
            tenant, account_id = split_key(key)
            account = LoadedAccount(
                State(tenant=tenant, account_id=account_id) if raw is None else decode_state(raw)
            )
        return account

    def _observe(self, batch: JournalBatch) -> dict[bytes, _Touched]:
        touched: dict[bytes, _Touched] = {}
        today = batch.written_at // DAY

        def of(tenant: str, account_id: str) -> _Touched:
            key = account_key(tenant, account_id)
            one = touched.get(key)
            if one is None:
                one = touched[key] = _Touched(self._account(key))
            return one

        for cell in batch.usage:
            one = of(cell.tenant, cell.account_id)
            one.changed |= observe_usage(one.account.state, cell)
            one.saw(cell.received_at)
            if cell.day != today:
                one.changed |= PAST
        for name, observe in OBSERVERS:
            for event in getattr(batch, name):
                one = of(event.tenant, event.account_id)
                observe(one.account.state, event)
                one.saw(event.received_at)
                one.usage_only = False
        for action in batch.actions:
            one = of(action.tenant, action.account_id)
            one.changes += acknowledge(one.account.state, action)
            one.saw(action.received_at)
            one.usage_only = False
        for transfer in batch.transfers:
            one = of(transfer.tenant, transfer.account_id)
            receive(one.account.state, transfer, batch.written_at)
            one.saw(transfer.received_at)
            one.usage_only = False
        return touched


class _Judge:
    """Judges the accounts that a batch touches, with what they share."""

    def __init__(self, batch: JournalBatch, partition: int, shared: Shared) -> None:
        self._batch = batch
        self._partition = partition
        self._models = shared.models
        self._sources = shared.sources
        self._silences: dict[str, tuple[Silence, ...]] = {}
        self._switches: dict[str, int] = {}

    def judge(self, key: bytes, touched: _Touched, outcome: Outcome) -> None:
        batch, models = self._batch, self._models
        account, now = touched.account, batch.written_at
        state = account.state
        if now // DAY != state.scored_day:
            evict(state, now)  # the rings' first day moves with the day; nothing older is ever admitted
        switched = self._switched(state)
        found = evaluate(
            account,
            now,
            models,
            usage_only=touched.usage_only and not switched,
            changed=touched.changed,
            held=self._held(state),
        )
        ends = soonest(found.model.next_change(now), models.next_change(state.tenant, now))
        verdict = weigh(found.plan, found.facts, found.view, ends)
        standing = settle(verdict, state, now)
        band = standing.band
        if now // DAY != state.scored_day:
            state.opening_score, state.scored_day = state.score, now // DAY
        changed = (verdict.score, band) != (state.score, state.band)
        state.score, state.band, state.band_since = verdict.score, band, standing.since
        state.pending_band, state.pending_since = standing.pending, standing.pending_since
        changes = touched.changes + decide(
            found.view, band, held=found.held, switched=switched, usage_only=found.again
        )
        if state.kpis_due is not None and state.kpis_due <= now:
            outcome.kpis.append((key, self._kpis(found, verdict)))
        else:
            state.kpis_due = kpis_due(state, now)
        state.sequence = batch.sequence
        state.due = soonest(found.due, verdict.due, standing.due, state.kpis_due)
        outcome.known[key] = account
        if changed or changes or switched or touched.received_at is not None:
            outcome.health.append((key, self._health(touched, found, verdict)))
        if changes:
            alerts = _alerts(
                touched, changes, verdict.reasons, verdict.score, batch, self._partition, found.model
            )
            outcome.alerts.extend((key, alert) for alert in alerts)

    def set_apart(self, key: bytes, touched: _Touched, outcome: Outcome) -> None:
        """Publish the end of what was judged here, and send on what belongs to another account."""
        batch, account = self._batch, touched.account
        state, received_at = account.state, touched.received_at
        model = self._models.of(View(state, batch.written_at))
        if state.score is not None:
            last = tombstone(state, batch, self._partition, (model.name, model.version), received_at)
            outcome.health.append((key, last))
            outcome.kpis.append((key, no_kpis(last)))
        changes, score = touched.changes + resolve_alerts(state), state.score or 0
        alerts = _alerts(touched, changes, (), score, batch, self._partition, model)
        outcome.alerts.extend((key, alert) for alert in alerts)
        account.state, transfer = forward(state, batch.sequence, batch.written_at, received_at)
        account.found = account.unchanged = None
        outcome.known[key] = account
        if transfer is not None:
            outcome.transfers.append((account_key(transfer.tenant, transfer.account_id), transfer))

    def _switched(self, state: State) -> bool:
        """Tell whether the models have changed since the account was judged last."""
        if not self._models.entries or state.score is None:
            return False
        last = self._switches.get(state.tenant)
        if last is None:
            switch = self._models.switch(state.tenant)
            last = self._switches[state.tenant] = -1 if switch is None else switch.sequence
        return state.sequence < last

    def _held(self, state: State) -> FrozenSources:
        found = self._silences.get(state.tenant)
        if found is None:
            found = silences(self._sources, state.tenant, self._batch.written_at)
            self._silences[state.tenant] = found
        return frozen_for(found, state) if found else NOTHING_HELD

    def _kpis(self, found: Evaluation, verdict: Verdict) -> AccountKpis:
        view, plan = found.view, found.plan
        facts = frozen_values(plan.shows, view, found.held)
        informing, view.state.kpis_due = inform(plan, facts, view.now)
        return AccountKpis(
            tenant=view.state.tenant,
            account_id=view.state.account_id,
            measures=[*verdict.measures, *informing],
            model=found.model.name,
            model_version=found.model.version,
            as_of=view.now,
            partition=self._partition,
            sequence=self._batch.sequence,
        )

    def _health(self, touched: _Touched, found: Evaluation, verdict: Verdict) -> AccountHealth:
        view, model, batch = found.view, found.model, self._batch
        state = view.state
        open_alerts = [
            alert_id(state.tenant, state.account_id, rule, episode.number)
            for rule, episode in sorted(state.episodes.items())
            if episode.severity and not episode.dismissed and not episode.muted
        ]
        return AccountHealth(
            tenant=state.tenant,
            account_id=state.account_id,
            name=state.fact("name"),
            owner=state.fact("owner"),
            segment=state.fact("segment"),
            stage="churned" if view.churned else state.fact("stage"),
            arr_minor=state.amount("arr_minor"),
            currency=state.fact("currency"),
            score=verdict.score / 100,
            band=state.band,
            previous_score=None if state.opening_score is None else state.opening_score / 100,
            coverage=verdict.coverage,
            measures=list(verdict.measures),
            caps=list(verdict.caps),
            reasons=list(verdict.reasons),
            open_alerts=open_alerts,
            model=model.name,
            model_version=model.version,
            as_of=batch.written_at,
            received_at=touched.received_at,
            partition=self._partition,
            sequence=batch.sequence,
            adjustments=list(verdict.adjustments),
            scale=verdict.plan.scale,
            variant=verdict.plan.variant,
            label=verdict.plan.bands.label(state.band),
            band_since=state.band_since,
            parent_id=state.fact("parent_id"),
            overrides=_overrides(view) if state.overrides else [],
            beside=[_beside(other, view, found.held) for other in self._models.beside(state.tenant)],
            silent_sources=sorted(found.held),
        )


def _overrides(view: View) -> list[Override]:
    return [
        Override(
            target=target,
            value=word.value or 0.0,
            reason=word.reason,
            author=word.author,
            since=word.at[0],
            until=word.until,
        )
        for target, word in in_force(view).items()
    ]


def _beside(model: Model, view: View, held: FrozenSources) -> ShadowScore:
    """Return what another model makes of the account; without a past it has no hysteresis."""
    verdict = assess(view.state, view.now, model, held)
    bands = verdict.plan.bands
    return ShadowScore(
        model=model.name,
        model_version=model.version,
        score=verdict.score / 100,
        band=bands.of(verdict.score) if verdict.judged else "unknown",
    )


def _alerts(
    touched: _Touched,
    changes: list[Change],
    reasons: Sequence[str],
    score: int,
    batch: JournalBatch,
    partition: int,
    model: Model,
) -> Iterator[RiskAlert]:
    state = touched.account.state
    for change in changes:
        yield RiskAlert(
            alert_id=alert_id(state.tenant, state.account_id, change.rule, change.episode.number),
            tenant=state.tenant,
            account_id=state.account_id,
            name=state.fact("name"),
            owner=state.fact("owner"),
            arr_minor=state.amount("arr_minor"),
            currency=state.fact("currency"),
            rule=change.rule,
            episode=change.episode.number,
            change=change.change,
            severity=change.severity,
            title=change.finding.title,
            reasons=list(reasons),
            action=change.finding.action,
            score=score / 100,
            band=state.band,
            opened_at=change.episode.opened_at,
            changed_at=batch.written_at,
            acknowledged_by=change.episode.acknowledged_by,
            received_at=touched.received_at,
            model=model.name,
            model_version=model.version,
            partition=partition,
            sequence=batch.sequence,
        )
