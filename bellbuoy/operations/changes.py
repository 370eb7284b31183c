"""Writers of the changes that people make to a running deployment: models, overrides, deletions."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress

from confluent_kafka import TopicPartition

from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import CONFIGURATION
from bellbuoy.operations.ledger import read_positions
from bellbuoy.operations.registry import registry
from bellbuoy.operations.retry import retry_while_leaderless
from bellbuoy.settings import Settings
from bellbuoy.times import now
from processors.fold.models_in_force import LIVE, POLICY, RULES, SHADOW, InForce, Models
from processors.fold.shared import SHARED_KEY, Shared
from processors.intake.admission import MAX_MODEL_TEXT, MAX_TEXT
from processors.model import DEFAULT, Model, clashes, load_model
from processors.owners.policy import Policy
from processors.rules import DEFAULT_RULES, RuleSet
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import codec
from schemas.identity.keys import ALL_TENANTS, account_key, partition_of
from schemas.records import AccountLink, AccountOverride, ModelChange
from streams.kafka.errors import FencedError
from streams.kafka.log_reader import read_to_end
from streams.kafka.transactional_producer import TransactionalProducer

__all__ = [
    "ChangeError",
    "OvertakenError",
    "journal_time",
    "models_in_force",
    "policies_in_force",
    "put_model_in_force",
    "put_policy_in_force",
    "put_rules_in_force",
    "requested_models",
    "rules_in_force",
    "tenant_in_words",
    "withdraw_model",
    "withdraw_policy",
    "withdraw_rules",
    "write_deletions",
    "write_override",
]

_SOURCE = "bellbuoy"
_OPERATOR = "operator"
"""The source of links by an operator; those of ``OWN_SOURCE`` the gateway derived from other events."""


class ChangeError(OperatorError):
    """A change can't be made as asked; the message says why and what to do instead."""

    exit_code = CONFIGURATION


class OvertakenError(OperatorError):
    """
    Another change was made at the same moment, and nothing of this one is in the journal.

    Operator action: look at what is in force now, and make the change again if it is still wanted.
    """


def tenant_in_words(tenant: str) -> str:
    """Return the tenants that a change is for, in words."""
    return "every tenant" if tenant == ALL_TENANTS else f"tenant {tenant}"


def journal_time(settings: Settings) -> int:
    """Return the journal's present time, UTC milliseconds; raise KafkaAwayError."""
    if settings.journal.clock == "wall":
        return now()
    positions = read_positions(settings.kafka.bootstrap, settings.kafka.topics()).values()
    return max((position.written_at for position in positions), default=0)


def models_in_force(settings: Settings) -> list[InForce]:
    """
    Return the models that the journal has put in force, by tenant, role and name; raise KafkaAwayError.

    They are read from the states' changelog: the models that the worker uses, not those only requested.
    """
    return _in_force(
        retry_while_leaderless(settings.kafka.bootstrap, lambda: _worker_shared(settings)).models
    )


def policies_in_force(settings: Settings) -> list[InForce]:
    """Return the policies that the worker uses in place of the default, by tenant; raise KafkaAwayError."""
    shared = retry_while_leaderless(settings.kafka.bootstrap, lambda: _worker_shared(settings))
    return [entry for _, entry in sorted(shared.policies.entries.items()) if entry.text is not None]


def rules_in_force(settings: Settings) -> list[InForce]:
    """Return the alert rules that the journal has put in force, as ``models_in_force`` does the models."""
    shared = retry_while_leaderless(settings.kafka.bootstrap, lambda: _worker_shared(settings))
    return _in_force(shared.models, (RULES,))


def _in_force(models: Models, roles: Sequence[str] = (LIVE, SHADOW)) -> list[InForce]:
    entries = models.entries
    return [entries[name] for name in sorted(entries) if entries[name].text is not None and name[1] in roles]


def _worker_shared(settings: Settings) -> Shared:
    kafka = settings.kafka
    starts = [TopicPartition(kafka.topics().changelog, p, 0) for p in range(kafka.partitions)]
    newest = {
        record.key: record.value
        for record in read_to_end(kafka.bootstrap, starts)
        if record.key is not None and record.key.startswith(SHARED_KEY) and record.value is not None
    }
    return Shared().with_entries(newest)


