"""Writer of deletions of accounts, and of what accounts know of a person."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from bellbuoy.operations.changes.transaction import change_transaction, check_texts
from bellbuoy.operations.kafka.journal_time import journal_time
from bellbuoy.operations.kafka.registry import registry
from bellbuoy.settings import Settings
from schemas.codec.record_codec import codec
from schemas.identity.keys import account_key, partition_of
from schemas.records import AccountLink

__all__ = ["write_deletions"]

_OPERATOR = "operator"
"""The source of links by an operator; those of ``OWN_SOURCE`` the gateway derived from other events."""


def write_deletions(
    settings: Settings,
    tenant: str,
    account_ids: Sequence[str],
    *,
    reason: str,
    author: str,
    at: int | None = None,
    person: int | None = None,
) -> int:
    """
    Write the deletion of some accounts and aliases of a tenant, of all or of none; return its time.

    That is *at*, or the journal's present time, UTC milliseconds. With *person*, only what the accounts know
    of that person is erased. Raises ChangeError, KafkaAwayError, KafkaException,
    and OvertakenError when another deletion was written at the same moment.
    """
    kafka = settings.kafka
    topics, at = kafka.topics(), journal_time(settings) if at is None else at
    check_texts(author=author, **({"reason": reason} if reason else {}))
    encode = codec("account.links", registry(settings)).encode
    with change_transaction(
        kafka.connection(), f"{topics.prefix}bellbuoy-deletions", "by deletion"
    ) as producer:
        for account_id in account_ids:
            event = AccountLink(
                event_id=uuid.uuid4().hex,
                tenant=tenant,
                account_id=account_id,
                source=_OPERATOR,
                occurred_at=at,
                received_at=at,
                deleted=True,
                author=author,
                reason=reason or None,
                person=person,
            )
            key = account_key(tenant, account_id)
            partition = partition_of(key, topics.partitions)
            producer.produce(topics.name("account.links"), encode(event), key, partition)
    return at
