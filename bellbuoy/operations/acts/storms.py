"""Storms and silent sources of a running deployment: which are open, and the end of one by an operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import TopicPartition

from bellbuoy.errors import OperatorError
from bellbuoy.operations.acts.alerts import write_alert_action
from bellbuoy.operations.kafka.retry import retry_while_leaderless
from bellbuoy.settings import Settings
from processors.fold.shared import SHARED_KEY, Shared
from processors.owners.rows import OWNERS_KEY, Rows, row_tenant
from processors.owners.storms import kind_of
from schemas.records import AlertAction, RiskAlert
from streams.kafka.log_reader import read_to_end

__all__ = [
    "Incident",
    "NoSuchStormError",
    "end_storm",
    "find_storm",
    "incidents_of",
    "open_incidents",
    "release_storm",
]


class NoSuchStormError(OperatorError):
    """
    No open storm is the one that is named, or several are; the message says which there are.

    Operator action: take an id from `bellbuoy owners storms`.
    """


@dataclass(frozen=True, slots=True)
class Incident:
    """
    A storm, or a silent source, that is open in a tenant.

    ``held`` alerts wait for the end of a storm, which comes at ``ends_at`` (UTC milliseconds of journal time)
    if no further account comes; both are of storms alone, a silent source ends when it is heard again.
    """

    alert: RiskAlert
    last_at: int
    ends_at: int | None
    held: int

    @property
    def is_storm(self) -> bool:
        """Whether it is a storm."""
        return self.ends_at is not None


def open_incidents(settings: Settings, tenant: str | None = None) -> list[Incident]:
    """
    Return the open storms and silent sources of a tenant, or of all; the oldest first.

    They are read from the states' changelog, whole: what the worker goes by. Raises KafkaAwayError.
    """
    rows, shared = retry_while_leaderless(settings.kafka.connection(), lambda: _stored(settings))
    found = [
        incident
        for one in sorted({row_tenant(key) for key in rows})
        if tenant in (None, one)
        for incident in incidents_of(one, rows, shared.policies.of(one).storms.quiet)
    ]
    return sorted(found, key=lambda incident: (incident.alert.opened_at, incident.alert.alert_id))


def incidents_of(tenant: str, stored: Mapping[bytes, bytes], quiet: int) -> list[Incident]:
    """Return the open storms and silent sources of a tenant from the stored rows of its owners."""
    rows = Rows(stored)
    gate = rows.gate(tenant)
    held = Counter(kind_of(row.alert) for row in rows.alerts(tenant) if row.phase in ("new", "held"))
    storms = [
        Incident(storm.alert, storm.last_at, storm.last_at + quiet, held[kind])
        for kind, storm in gate.storms.items()
    ]
    return storms + [
        Incident(outage.alert, outage.alert.opened_at, None, 0) for outage in gate.outages.values()
    ]


def find_storm(incidents: list[Incident], text: str) -> Incident:
    """Return the only storm whose id begins with this text; raise NoSuchStormError."""
    storms = [incident for incident in incidents if incident.is_storm]
    begin = [incident for incident in storms if text and incident.alert.alert_id.startswith(text)]
    if len(begin) == 1:
        return begin[0]
    there = "; ".join(f"{each.alert.alert_id} ({each.alert.subject})" for each in begin or storms)
    if begin:
        raise NoSuchStormError(f"{len(begin)} storms begin with {text!r}: {there}; give more of the id")
    silent = [each.alert for each in incidents if not each.is_storm]
    if text and any(each.alert_id.startswith(text) for each in silent):
        raise NoSuchStormError(
            f"{text!r} is a silent source, which holds no alert and ends when the source is heard again"
        )
    known = f"there is {there}" if there else "none is open"
    raise NoSuchStormError(f"no open storm begins with {text!r}: {known}")


def end_storm(settings: Settings, storm: Incident, *, cause: str, author: str) -> AlertAction:
    """
    Say what caused a storm, which ends it: what it held and is still open goes to its owners.

    The page is brought up to date with the cause, and each released message says it. Raises AlertActionError
    and KafkaAwayError.
    """
    return write_alert_action(settings, storm.alert, "resolved", author=author, note=cause)


def release_storm(settings: Settings, storm: Incident, *, note: str, author: str) -> AlertAction:
    """Say that a storm is no incident of ours, which ends it as ``end_storm`` does; raise as it does."""
    return write_alert_action(settings, storm.alert, "dismissed", author=author, note=note or None)


def _stored(settings: Settings) -> tuple[dict[bytes, bytes], Shared]:
    kafka = settings.kafka
    starts = [TopicPartition(kafka.topics().changelog, p, 0) for p in range(kafka.partitions)]
    newest: dict[bytes, bytes | None] = {}
    for record in read_to_end(kafka.connection(), starts):
        if record.key is not None and record.key.startswith((SHARED_KEY, OWNERS_KEY)):
            newest[record.key] = record.value
    kept = {key: value for key, value in newest.items() if value is not None}
    shared = {key: value for key, value in kept.items() if key.startswith(SHARED_KEY)}
    return {key: kept[key] for key in kept.keys() - shared.keys()}, Shared().with_entries(shared)