def requested_models(settings: Settings, roles: Sequence[str] = (LIVE, SHADOW)) -> list[InForce]:
    """
    Return the models, or what has these roles, in force once the worker has folded every change made so far.

    A worker that is away or behind must not hide the models that a new change replaces.
    """

    def read() -> list[InForce]:
        return _in_force(_worker_shared(settings).models.with_changes(_requested(settings), 0, 0), roles)

    return retry_while_leaderless(settings.kafka.bootstrap, read)


def _requested(settings: Settings) -> list[ModelChange]:
    """Return every change of models and policies made so far."""
    kafka = settings.kafka
    decode = codec("model.changes", registry(settings)).decode
    start = TopicPartition(kafka.topics().name("model.changes"), 0, 0)
    changes = []
    for record in read_to_end(kafka.bootstrap, [start]):
        with suppress(SchemaError):  # the journal makes a dead letter of it
            changes.append(decode(record.value))
    return changes


def put_policy_in_force(settings: Settings, policy: Policy, *, tenant: str, author: str) -> str | None:
    """
    Put a policy of the owners in force for a tenant, or for all; return the name of the one it replaces.

    Raises ChangeError, KafkaAwayError, KafkaException, and OvertakenError when another change was made at the
    same moment.
    """
    if len(policy.text) > MAX_MODEL_TEXT:
        raise ChangeError(f"the policy has {len(policy.text):,} characters, at most {MAX_MODEL_TEXT:,}")
    return _change_policy(settings, policy.name, policy.text, tenant, author)


def withdraw_policy(settings: Settings, *, tenant: str, author: str) -> str:
    """Withdraw the policy of a tenant, or of all, and return its name; raise as ``put_policy_in_force``."""
    name = _change_policy(settings, "", None, tenant, author)
    assert name is not None
    return name


def _change_policy(settings: Settings, name: str, text: str | None, tenant: str, author: str) -> str | None:
    _check_texts(author=author)
    with _model_transaction(settings) as producer:
        requested = retry_while_leaderless(
            settings.kafka.bootstrap,
            lambda: _worker_shared(settings).policies.with_changes(_requested(settings), 0, 0),
        )
        entry = requested.entries.get(tenant)
        before = None if entry is None or entry.text is None else entry.name
        if text is None and before is None:
            raise ChangeError(
                f"no policy is in force for {tenant_in_words(tenant)}; `bellbuoy owners live` lists them"
            )
        present = [] if entry is None else [entry]
        _produce_model_changes(
            producer, settings, [(name or before or "", text)], tenant, POLICY, author, present
        )
    return before


def put_model_in_force(
    settings: Settings, model: Model, *, tenant: str, shadow: bool, author: str
) -> list[str]:
    """
    Put a model in force for a tenant, or for all, in every partition or in none.

    With ``shadow`` it is a shadow model, which scores for comparison only. Returns the names of the models
    that it replaces: the one of the same name, and for a model without a condition (it is for all accounts
    that no other model is for) the earlier model without one. Raises ChangeError, KafkaAwayError,
    KafkaException, and OvertakenError when another change was made at the same moment.
    """
    if len(model.text) > MAX_MODEL_TEXT:
        raise ChangeError(f"the model has {len(model.text):,} characters, at most {MAX_MODEL_TEXT:,}")
    _check_texts(author=author)
    role = SHADOW if shadow else LIVE
    with _model_transaction(settings) as producer:
        requested = requested_models(settings)
        present = [entry for entry in requested if (entry.tenant, entry.role) == (tenant, role)]
        others = [
            load_model(entry.text or "", accepted=True) for entry in present if entry.name != model.name
        ]
        replaced = [other.name for other in others if other.applies is None and model.applies is None]
        if shadow:
            replaced = []
        elif conflicts := clashes([*(other for other in others if other.name not in replaced), model]):
            raise ChangeError("; ".join(conflicts))
        changes: list[tuple[str, str | None]] = [(name, None) for name in replaced]
        changes.append((model.name, model.text))
        _produce_model_changes(producer, settings, changes, tenant, role, author, present)
    return replaced + [entry.name for entry in present if entry.name == model.name]


