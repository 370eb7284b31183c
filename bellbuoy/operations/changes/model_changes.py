"""Records of ``model.changes``: what puts a model, a set of rules or a policy in force, or withdraws it."""

from __future__ import annotations

import uuid
from contextlib import AbstractContextManager

from bellbuoy.operations.changes.transaction import change_transaction
from bellbuoy.operations.kafka.journal_time import journal_time
from bellbuoy.operations.kafka.registry import registry
from bellbuoy.settings import Settings
from processors.fold.models_in_force import InForce
from schemas.codec.record_codec import codec
from schemas.records import ModelChange
from streams.kafka.transactional_producer import TransactionalProducer

__all__ = ["model_transaction", "produce_model_changes"]

_SOURCE = "bellbuoy"


def model_transaction(settings: Settings) -> AbstractContextManager[TransactionalProducer]:
    """Return the transaction of a change of models, inside which the models so far are to be read."""
    prefix = settings.kafka.topics().prefix
    return change_transaction(settings.kafka.connection(), f"{prefix}bellbuoy-models", "of the models")


def produce_model_changes(
    producer: TransactionalProducer,
    settings: Settings,
    changes: list[tuple[str, str | None]],
    tenant: str,
    role: str,
    author: str,
    present: list[InForce],
) -> None:
    """
    Produce the changes to every partition, each (name, text), or (name, ``None``) for a withdrawal.

    Their time is later than that of every present entry, also where simulated time stands still.
    """
    topics = settings.kafka.topics()
    at = max([journal_time(settings), *(entry.stamp[0] + 1 for entry in present)])
    encode = codec("model.changes", registry(settings)).encode
    for name, text in changes:
        change = ModelChange(
            event_id=uuid.uuid4().hex,
            tenant=tenant,
            account_id="*",
            source=_SOURCE,
            occurred_at=at,
            received_at=at,
            author=author,
            text=text,
            role=role,
            name=name,
        )
        for partition in range(topics.partitions):
            producer.produce(topics.name("model.changes"), encode(change), tenant.encode(), partition)
