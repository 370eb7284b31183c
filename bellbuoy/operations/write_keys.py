"""Keys of senders: making, rotating and revoking them, by records that every gateway follows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import TopicPartition
from msgspec.structs import replace

from bellbuoy.errors import ConfigError, OperatorError
from bellbuoy.operations.kafka.record_writing import NewRecord, write_records
from bellbuoy.operations.kafka.retry import retry_while_leaderless
from bellbuoy.settings import Settings
from gateway.sources.registry import KEYED
from schemas.identity.keys import partition_of
from schemas.identity.write_keys import (
    KEY_NAME,
    WriteKey,
    decode_key,
    digest_of,
    encode_key,
    key_id,
    new_secret,
)
from schemas.inputs import OFFERED_TOPICS
from schemas.topics import KEYS_TOPIC
from streams.kafka.log_reader import read_to_end

__all__ = ["KeyNameError", "NewKey", "make_key", "read_keys", "revoke_keys", "rotate_keys"]

_SECONDS = 8.0
_KEYED_SOURCES = tuple(source.name for source in KEYED)


class KeyNameError(OperatorError):
    """
    No key, or already one, has this name.

    Operator action: see the names with `bellbuoy keys list`.
    """


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key and its secret, which is kept nowhere."""

    secret: str
    key: WriteKey


def read_keys(settings: Settings) -> list[WriteKey]:
    """Return every key, revoked ones too, by tenant, name and age; raise KafkaAwayError."""
    kafka = settings.kafka
    topic, keys = kafka.topics().name(KEYS_TOPIC), dict[bytes, WriteKey]()

    def read() -> None:
        starts = [TopicPartition(topic, number, 0) for number in range(kafka.topics().partitions)]
        for record in read_to_end(kafka.connection(), starts):
            if record.key is not None and record.value is not None:
                keys[record.key] = decode_key(record.value)

    retry_while_leaderless(kafka.connection(), read)
    return sorted(keys.values(), key=lambda key: (key.tenant, key.name, key.created_at))


def make_key(settings: Settings, wanted: WriteKey) -> NewKey:
    """
    Make the key that is *wanted*, whose id and digest are yet to come; return once Kafka has confirmed it.

    Raises ConfigError for a tenant, source or topic that does not exist, KeyNameError for a name that opens
    already, and KafkaAwayError.
    """
    _check(settings, wanted)
    if any(key.opens_at(wanted.created_at) for key in _named(settings, wanted.tenant, wanted.name)):
        raise KeyNameError(
            f"tenant {wanted.tenant!r} has a key {wanted.name!r}: give another name, or rotate that one with "
            "`bellbuoy keys rotate`"
        )
    made = _with_secret(wanted)
    _write(settings, [made.key])
    return made


def rotate_keys(
    settings: Settings, tenant: str, name: str, *, old_until: int, now: int, author: str
) -> NewKey:
    """
    Make another key like the newest of that name; the older ones open until a time, UTC milliseconds.

    Raises KeyNameError where no key of that name opens anything, and KafkaAwayError.
    """
    opening = _opening(settings, tenant, name, now)
    made = _with_secret(replace(opening[-1], created_at=now, expires_at=0, author=author))
    ends = [replace(key, expires_at=min(key.expires_at or old_until, old_until)) for key in opening]
    _write(settings, [made.key, *ends])
    return made


def revoke_keys(settings: Settings, tenant: str, name: str, *, now: int, author: str) -> list[WriteKey]:
    """
    Revoke every key of a name, or the one with this id; return those that opened until now.

    Raises KeyNameError where there is none, and KafkaAwayError.
    """
    revoked = [replace(key, revoked_at=now, author=author) for key in _opening(settings, tenant, name, now)]
    _write(settings, revoked)
    return revoked


def _check(settings: Settings, wanted: WriteKey) -> None:
    known = settings.gateway.tenants
    if wanted.tenant not in known:
        raise ConfigError(f"no tenant {wanted.tenant!r} in gateway.tenants (there are: {', '.join(known)})")
    if not re.fullmatch(KEY_NAME, wanted.name):
        raise ConfigError(f"the name {wanted.name!r}: use 1 to 63 of a-z, 0-9, _ and -, the first no sign")
    for what, given, choices in (
        ("source", wanted.sources, _KEYED_SOURCES),
        ("topic", wanted.topics, OFFERED_TOPICS),
    ):
        for unknown in sorted(given - set(choices)):
            raise ConfigError(f"no {what} {unknown!r} that takes keys: there are {', '.join(choices)}")


def _named(settings: Settings, tenant: str, name: str) -> list[WriteKey]:
    return [key for key in read_keys(settings) if key.tenant == tenant and name in (key.name, key.id)]


def _opening(settings: Settings, tenant: str, name: str, now: int) -> list[WriteKey]:
    opening = [key for key in _named(settings, tenant, name) if key.opens_at(now)]
    if not opening:
        raise KeyNameError(
            f"tenant {tenant!r} has no key {name!r} that opens anything: see `bellbuoy keys list`; a key of "
            "the settings is taken out there"
        )
    return opening


def _with_secret(wanted: WriteKey) -> NewKey:
    secret = new_secret(wanted.scope)
    digest = digest_of(secret)
    return NewKey(secret, replace(wanted, id=key_id(digest), digest=digest))


def _write(settings: Settings, keys: Iterable[WriteKey]) -> None:
    topics = settings.kafka.topics()
    name = topics.name(KEYS_TOPIC)
    records = (
        NewRecord(name, partition_of(at, topics.partitions), at, encode_key(key))
        for key in keys
        for at in [key.record_key()]
    )
    write_records(settings, records, _SECONDS)