def withdraw_model(settings: Settings, name: str, *, tenant: str, author: str) -> str:
    """
    Withdraw a model and return the role it had; raise as ``put_model_in_force`` does.

    Its accounts are scored by the models that are left, in the end by the default model.
    """
    _check_texts(author=author)
    with _model_transaction(settings) as producer:
        present = requested_models(settings)
        role = next((entry.role for entry in present if (entry.tenant, entry.name) == (tenant, name)), None)
        if role is None:
            known = ", ".join(f"{entry.name} for {tenant_in_words(entry.tenant)}" for entry in present)
            raise ChangeError(
                f"no model {name!r} is in force for {tenant_in_words(tenant)}; "
                f"there is {known or f'only {DEFAULT.name}'}"
            )
        _produce_model_changes(producer, settings, [(name, None)], tenant, role, author, present)
    return role


def put_rules_in_force(settings: Settings, rules: RuleSet, *, tenant: str, author: str) -> list[str]:
    """
    Put a set of alert rules in force for a tenant, or for all; raise as ``put_model_in_force`` does.

    Returns the names of the sets that it takes the place of, the default set apart.
    """
    if len(rules.text) > MAX_MODEL_TEXT:
        raise ChangeError(f"the rules have {len(rules.text):,} characters, at most {MAX_MODEL_TEXT:,}")
    _check_texts(author=author)
    with _model_transaction(settings) as producer:
        requested = requested_models(settings, (LIVE, SHADOW, RULES))
        present = [entry for entry in requested if (entry.tenant, entry.role) == (tenant, RULES)]
        changes: list[tuple[str, str | None]] = [
            (entry.name, None) for entry in present if entry.name != rules.name
        ]
        changes.append((rules.name, rules.text))
        _produce_model_changes(producer, settings, changes, tenant, RULES, author, requested)
    return [entry.name for entry in present]


def withdraw_rules(settings: Settings, name: str, *, tenant: str, author: str) -> None:
    """
    Withdraw a set of alert rules; raise as ``put_model_in_force`` does.

    Its accounts are judged by the set for every tenant that is left, or by the default set.
    """
    _check_texts(author=author)
    with _model_transaction(settings) as producer:
        requested = requested_models(settings, (LIVE, SHADOW, RULES))
        present = [entry for entry in requested if entry.role == RULES]
        if not any((entry.tenant, entry.name) == (tenant, name) for entry in present):
            known = ", ".join(f"{entry.name} for {tenant_in_words(entry.tenant)}" for entry in present)
            raise ChangeError(
                f"no rules {name!r} are in force for {tenant_in_words(tenant)}; "
                f"there is {known or f'only {DEFAULT_RULES.name}'}"
            )
        _produce_model_changes(producer, settings, [(name, None)], tenant, RULES, author, requested)


def _model_transaction(settings: Settings) -> AbstractContextManager[TransactionalProducer]:
    """Return the transaction of a change of models, inside which the models so far are to be read."""
    prefix = settings.kafka.topics().prefix
    return _transaction(settings.kafka.bootstrap, f"{prefix}bellbuoy-models", "of the models")


def _produce_model_changes(
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


def _check_texts(**texts: str) -> None:
    """
    Raise ChangeError for a text that the journal would refuse.

    The change would become a dead letter after its author was told that it is made.
    """
    for name, text in texts.items():
        if not text.strip():
            raise ChangeError(f"the {name} is empty; say it in a few words (--{name})")
        if len(text) > MAX_TEXT:
            raise ChangeError(
                f"the {name} has {len(text):,} characters, at most {MAX_TEXT:,}; shorten --{name}"
            )


@contextmanager
def _transaction(bootstrap: str, transactional_id: str, what: str) -> Iterator[TransactionalProducer]:
    """
    Commit all that the block produces, or nothing; raise OvertakenError when another change did so.

    An earlier change under the same transactional id has ended, and can be read, before the block begins.
    """
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
    _check_texts(reason=reason, author=author)
    key = account_key(tenant, account_id)
    partition = partition_of(key, topics.partitions)
    encoded = codec("account.overrides", registry(settings)).encode(event)
    transactional_id = f"{topics.prefix}bellbuoy-override-{partition}"
    with _transaction(kafka.bootstrap, transactional_id, "by override") as producer:
        producer.produce(topics.name("account.overrides"), encoded, key, partition)
    return event


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
    _check_texts(author=author, **({"reason": reason} if reason else {}))
    encode = codec("account.links", registry(settings)).encode
    with _transaction(kafka.bootstrap, f"{topics.prefix}bellbuoy-deletions", "by deletion") as producer:
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
