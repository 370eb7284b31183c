"""Final state of a run: totals, states, alerts and the sink's contents, in a form that can be equal."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from confluent_kafka import TopicPartition
from msgspec.structs import replace

from bellbuoy.operations.delivery.reconcile import compare, find_reconcilable
from bellbuoy.operations.kafka.ledger import read_ledger
from chaos.cluster import Cluster
from chaos.company import TENANT, ChaosCompany
from chaos.told_state import AlertChange, ToldState, read_told_state
from processors.state.account import State
from processors.state.encoding import decode_state, encode_state
from processors.state.position import is_account
from schemas.codec.record_codec import codec
from schemas.records import AccountHealth, RiskAlert
from sinks.port import version
from sinks.postgres.client import connect
from sinks.redis.reader import RedisReader
from streams.kafka.log_reader import read_to_end

__all__ = ["FinalState", "account_states", "read_final_state"]


@dataclass(frozen=True, slots=True)
class FinalState:
    """
    Final state of a run, without what depends on how events were cut into batches.

    ``applied`` counts events by account, ``states`` has a hash of each account's state, ``alerts`` how often
    each change was published, ``open_alerts`` the ids that Redis calls open. ``sink`` has what Redis holds,
    by name, and ``histories`` the score and band at the end of each day, by account. ``owners`` is what
    people were told. ``unreconciled`` names what `bellbuoy sinks reconcile` finds in Redis and Postgres, and
    a number of alert changes in Postgres that is another than was published. Left out are sequence numbers,
    times of receipt, and the score before the last batch.
    """

    applied: dict[tuple[str, str], int]
    states: dict[bytes, str]
    alerts: Counter[AlertChange]
    open_alerts: frozenset[str]
    sink: dict[str, str]
    histories: dict[str, dict[int, tuple[float, str]]]
    owners: ToldState = field(default_factory=ToldState)
    unreconciled: tuple[str, ...] = ()


def read_final_state(cluster: Cluster, company: ChaosCompany) -> FinalState:
    """Read the final state from Kafka and Redis."""
    ledger = read_ledger(cluster.connection, cluster.topics)
    published = _published_alerts(cluster)
    reader = cluster.reader()
    try:
        sink, histories = _sink(reader, company), _histories(reader, company)
        open_alerts = reader.open_alerts(TENANT, 10 * len(company.fates))
    finally:
        reader.close()
    return FinalState(
        ledger.applied,
        _states(cluster),
        Counter((each.alert_id, each.change, each.severity, each.changed_at) for each in published),
        frozenset(alert.alert_id for alert in open_alerts),
        sink,
        histories,
        read_told_state(cluster),
        tuple(_unreconciled(cluster, published)),
    )


def _unreconciled(cluster: Cluster, alerts: Sequence[RiskAlert]) -> Iterator[str]:
    settings = cluster.settings
    for name in ("redis", "postgres"):
        with closing(find_reconcilable(settings, name)) as sink:
            sink.open()
            for one in compare(settings, sink).differences:
                yield f"{name}: {one.account[1]} is {one.kind.replace('_', ' ')} ({one.topic})"
    assert settings.postgres
    with connect(settings.postgres) as database:
        [(stored,)] = database.execute("SELECT count(*) FROM alert_changes").fetchall()
    if stored != (published := len({(each.alert_id, *version(each)) for each in alerts})):
        yield f"postgres: {stored} changes of alerts, {published} were published"


def account_states(cluster: Cluster) -> dict[bytes, State]:
    """Return the state of every account, by its key, from the changelog."""
    starts = [TopicPartition(cluster.topics.changelog, p, 0) for p in range(cluster.topics.partitions)]
    newest = {record.key or b"": record.value or b"" for record in read_to_end(cluster.connection, starts)}
    return {key: decode_state(value) for key, value in newest.items() if is_account(key)}


def _states(cluster: Cluster) -> dict[bytes, str]:
    states = account_states(cluster)
    for state in states.values():
        state.sequence = -1
    return {key: hashlib.sha256(encode_state(state)).hexdigest()[:16] for key, state in states.items()}


def _published_alerts(cluster: Cluster) -> list[RiskAlert]:
    name = cluster.topics.name("risk.alerts")
    decode = codec("risk.alerts").decode
    starts = [TopicPartition(name, p, 0) for p in range(cluster.topics.partitions)]
    return [decode(record.value) for record in read_to_end(cluster.connection, starts)]


def _sink(reader: RedisReader, company: ChaosCompany) -> dict[str, str]:
    contents = {}
    for account in company.fates:
        health = reader.account(TENANT, account)
        contents[f"health {account}"] = repr(None if health is None else _without_batching(health))
    ranked = reader.riskiest(TENANT, 2 * len(company.fates))
    contents["ranking"] = repr(sorted((health.score, health.account_id) for health in ranked))
    contents["unknown"] = repr(reader.unknown(TENANT))
    open_alerts = reader.open_alerts(TENANT, 10 * len(company.fates))
    contents["open alerts"] = repr(sorted((a.alert_id, a.severity, a.acknowledged_by) for a in open_alerts))
    return contents


def _histories(reader: RedisReader, company: ChaosCompany) -> dict[str, dict[int, tuple[float, str]]]:
    """Return the last entry of each day, as a score may be published more than once a day."""
    return {
        account: {e.as_of: (e.score, e.band) for e in reversed(reader.history(TENANT, account, 10_000))}
        for account in company.fates
    }


def _without_batching(health: AccountHealth) -> AccountHealth:
    return replace(health, previous_score=None, received_at=None, sequence=0)
