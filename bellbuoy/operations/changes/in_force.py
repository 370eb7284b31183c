"""Reader of the models, alert rules and policies in force, with and without changes under way."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from confluent_kafka import TopicPartition

from bellbuoy.operations.kafka.registry import registry
from bellbuoy.operations.kafka.retry import retry_while_leaderless
from bellbuoy.settings import Settings
from processors.fold.models_in_force import LIVE, RULES, SHADOW, InForce, Models
from processors.fold.shared import SHARED_KEY, Shared
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import codec
from schemas.identity.keys import ALL_TENANTS
from schemas.records import ModelChange
from streams.kafka.log_reader import read_to_end

__all__ = [
    "models_in_force",
    "policies_in_force",
    "requested_models",
    "requested_policies",
    "rules_in_force",
    "tenant_in_words",
]


def tenant_in_words(tenant: str) -> str:
    """Return the tenants that a change is for, in words."""
    return "every tenant" if tenant == ALL_TENANTS else f"tenant {tenant}"


def models_in_force(settings: Settings) -> list[InForce]:
    """
    Return the models that the journal has put in force, by tenant, role and name; raise KafkaAwayError.

    They are read from the states' changelog: the models that the worker uses, not those only requested.
    """
    return _in_force(_worker_shared(settings).models)


def policies_in_force(settings: Settings) -> list[InForce]:
    """Return the policies that the worker uses in place of the default, by tenant; raise KafkaAwayError."""
    policies = _worker_shared(settings).policies
    return [entry for _, entry in sorted(policies.entries.items()) if entry.text is not None]


def rules_in_force(settings: Settings) -> list[InForce]:
    """Return the alert rules that the journal has put in force, as ``models_in_force`` does the models."""
    return _in_force(_worker_shared(settings).models, (RULES,))


def _in_force(models: Models, roles: Sequence[str] = (LIVE, SHADOW)) -> list[InForce]:
    entries = models.entries
    return [entries[name] for name in sorted(entries) if entries[name].text is not None and name[1] in roles]


def _worker_shared(settings: Settings) -> Shared:
    return retry_while_leaderless(settings.kafka.connection(), lambda: _read_shared(settings))


def _read_shared(settings: Settings) -> Shared:
    kafka = settings.kafka
    starts = [TopicPartition(kafka.topics().changelog, p, 0) for p in range(kafka.partitions)]
    newest = {
        record.key: record.value
        for record in read_to_end(kafka.connection(), starts)
        if record.key is not None and record.key.startswith(SHARED_KEY) and record.value is not None
    }
    return Shared().with_entries(newest)


def requested_models(settings: Settings, roles: Sequence[str] = (LIVE, SHADOW)) -> list[InForce]:
    """
    Return the models, or what has these roles, in force once the worker has folded every change made so far.

    A worker that is away or behind must not hide the models that a new change replaces.
    """

    def read() -> list[InForce]:
        return _in_force(_read_shared(settings).models.with_changes(_requested(settings), 0, 0), roles)

    return retry_while_leaderless(settings.kafka.connection(), read)


def requested_policies(settings: Settings) -> dict[str, InForce]:
    """Return the policies by tenant, withdrawn ones too, as ``requested_models`` does the models."""

    def read() -> dict[str, InForce]:
        return _read_shared(settings).policies.with_changes(_requested(settings), 0, 0).entries

    return retry_while_leaderless(settings.kafka.connection(), read)


def _requested(settings: Settings) -> list[ModelChange]:
    """Return every change of models and policies made so far."""
    kafka = settings.kafka
    decode = codec("model.changes", registry(settings)).decode
    start = TopicPartition(kafka.topics().name("model.changes"), 0, 0)
    changes = []
    for record in read_to_end(kafka.connection(), [start]):
        with suppress(SchemaError):  # the journal makes a dead letter of it
            changes.append(decode(record.value))
    return changes
