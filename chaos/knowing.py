"""What a run ends with: totals, states, alerts and the sink's contents, in a form that two runs share."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass

from confluent_kafka import TopicPartition
from msgspec.structs import replace

from bellbuoy.operations.ledger import ledger
from chaos.fleet import Fleet
from chaos.load import TENANT, Company
from processors.state.encoding import decode_state, encode_state
from processors.state.position import is_account
from schemas.codec.record_codec import codec
from schemas.records import AccountHealth, RiskAlert
from sinks.redis.reader import RedisReader
from streams.kafka.log_reader import read_to_end

__all__ = ["Knowledge", "know"]

Alert = tuple[str, str, str, int]
"""Id, change, severity and the journal time of a change of an alert."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """
    ``applied`` events by account, ``states`` a hash of each, ``alerts`` how often each change was published.

    ``sink`` is what Redis holds by name, ``histories`` the score and band at the end of each day by account.
    Left out is what depends on how events were cut into batches: sequence numbers, times of receipt, and the
    score before the last batch.
    """

    applied: dict[tuple[str, str], int]
    states: dict[bytes, str]
    alerts: Counter[Alert]
    sink: dict[str, str]
    histories: dict[str, dict[int, tuple[float, str]]]


def know(fleet: Fleet, company: Company) -> Knowledge:
    """Read it all, from Kafka and from Redis."""
    found = ledger(fleet.bootstrap, fleet.topics)
    reader = fleet.reader()
    try:
        sink, histories = _sink(reader, company), _histories(reader, company)
    finally:
        reader.close()
    return Knowledge(found.applied, _states(fleet), _alerts(fleet), sink, histories)


def _states(fleet: Fleet) -> dict[bytes, str]:
    starts = [TopicPartition(fleet.topics.changelog, p, 0) for p in range(fleet.topics.partitions)]
    newest = {record.key or b"": record.value or b"" for record in read_to_end(fleet.bootstrap, starts)}
    states = {}
    for key, value in newest.items():
        if is_account(key):
            state = decode_state(value)
            state.sequence = -1
            states[key] = hashlib.sha256(encode_state(state)).hexdigest()[:16]
    return states


def _alerts(fleet: Fleet) -> Counter[Alert]:
    name = fleet.topics.name("risk.alerts")
    decode = codec("risk.alerts").decode
    starts = [TopicPartition(name, p, 0) for p in range(fleet.topics.partitions)]
    changes: list[RiskAlert] = [decode(record.value) for record in read_to_end(fleet.bootstrap, starts)]
    return Counter((one.alert_id, one.change, one.severity, one.changed_at) for one in changes)


def _sink(reader: RedisReader, company: Company) -> dict[str, str]:
    found = {}
    for account in company.fates:
        health = reader.account(TENANT, account)
        found[f"health {account}"] = repr(None if health is None else _settled(health))
    ranked = reader.riskiest(TENANT, 2 * len(company.fates))
    found["ranking"] = repr(sorted((health.score, health.account_id) for health in ranked))
    found["unknown"] = repr(reader.unknown(TENANT))
    open_alerts = reader.open_alerts(TENANT, 10 * len(company.fates))
    found["open alerts"] = repr(sorted((a.alert_id, a.severity, a.acknowledged_by) for a in open_alerts))
    return found


def _histories(reader: RedisReader, company: Company) -> dict[str, dict[int, tuple[float, str]]]:
    """Return the last entry of each day: a score may be published more than once a day."""
    return {
        account: {e.as_of: (e.score, e.band) for e in reversed(reader.history(TENANT, account, 10_000))}
        for account in company.fates
    }


def _settled(health: AccountHealth) -> AccountHealth:
    return replace(health, previous_score=None, received_at=None, sequence=0)
