"""One account: what its page shows now, and what the journal says of the past."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson
from confluent_kafka import KafkaException
from msgspec.structs import replace

from bellbuoy.errors import OperatorError
from bellbuoy.operations.forget.erasure_list import read_erasures
from bellbuoy.operations.kafka.registry import registry
from bellbuoy.operations.kafka.topics import require_topics
from bellbuoy.query.account import Explanation, informing_measures, look_up, payment_risk
from bellbuoy.query.history import AccountHistory, account_history
from bellbuoy.query.score_changes import ScoreChange
from bellbuoy.query.timeline import Timeline, account_timeline
from bellbuoy.settings import Settings
from bellbuoy.times import utc_milliseconds
from schemas.records import AccountHealth, Measure, RiskAlert
from sinks.serving import AccountSummary, HistoryEntry, Reader, summary

__all__ = [
    "AccountPage",
    "Happenings",
    "Past",
    "account_page",
    "cost_of",
    "happenings",
    "parse_moment",
    "parts_of",
    "score_at",
    "why_it_changed",
]

_HISTORY_ENTRIES = 500
_SHOWN_MOVES = 20
_MARKS = 400
_UNMARKED = ("profile", "alert")


@dataclass(frozen=True, slots=True)
class AccountPage:
    """
    The content of an account's page.

    ``costly`` are the measures that cost points, the costliest first, ``well`` the others that count and are
    known, ``unknown`` those that count and are not; ``informing`` only inform. ``series`` are the scores, the
    oldest first.
    """

    explanation: Explanation
    account: AccountSummary
    costly: list[Measure]
    well: list[Measure]
    unknown: list[Measure]
    informing: list[Measure]
    series: list[HistoryEntry]

    @property
    def health(self) -> AccountHealth:
        """The account's newest health."""
        return self.explanation.health

    @property
    def payment_risk(self) -> float | None:
        """What causes that nobody decided take of 100 points; ``None``: the model tells none apart."""
        return payment_risk(self.health.involuntary_score)

    @property
    def spans(self) -> str:
        """The open alerts, which the chart draws as spans of time; ``Happenings.spans`` has all."""
        return _spans(self.explanation.alerts)

    @property
    def chart(self) -> str:
        """The series for the chart: times in seconds, and scores, as JSON."""
        at = ",".join(f"{entry.as_of / 1000:.0f}" for entry in self.series)
        scores = ",".join(f"{entry.score:g}" for entry in self.series)
        return f"[[{at}],[{scores}]]"


@dataclass(frozen=True, slots=True)
class Past:
    """An account's past as the journal has it, or why that can't be read (``trouble``)."""

    history: AccountHistory | None
    trouble: str = ""

    @property
    def health(self) -> AccountHealth | None:
        """The health of the end of that time."""
        return None if self.history is None else self.history.health

    @property
    def parts(self) -> tuple[list[Measure], list[Measure], list[Measure]]:
        """The measures of that health, as ``parts_of`` returns them."""
        return ([], [], []) if self.health is None else parts_of(self.health)

    @property
    def change(self) -> float:
        """By how many points all moves together changed the score."""
        return round(sum(move.change for move in self.history.moves), 2) if self.history else 0.0

    @property
    def parts_changed(self) -> list[tuple[str, float]]:
        """The parts of the score with what all moves together added or took, the largest first."""
        sums = defaultdict[str, float](float)
        for move in self.history.moves if self.history else ():
            for name, points in move.parts.items():
                sums[name] += points
        changed = [(name, round(points, 2)) for name, points in sums.items() if round(points, 2)]
        return sorted(changed, key=lambda part: -abs(part[1]))

    @property
    def largest(self) -> list[ScoreChange]:
        """The largest moves, in their order."""
        moves = [] if self.history is None else self.history.moves
        largest = sorted(moves, key=lambda move: -abs(move.change))[:_SHOWN_MOVES]
        return sorted(largest, key=lambda move: (-move.at, -move.sequence))


