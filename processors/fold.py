"""
Fold journal batches into the states of one partition.

Values in, values out: the same states, position and batches give the same bytes, whenever and however
often it is asked, and however many batches are folded before the outcome is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from processors.alerts import Change, acknowledge, alert_id, decide
from processors.due import soonest
from processors.measures import View
from processors.model import Model
from processors.observe import (
    evict,
    observe_billing,
    observe_engagement,
    observe_profile,
    observe_support,
    observe_survey,
    observe_usage,
)
from processors.recall import Account, look
from processors.score import Verdict, settle, weigh
from processors.state import DAY, Position, State, decode_state, encode_state
from schemas.keys import account_key, split_key
from schemas.records import AccountHealth, JournalBatch, RiskAlert

__all__ = ["Fold", "Outcome", "fold"]


@dataclass(slots=True)
class Outcome:
    """
    What batches change: states and due times by account key, the new position, and what is published.

    ``known`` holds the accounts as values, for whoever folds the next batch. Every batch publishes its own
    health records and alerts; of the states only the last are of interest.
    """

    position: Position
    states: dict[bytes, bytes] = field(default_factory=dict)
    known: dict[bytes, Account] = field(default_factory=dict)
    health: list[tuple[bytes, AccountHealth]] = field(default_factory=list)
    alerts: list[tuple[bytes, RiskAlert]] = field(default_factory=list)


@dataclass(slots=True)
class _Touched:
    """An account and what a batch brings it: since when, and whether only usage, and only of that day."""

    account: Account
    received_at: int | None = None
    changes: list[Change] = field(default_factory=list)
    usage_only: bool = True
    today_only: bool = True

    def saw(self, received_at: int) -> None:
        if self.received_at is None or received_at < self.received_at:
            self.received_at = received_at


_OBSERVERS: tuple[tuple[str, Callable[..., object]], ...] = (
    ("support", observe_support),
    ("billing", observe_billing),
    ("surveys", observe_survey),
    ("engagement", observe_engagement),
    ("profiles", observe_profile),
)
_COUNTED = (*(name for name, _ in _OBSERVERS), "actions", "overrides", "models", "links")
"""What a batch brings beside usage, but for what was counted before it was transferred."""


def fold(
    states: Mapping[bytes, bytes],
    position: Position,
    batch: JournalBatch,
    *,
    partition: int,
    offset: int,
    due: Iterable[bytes],
    model: Model,
) -> Outcome:
    """
    Return what the batch at this journal offset changes.

    ``states`` maps account keys to state bytes, ``due`` names the accounts that time alone makes due.
    Raises ValueError when the batch isn't the next one of the position.
    """
    one = Fold(states, position, partition=partition, model=model)
    one.add(batch, offset, due)
    return one.outcome()


class Fold:
    """
    Batches of one partition, folded one after the other.

    ``states`` maps account keys to state bytes; ``take`` may give an account as a value instead, which is
    then changed.
    """

    def __init__(
        self,
        states: Mapping[bytes, bytes],
        position: Position,
        *,
        partition: int,
        model: Model,
        take: Callable[[bytes], Account | None] = lambda _: None,
    ) -> None:
        self._states = states
        self._take = take
        self._partition = partition
        self._model = model
        self._outcome = Outcome(position)

    def add(self, batch: JournalBatch, offset: int, due: Iterable[bytes]) -> None:
        """
        Fold the batch at this journal offset; ``due`` names the accounts that time alone makes due.

        Raises ValueError when the batch isn't the next one.
        """
        position = self._outcome.position
        if batch.sequence != position.sequence + 1:
            raise ValueError(f"batch {batch.sequence} does not follow {position.sequence}")
        touched = self._observe(batch)
        for key in self._due(due, batch.written_at):
            if key not in touched:
                touched[key] = _Touched(self._account(key))
        for key in sorted(touched):
            _judge(key, touched[key], batch, self._partition, self._model, self._outcome)
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
            moved=position.moved + batch.moved,
        )

    def outcome(self) -> Outcome:
        """Return what the batches added change altogether."""
        self._outcome.states = {
            key: encode_state(account.state, arranged=True) for key, account in self._outcome.known.items()
        }
        return self._outcome

    def _due(self, due: Iterable[bytes], now: int) -> Iterator[bytes]:
        """Yield the accounts due by now; those changed by an earlier batch say it themselves."""
        changed = self._outcome.known
        yield from (key for key in due if key not in changed)
        for key, account in changed.items():
            if account.state.due is not None and account.state.due <= now:
                yield key

    def _account(self, key: bytes) -> Account:
        account = self._outcome.known.get(key) or self._take(key)
        if account is None:
            raw = self._states.get(key)
            tenant, account_id = split_key(key)
            account = Account(
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
            observe_usage(one.account.state, cell)
            one.saw(cell.received_at)
            one.today_only &= cell.day == today
        for name, observe in _OBSERVERS:
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
        return touched


def _judge(
    key: bytes, touched: _Touched, batch: JournalBatch, partition: int, model: Model, outcome: Outcome
) -> None:
    account, now = touched.account, batch.written_at
    state = account.state
    if now // DAY != state.scored_day:
        evict(state, now)  # the rings' first day moves with the day; nothing older is ever admitted
    found = look(account, now, model, usage_only=touched.usage_only, today_only=touched.today_only)
    verdict = weigh(found.plan, found.facts, found.view, model.next_change(now), found.told)
    standing = settle(verdict, state, now)
    band = standing.band
    if now // DAY != state.scored_day:
        state.opening_score, state.scored_day = state.score, now // DAY
    changed = (verdict.score, band) != (state.score, state.band)
    state.score, state.band, state.band_since = verdict.score, band, standing.since
    state.pending_band, state.pending_since = standing.pending, standing.pending_since
    changes = touched.changes + decide(found.view, band)
    state.sequence, state.due = batch.sequence, soonest(found.due, verdict.due, standing.due)
    outcome.known[key] = account
    if changed or changes or touched.received_at is not None:
        outcome.health.append((key, _health(touched, found.view, verdict, batch, partition, model)))
    outcome.alerts.extend(
        (key, alert) for alert in _alerts(touched, changes, verdict, batch, partition, model)
    )


def _health(
    touched: _Touched, view: View, verdict: Verdict, batch: JournalBatch, partition: int, model: Model
) -> AccountHealth:
    state = view.state
    open_alerts = [
        alert_id(state.tenant, state.account_id, rule, episode.number)
        for rule, episode in sorted(state.episodes.items())
        if episode.severity and not episode.dismissed
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
        partition=partition,
        sequence=batch.sequence,
        adjustments=list(verdict.adjustments),
        scale=verdict.plan.scale,
        variant=verdict.plan.variant,
        label=verdict.plan.bands.label(state.band),
        band_since=state.band_since,
    )


def _alerts(
    touched: _Touched,
    changes: list[Change],
    verdict: Verdict,
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
            reasons=list(verdict.reasons),
            action=change.finding.action,
            score=verdict.score / 100,
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
