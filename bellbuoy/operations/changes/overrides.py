"""Writer of overrides of an account's score or measures."""

from __future__ import annotations

import uuid

from bellbuoy.operations.changes.transaction import change_transaction, check_texts
from bellbuoy.operations.kafka.journal_time import journal_time
from bellbuoy.operations.kafka.registry import registry
from bellbuoy.settings import Settings
from schemas.codec.record_codec import codec
from schemas.identity.keys import account_key, partition_of
from schemas.records import AccountOverride

__all__ = ["write_override"]

_SOURCE = "bellbuoy"


def write_override(
    settings: Settings,
    tenant: str,
    account_id: str,
    *,
    target: str,
    value: float | None,
    reason: str,
    author: str,
    until: int | None,
) -> AccountOverride:
    """
    Write an override of an account's score or of a measure's; ``value`` ``None`` withdraws it.

    ``until`` is when it ends, UTC milliseconds of the journal's time. Raises ChangeError, KafkaAwayError,
    KafkaException, and OvertakenError when another override was written at the same moment.
    """
    kafka = settings.kafka
    topics, at = kafka.topics(), journal_time(settings)
    event = AccountOverride(
        event_id=uuid.uuid4().hex,
        tenant=tenant,
        account_id=account_id,
        source=_SOURCE,
        occurred_at=at,
        received_at=at,
        target=target,
        value=value,
        reason=reason,
        author=author,
        expires_at=until,
    )
    check_texts(reason=reason, author=author)
    key = account_key(tenant, account_id)
    partition = partition_of(key, topics.partitions)
    encoded = codec("account.overrides", registry(settings)).encode(event)
    transactional_id = f"{topics.prefix}bellbuoy-override-{partition}"
    with change_transaction(kafka.connection(), transactional_id, "by override") as producer:
        producer.produce(topics.name("account.overrides"), encoded, key, partition)
    return event