def account_page(
    reader: Reader, tenant: str, account_id: str, accounts: Mapping[str, AccountSummary]
) -> AccountPage | None:
    """Return what the page of an account shows, ``None`` for an unknown one; raise ReadError."""
    explanation, _ = look_up(reader, tenant, account_id, accounts.values())
    if explanation is None:
        return None
    explanation = replace(explanation, history=reader.history(tenant, account_id, _HISTORY_ENTRIES))
    health = explanation.health
    costly, well, unknown = parts_of(health)
    return AccountPage(
        explanation,
        summary(health, explanation.kpis),
        costly,
        well,
        unknown,
        informing_measures(explanation),
        list(reversed(explanation.history)),
    )


def parts_of(health: AccountHealth) -> tuple[list[Measure], list[Measure], list[Measure]]:
    """Return the measures that count: those that cost points, those that don't, and those not known."""
    counted = [measure for measure in health.measures if measure.weight]
    known = [measure for measure in counted if measure.score is not None]
    costly = [measure for measure in known if cost_of(measure) > 0]
    return (
        sorted(costly, key=cost_of, reverse=True),
        [measure for measure in known if cost_of(measure) <= 0],
        [measure for measure in counted if measure.score is None],
    )


def cost_of(measure: Measure) -> float:
    """Return the points that a measure costs: what it takes, or what it doesn't bring of its weight."""
    if measure.contribution < 0:
        return -measure.contribution
    if measure.score == 100:
        return 0.0
    return measure.weight - measure.contribution


@dataclass(frozen=True, slots=True)
class Happenings:
    """Timeline of an account, or why it can't be read (``trouble``)."""

    timeline: Timeline | None
    trouble: str = ""

    @property
    def marks(self) -> str:
        """
        What the chart marks: times in seconds, kinds and words, as JSON.

        Profiles only fill in facts, and alerts are ``spans``.
        """
        entries = [] if self.timeline is None else self.timeline.entries
        marks = [(one.at // 1000, one.kind, one.what) for one in entries if one.kind not in _UNMARKED]
        return orjson.dumps(marks[:_MARKS]).decode()

    @property
    def spans(self) -> str:
        """The alerts that the chart draws as spans of time, as ``AccountPage.spans`` has those open."""
        return _spans([] if self.timeline is None else self.timeline.alerts[:_MARKS])


def _spans(alerts: Iterable[RiskAlert]) -> str:
    """Return alerts as JSON: opening and end in seconds (null: open), severity and title."""
    spans = [
        (
            one.opened_at // 1000,
            one.changed_at // 1000 if one.change == "resolved" else None,
            one.severity,
            one.title,
        )
        for one in alerts
    ]
    return orjson.dumps(spans).decode()


def happenings(settings: Settings, tenant: str, account_id: str) -> Happenings:
    """Return all that the journal has of an account, event by event."""
    kafka = settings.kafka
    try:
        require_topics(settings)  # says soon that Kafka is away
        return Happenings(
            account_timeline(
                kafka.connection(),
                kafka.topics(),
                registry(settings),
                tenant,
                account_id,
                erasures=read_erasures(settings),
            )
        )
    except KafkaException as error:
        return Happenings(None, f"Kafka doesn't answer: {error.args[0].str()}")
    except OperatorError as error:
        return Happenings(None, str(error))


def score_at(settings: Settings, tenant: str, account_id: str, at: int) -> Past:
    """Return an account as it stood at a time, UTC milliseconds."""
    return _past(settings, tenant, account_id, until=at, since=None)


def why_it_changed(
    settings: Settings, tenant: str, account_id: str, since: int, until: int | None = None
) -> Past:
    """Return an account's history with the moves of its score between two times, UTC milliseconds."""
    return _past(settings, tenant, account_id, until=until, since=since)


def _past(settings: Settings, tenant: str, account_id: str, *, until: int | None, since: int | None) -> Past:
    kafka = settings.kafka
    try:
        require_topics(settings)  # says soon that Kafka is away
        history = account_history(
            kafka.connection(),
            kafka.topics(),
            registry(settings),
            tenant,
            account_id,
            until=until,
            since=since,
            progress=lambda _: None,
            erasures=read_erasures(settings),
        )
    except KafkaException as error:
        return Past(None, f"Kafka doesn't answer: {error.args[0].str()}")
    except OperatorError as error:
        return Past(None, str(error))
    return Past(history)


def parse_moment(text: str) -> int | None:
    """Return UTC milliseconds of an ISO 8601 time or of digits that are such; ``None`` for any other text."""
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    try:
        return utc_milliseconds(text)
    except ValueError:
        return None
