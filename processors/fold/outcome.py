"""Outcome of folding journal batches: what they change, and the records that they publish."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from processors.alerts.changes import EpisodeChange, alert_id, is_listed, split_episode_key
from processors.fold.evaluation_cache import Evaluation, LoadedAccount
from processors.fold.shared import Shared
from processors.model import Model
from processors.observe.account_acts import known_notes, known_tasks
from processors.scoring.score import Verdict, in_force
from processors.scoring.tally import involuntary_reasons, involuntary_score
from processors.state.account import Episode, State
from processors.state.position import BatchOrigin, Position
from processors.view import View
from processors.view.queries import next_renewal, subscription
from schemas.records import (
    AccountHealth,
    AccountKpis,
    AccountTransfer,
    AlertNotification,
    FeedReport,
    Measure,
    Override,
    OwnerAlert,
    RiskAlert,
    ShadowScore,
)

__all__ = [
    "Outcome",
    "alert_records",
    "deleted_health",
    "health_record",
    "kpis_record",
    "tombstone_health",
    "tombstone_kpis",
]


@dataclass(slots=True)
class Outcome:
    """
    The changes by batches: states by account key, the new position, and the records that they publish.

    ``accounts`` are the changed accounts as values, for the fold of the next batch. Every batch publishes
    health records and alerts of its own; of an account's states only the last one is here, and ``None`` for
    one of which nothing is left to know. ``transfers``
    stand under the key of the account that they go to, which may be of another partition, and so do
    ``owner_alerts``, the changes of alerts on their way to the owners. ``owner_rows`` and ``notifications``
    are what the owners' stage made of those that arrived. ``feed_reports`` go to all partitions. ``shared``
    is what all accounts share after the batches, ``shared_entries`` are the changelog entries of it that
    changed.
    """

    position: Position
    shared: Shared
    shared_entries: dict[bytes, bytes] = field(default_factory=dict)
    states: dict[bytes, bytes | None] = field(default_factory=dict)
    accounts: dict[bytes, LoadedAccount] = field(default_factory=dict)
    health: list[tuple[bytes, AccountHealth]] = field(default_factory=list)
    kpis: list[tuple[bytes, AccountKpis]] = field(default_factory=list)
    alerts: list[tuple[bytes, RiskAlert]] = field(default_factory=list)
    transfers: list[tuple[bytes, AccountTransfer]] = field(default_factory=list)
    owner_alerts: list[tuple[bytes, OwnerAlert]] = field(default_factory=list)
    owner_rows: dict[bytes, bytes | None] = field(default_factory=dict)
    notifications: list[tuple[bytes, AlertNotification]] = field(default_factory=list)
    feed_reports: list[FeedReport] = field(default_factory=list)


def health_record(
    origin: BatchOrigin,
    evaluation: Evaluation,
    verdict: Verdict,
    shadow_scores: list[ShadowScore],
    received_at: int | None,
) -> AccountHealth:
    """Return the health record of an account whose score and band are in its state already."""
    view, model = evaluation.view, evaluation.model
    state = view.state
    open_alerts = [
        _id_of(state, key, episode) for key, episode in sorted(state.episodes.items()) if is_listed(episode)
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
        band=verdict.plan.bands.severity(state.band),
        previous_score=None if state.opening_score is None else state.opening_score / 100,
        coverage=verdict.coverage,
        measures=list(verdict.measures),
        caps=list(verdict.caps),
        reasons=list(verdict.reasons),
        open_alerts=open_alerts,
        model=model.name,
        model_version=model.version,
        as_of=origin.written_at,
        received_at=received_at,
        partition=origin.partition,
        sequence=origin.sequence,
        adjustments=list(verdict.adjustments),
        scale=verdict.plan.scale,
        variant=verdict.plan.variant,
        label=verdict.plan.bands.label(state.band),
        band_since=state.band_since,
        parent_id=state.fact("parent_id"),
        overrides=_overrides(view) if state.overrides else [],
        beside=shadow_scores,
        silent_sources=sorted(evaluation.frozen),
        churn_probability=verdict.plan.churn_probability(verdict.score) if verdict.judged else None,
        notes=known_notes(state) if state.notes else [],
        tasks=known_tasks(state) if state.tasks else [],
        involuntary_score=involuntary_score(verdict.plan, verdict.measures),
        involuntary_reasons=involuntary_reasons(verdict.plan, verdict.measures),
    )


def kpis_record(origin: BatchOrigin, evaluation: Evaluation, measures: list[Measure]) -> AccountKpis:
    """Return the record of all measures of an account, those included that have no weight in the score."""
    state, model = evaluation.view.state, evaluation.model
    return AccountKpis(
        tenant=state.tenant,
        account_id=state.account_id,
        measures=measures,
        model=model.name,
        model_version=model.version,
        as_of=origin.written_at,
        partition=origin.partition,
        sequence=origin.sequence,
    )


def alert_records(
    origin: BatchOrigin,
    state: State,
    changes: Sequence[EpisodeChange],
    model: Model,
    *,
    score: int,
    band: str,
    reasons: Callable[[EpisodeChange], Sequence[str]],
    received_at: int | None,
    rules_version: str,
) -> Iterator[RiskAlert]:
    """
    Yield a record for each change of an account's alert episodes; the score in hundredths of a point.

    ``reasons`` returns those of the change's alert.
    """
    current = subscription(state) if changes else None
    for change in changes:
        episode = change.episode
        yield RiskAlert(
            alert_id=alert_id(state.tenant, state.account_id, change.rule, episode.number, change.subject),
            tenant=state.tenant,
            account_id=state.account_id,
            name=state.fact("name"),
            owner=state.fact("owner"),
            arr_minor=state.amount("arr_minor"),
            currency=state.fact("currency"),
            rule=change.rule,
            episode=episode.number,
            change=change.change,
            severity=change.severity,
            title=change.title,
            reasons=list(reasons(change)),
            action=change.action,
            score=score / 100,
            band=band,
            opened_at=episode.opened_at,
            changed_at=origin.written_at,
            acknowledged_by=episode.acknowledged_by,
            received_at=received_at,
            model=model.name,
            model_version=model.version,
            partition=origin.partition,
            sequence=origin.sequence,
            acknowledged_at=episode.acknowledged_at,
            dismissed_by=episode.dismissed_by,
            note=episode.note,
            lane=episode.lane or "churn_risk",
            subject=change.subject,
            segment=state.fact("segment"),
            plan=None if current is None else current.plan,
            renewal_at=next_renewal(state, current, origin.written_at),
            score_before=None if episode.score_before is None else episode.score_before / 100,
            since=None if episode.since < 0 else episode.since,
            shadow=episode.shadow,
            snoozed_until=episode.snoozed_until,
            assignee=episode.assignee,
            resolution=change.resolution,
            feedback=episode.feedback,
            rules_version=rules_version,
        )


def _id_of(state: State, key: str, episode: Episode) -> str:
    rule, subject = split_episode_key(key)
    return alert_id(state.tenant, state.account_id, rule, episode.number, subject)


def tombstone_health(
    origin: BatchOrigin, state: State, model: Model, received_at: int | None
) -> AccountHealth:
    """Return the last health record of an account that was merged into another: nothing is known of it."""
    return AccountHealth(
        tenant=state.tenant,
        account_id=state.account_id,
        name=state.fact("name"),
        owner=state.fact("owner"),
        segment=state.fact("segment"),
        score=0.0,
        band="unknown",
        previous_score=None if state.opening_score is None else state.opening_score / 100,
        coverage=0.0,
        measures=[],
        caps=[],
        reasons=[f"Merged into {state.link.into}"],
        open_alerts=[],
        model=model.name,
        model_version=model.version,
        as_of=origin.written_at,
        received_at=received_at,
        partition=origin.partition,
        sequence=origin.sequence,
        band_since=origin.written_at,
        merged_into=state.link.into,
    )


def deleted_health(origin: BatchOrigin, state: State, model: Model, received_at: int | None) -> AccountHealth:
    """Return the health record that tells of an account's deletion, and nothing else of it."""
    return AccountHealth(
        tenant=state.tenant,
        account_id=state.account_id,
        score=0.0,
        band="unknown",
        previous_score=None,
        coverage=0.0,
        measures=[],
        caps=[],
        reasons=[],
        open_alerts=[],
        model=model.name,
        model_version=model.version,
        as_of=origin.written_at,
        received_at=received_at,
        partition=origin.partition,
        sequence=origin.sequence,
        deleted=True,
    )


def tombstone_kpis(last: AccountHealth) -> AccountKpis:
    """Return the KPIs that go with an account's last health record: none."""
    return AccountKpis(
        tenant=last.tenant,
        account_id=last.account_id,
        measures=[],
        model=last.model,
        model_version=last.model_version,
        as_of=last.as_of,
        partition=last.partition,
        sequence=last.sequence,
        deleted=last.deleted,
    )


def _overrides(view: View) -> list[Override]:
    return [
        Override(
            target=target,
            value=override.value or 0.0,
            reason=override.reason,
            author=override.author,
            since=override.at[0],
            until=override.until,
        )
        for target, override in in_force(view).items()
    ]
