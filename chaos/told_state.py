"""Final state of the owners' stage in a run: what people were told, what is tracked, what was delivered."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from confluent_kafka import TopicPartition

from chaos.cluster import CHANNEL, Cluster
from chaos.company import TENANT
from processors.owners.rows import OWNERS_KEY, Rows
from schemas.codec.record_codec import codec
from schemas.identity.owners import OWNERS
from schemas.records import AlertNotification, RiskAlert
from streams.delivery.deliveries import KafkaDeliveryStore
from streams.kafka.log_reader import read_to_end

__all__ = [
    "AlertChange",
    "ToldState",
    "alert_change",
    "read_told_state",
    "told_state",
    "told_violations",
]

AlertChange = tuple[str, str, str, int]
"""A change of an alert: alert id, change, severity and journal time."""

Told = tuple[str, str, int, tuple[AlertChange, ...]]
"""A notification without what depends on batches: recipient, kind, time of the decision, and its alerts."""


@dataclass(frozen=True, slots=True)
class ToldState:
    """
    Final state of the owners' stage.

    ``told`` counts the notifications, ``ids`` how often each id is on the topic. ``tracked`` maps each alert
    that the stage knows to its newest change, its phase and who was told. ``undelivered`` are the ids that
    the channel has not delivered.
    """

    told: Counter[Told] = field(default_factory=Counter)
    ids: Counter[str] = field(default_factory=Counter)
    tracked: dict[str, tuple[AlertChange, str, tuple[str, ...]]] = field(default_factory=dict)
    undelivered: frozenset[str] = frozenset()

    @property
    def open_alerts(self) -> dict[str, AlertChange]:
        """Return the newest change of each alert that is tracked, which depends on no cut into batches."""
        return {alert_id: change for alert_id, (change, *_) in self.tracked.items()}


def read_told_state(cluster: Cluster) -> ToldState:
    """Read the state of the owners' stage from Kafka."""
    name, decode = cluster.topics.name("alert.notifications"), codec("alert.notifications").decode
    starts = [TopicPartition(name, p, 0) for p in range(cluster.topics.partitions)]
    sent: list[AlertNotification] = [
        decode(record.value) for record in read_to_end(cluster.connection, starts) if record.value is not None
    ]
    state = told_state(sent, _stored_rows(cluster))
    return replace(state, undelivered=_undelivered(cluster, state.ids))


def told_state(sent: Iterable[AlertNotification], rows: Mapping[bytes, bytes]) -> ToldState:
    """Return the state of notifications and of the stored rows of the owners, all delivered."""
    found = list(sent)
    tracked = {
        row.alert.alert_id: (alert_change(row.alert), row.phase, tuple(row.told))
        for row in Rows(rows).alerts(TENANT)
    }
    return ToldState(Counter(map(_told, found)), Counter(each.notification_id for each in found), tracked)


def told_violations(state: ToldState, alerts: Counter[AlertChange]) -> Iterator[str]:
    """
    Yield what is wrong with what people were told, given the published changes of alerts.

    The stage tracks exactly the alerts that are open, each at a change that was published. Each notification
    is there once, tells each change of an alert once to a recipient, and was delivered. Whoever was told of
    an alert that is over was told that it is.
    """
    for notification_id, times in state.ids.items():
        if times > 1:
            yield f"notification {notification_id}: published {times} times"
    for notification_id in sorted(state.undelivered):
        yield f"notification {notification_id}: not delivered"
    opened, resolved = ({a for a, change, *_ in alerts if change == kind} for kind in ("opened", "resolved"))
    for alert_id in sorted((opened - resolved) ^ state.tracked.keys()):
        yield f"alert {alert_id}: {'tracked though over' if alert_id in state.tracked else 'lost to owners'}"
    heard: defaultdict[tuple[str, str], Counter[tuple[str, AlertChange]]] = defaultdict(Counter)
    for (recipient, kind, _, changes), times in state.told.items():
        for change in changes if kind in ("alert", "escalation") else ():
            heard[change[0], recipient][kind, change] += times
    for (alert_id, recipient), told in heard.items():
        for (_, change), times in told.items():
            if times > 1:
                yield f"alert {alert_id}: {recipient} was told of {change} {times} times"
            if change not in alerts:
                yield f"alert {alert_id}: {recipient} was told of {change}, which was never published"
        if alert_id in resolved and not any(told_of[1] == "resolved" for _, told_of in told):
            yield f"alert {alert_id}: {recipient} was not told that it is over"
    for alert_id, (change, phase, recipients) in state.tracked.items():
        if change not in alerts:
            yield f"alert {alert_id}: tracked as {change}, which was never published"
        for recipient in recipients if phase == "told" else ():
            if (alert_id, recipient) not in heard:
                yield f"alert {alert_id}: {recipient} counts as told and was not"


def _told(sent: AlertNotification) -> Told:
    # The alert of a storm says how many accounts were in the batch that began it.
    alerts = tuple(
        (alert.subject, alert.change, "", alert.changed_at)
        if alert.account_id == OWNERS
        else alert_change(alert)
        for alert in sent.alerts
    )
    return sent.recipient, sent.kind, sent.created_at, alerts


def alert_change(alert: RiskAlert) -> AlertChange:
    """Return what tells one change of an alert from another, whatever the batches."""
    return alert.alert_id, alert.change, alert.severity, alert.changed_at


def _stored_rows(cluster: Cluster) -> dict[bytes, bytes]:
    starts = [TopicPartition(cluster.topics.changelog, p, 0) for p in range(cluster.topics.partitions)]
    newest = {record.key or b"": record.value for record in read_to_end(cluster.connection, starts)}
    return {k: value for k, value in newest.items() if value is not None and k.startswith(OWNERS_KEY)}


def _undelivered(cluster: Cluster, ids: Counter[str]) -> frozenset[str]:
    store = KafkaDeliveryStore(cluster.connection, cluster.topics, CHANNEL)
    try:
        store.catch_up()
        found = {each: store.get(each) for each in ids}
    finally:
        store.close()
    return frozenset(each for each, status in found.items() if status is None or status.state != "success")
