"""Changes that people make to what a running deployment does: models put in force, overrides."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from confluent_kafka import TopicPartition

from bellbuoy.operations.ledger import positions
from bellbuoy.operations.registry import registry
from bellbuoy.operations.retry import ask_again
from bellbuoy.settings import Settings
from bellbuoy.times import now
from processors.fold.models_in_force import LIVE, SHADOW, InForce, Models
from processors.fold.shared import SHARED_KEY, Shared
from processors.intake.admission import MAX_MODEL_TEXT, MAX_TEXT
from processors.model import DEFAULT, Model, clashes, load_model
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import codec
from schemas.identity.keys import ALL_TENANTS, account_key, partition_of
from schemas.records import AccountOverride, ModelChange
from streams.kafka.errors import FencedError
from streams.kafka.log_reader import read_to_end
from streams.kafka.transactional_producer import TransactionalProducer

__all__ = [
    "ChangeError",
    "OvertakenError",
    "in_force",
    "journal_time",
    "override",
    "put_in_force",
    "whose",
    "withdraw",
]

_SOURCE = "bellbuoy"


class ChangeError(Exception):
    """A change can't be made as asked; the message says why and what to do instead."""


class OvertakenError(Exception):
    """
    Another change was made at the same moment, and nothing of this one is in the journal.

    Operator action: look at what stands there now, and make the change again if it is still wanted.
    """


def whose(tenant: str) -> str:
    """Return who a change is for, in words."""
    return "every tenant" if tenant == ALL_TENANTS else f"tenant {tenant}"


def journal_time(settings: Settings) -> int:
    """Return what time it is for the journal, UTC milliseconds; raise KafkaAwayError."""
    if settings.journal.clock == "wall":
        return now()
    found = positions(settings.kafka.bootstrap, settings.kafka.topics()).values()
    return max((position.written_at for position in found), default=0)


def in_force(settings: Settings) -> list[InForce]:
    """
    Return the models that the journal has put in force, by tenant, role and name; raise KafkaAwayError.

    Read from the states' changelog: what the worker goes by, not what was only asked for.
    """
    return _standing(ask_again(settings.kafka.bootstrap, lambda: _folded(settings)))


def _standing(models: Models) -> list[InForce]:
    entries = models.entries
    return [entries[name] for name in sorted(entries) if entries[name].text is not None]


def _folded(settings: Settings) -> Models:
    kafka = settings.kafka
    starts = [TopicPartition(kafka.topics().changelog, p, 0) for p in range(kafka.partitions)]
    newest = {
        record.key: record.value
        for record in read_to_end(kafka.bootstrap, starts)
        if record.key is not None and record.key.startswith(SHARED_KEY) and record.value is not None
    }
    return Shared().with_entries(newest).models


def _asked_for(settings: Settings) -> list[InForce]:
    """
    Return the models that will be in force once the worker has folded every change made so far.

    A worker that is away or behind must not hide what a change takes the place of.
    """
    kafka = settings.kafka
    decode = codec("model.changes", registry(settings)).decode
    start = TopicPartition(kafka.topics().name("model.changes"), 0, 0)

    def read() -> list[InForce]:
        made = []
        for record in read_to_end(kafka.bootstrap, [start]):
            with suppress(SchemaError):  # the journal makes a dead letter of it
                made.append(decode(record.value))
        return _standing(_folded(settings).with_changes(made, 0, 0))

    return ask_again(kafka.bootstrap, read)


def put_in_force(settings: Settings, model: Model, *, tenant: str, shadow: bool, author: str) -> list[str]:
    """
    Put a model in force for a tenant, or for all, in every partition or in none.

    Returns the names of the models that it takes the place of: one of the same name, and as the model for
    all the rest the one that was. Raises ChangeError, KafkaAwayError, KafkaException, and OvertakenError
    when another change was made at the same moment.
    """
    if len(model.text) > MAX_MODEL_TEXT:
        raise ChangeError(f"the model has {len(model.text):,} characters, at most {MAX_MODEL_TEXT:,}")
    role = SHADOW if shadow else LIVE
    there = [one for one in _asked_for(settings) if one.tenant == tenant and one.role == role]
    others = [load_model(one.text or "") for one in there if one.name != model.name]
    gone = [] if shadow else [one.name for one in others if one.applies is None and model.applies is None]
    if not shadow and (found := clashes([*(one for one in others if one.name not in gone), model])):
        raise ChangeError("; ".join(found))
    changes: list[tuple[str, str | None]] = [(name, None) for name in gone]
    changes.append((model.name, model.text))
    _change_models(settings, changes, tenant, role, author, there)
    return gone + [one.name for one in there if one.name == model.name]


def withdraw(settings: Settings, name: str, *, tenant: str, author: str) -> str:
    """
    Withdraw a model and return the role it had; raise as ``put_in_force`` does.

    Accounts it was for are scored with what is left, in the end with the default model.
    """
    there = _asked_for(settings)
    role = next((one.role for one in there if (one.tenant, one.name) == (tenant, name)), None)
    if role is None:
        known = ", ".join(f"{one.name} for {whose(one.tenant)}" for one in there) or f"only {DEFAULT.name}"
        raise ChangeError(f"no model {name!r} is in force for {whose(tenant)}; there is {known}")
    _change_models(settings, [(name, None)], tenant, role, author, there)
    return role


def _change_models(
    settings: Settings,
    changes: list[tuple[str, str | None]],
    tenant: str,
    role: str,
    author: str,
    there: list[InForce],
) -> None:
    """Write the changes to every partition, later than all that is there: simulated time may stand still."""
    _check_texts(author=author)
    kafka = settings.kafka
    topics = kafka.topics()
    at = max([journal_time(settings), *(one.stamp[0] + 1 for one in there)])
    encode = codec("model.changes", registry(settings)).encode
    with _whole(kafka.bootstrap, f"{topics.prefix}bellbuoy-models", "of the models") as producer:
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


def _check_texts(**texts: str) -> None:
    """Refuse what the journal would not let in: it would become a dead letter after it was called done."""
    for name, text in texts.items():
        if not text.strip():
            raise ChangeError(f"the {name} is empty; say it in a few words (--{name})")
        if len(text) > MAX_TEXT:
            raise ChangeError(
                f"the {name} has {len(text):,} characters, at most {MAX_TEXT:,}; shorten --{name}"
            )


@contextmanager
def _whole(bootstrap: str, transactional_id: str, what: str) -> Iterator[TransactionalProducer]:
    """Commit what is produced within, or nothing; raise OvertakenError when another change came between."""
    try:
        producer = TransactionalProducer(bootstrap, transactional_id)
        producer.begin()
        yield producer
        producer.commit()
    except FencedError:
        message = (
            f"another change {what} took over at the same moment and this one was not made; run it again"
        )
        raise OvertakenError(message) from None


def override(
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
    Say something of an account in place of what was measured.

    Raises ChangeError, KafkaAwayError, KafkaException, and OvertakenError when another was said at the same
    moment.
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
    _check_texts(reason=reason, author=author)
    key = account_key(tenant, account_id)
    partition = partition_of(key, topics.partitions)
    said = codec("account.overrides", registry(settings)).encode(event)
    with _whole(kafka.bootstrap, f"{topics.prefix}bellbuoy-override-{partition}", "by override") as producer:
        producer.produce(topics.name("account.overrides"), said, key, partition)
    return event
