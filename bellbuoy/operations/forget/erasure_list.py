"""Writer of the list of who was erased (``schemas.identity.erasures``)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from confluent_kafka import KafkaException
from msgspec.structs import replace

from bellbuoy.operations.forget.subject import ForgottenSubject
from bellbuoy.operations.kafka.errors import kafka_away
from bellbuoy.operations.kafka.record_writing import NewRecord, write_records
from bellbuoy.settings import Settings
from schemas.identity.erasures import Erasure, Erasures, account_digest, encode_erasure, person_digest
from schemas.identity.keys import partition_of
from streams.kafka.erasure_log import ErasureLog

__all__ = ["add_to_list", "read_erasures"]

_SECONDS = 30.0
_SALT_BYTES = 16


def read_erasures(settings: Settings) -> Erasures:
    """Return the list of who was erased; raise KafkaAwayError."""
    log = ErasureLog(settings.kafka.connection(), settings.kafka.topics())
    try:
        log.catch_up()
    except KafkaException as error:
        raise kafka_away(settings.kafka.connection(), error.args[0]) from None
    finally:
        log.close()
    return log.current


def add_to_list(
    settings: Settings, subject: ForgottenSubject, erased_at: int, until: Mapping[str, int], people_until: int
) -> None:
    """
    Note that a subject is erased up to an event time; return once Kafka has confirmed it.

    ``until`` maps an account to the journal time up to which outputs about it are erased, and
    ``people_until`` is that of a person's name in outputs, and of what the person did. Raises
    KafkaAwayError.
    """
    erasures = read_erasures(settings)
    salt = erasures.salt or secrets.token_bytes(_SALT_BYTES)
    tenant, entries = subject.tenant, dict[str, Erasure]()
    for account_id in subject.account_ids:
        known = erasures.of(tenant, account_id) or Erasure(salt=salt)
        entries[account_id] = replace(known, erased_at=erased_at, until=until.get(account_id, known.until))
    for account_id in subject.known_in:
        known = entries.get(account_id) or erasures.of(tenant, account_id) or Erasure(salt=salt)
        digest = person_digest(known.salt, tenant, account_id, subject.person or 0)
        entries[account_id] = replace(known, people=known.people | {digest: people_until})
    _write(settings, {account_digest(e.salt, tenant, name): e for name, e in entries.items()})


def _write(settings: Settings, entries: Mapping[bytes, Erasure]) -> None:
    topics = settings.kafka.topics()
    name = topics.name("erased.subjects")
    records = (
        NewRecord(name, partition_of(key, topics.partitions), key, encode_erasure(entry))
        for key, entry in entries.items()
    )
    write_records(settings, records, _SECONDS)
