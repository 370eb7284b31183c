"""The overrides in force, read from the states' changelog: also those of accounts that are not known yet."""

from __future__ import annotations

from typing import NamedTuple

from confluent_kafka import TopicPartition

from bellbuoy.operations.kafka.retry import retry_while_leaderless
from bellbuoy.settings import Settings
from processors.state.account import OverrideValue
from processors.state.encoding import decode_state
from schemas.identity.keys import account_key, partition_of, split_key
from streams.kafka.log_reader import read_to_end

__all__ = ["OverrideInForce", "overrides_in_force"]


class OverrideInForce(NamedTuple):
    """An override of an account's target; ``known`` says whether anything else is known of the account."""

    account_id: str
    target: str
    override: OverrideValue
    known: bool


def overrides_in_force(
    settings: Settings, tenant: str, now: int, account_id: str | None = None
) -> list[OverrideInForce]:
    """
    Return the overrides that hold at *now*, of all of a tenant's accounts or of one; raise KafkaAwayError.

    They are sorted by account and target.
    """
    kafka = settings.kafka
    only = None if account_id is None else account_key(tenant, account_id)
    partitions = range(kafka.partitions) if only is None else [partition_of(only, kafka.partitions)]
    starts = [TopicPartition(kafka.topics().changelog, number, 0) for number in partitions]

    def read() -> dict[bytes, bytes | None]:
        return {
            record.key: record.value
            for record in read_to_end(kafka.connection(), starts)
            if record.key is not None and (record.key == only if only else _is_of(record.key, tenant))
        }

    newest = retry_while_leaderless(kafka.connection(), read)
    states = [decode_state(value) for value in newest.values() if value is not None]
    return sorted(
        OverrideInForce(state.account_id, target, override, state.known)
        for state in states
        for target, override in state.overrides.items()
        if override.holds(now)
    )


def _is_of(key: bytes, tenant: str) -> bool:
    return not key.startswith(b"\0") and split_key(key)[0] == tenant
