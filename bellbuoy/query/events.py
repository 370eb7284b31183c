"""
The events that arrived last on the input topics, each with what happened to it.

The journal says how far it has read an input; what it has read was applied, unless it is among the dead
letters, an earlier event has its id, it was moved to the partition of its account, or it is of an account or
a person erased after it occurred.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from confluent_kafka import TopicPartition

from bellbuoy.query.batch_summary import batch_summary
from processors.intake.erased_events import is_of_erased
from schemas.codec.envelope import Envelopes
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import RECORDS, codec
from schemas.codec.registry import Registry
from schemas.connection import Connection
from schemas.identity.erasures import Erasures
from schemas.identity.keys import account_key, partition_of
from schemas.inputs import LINKS, OFFERED_TOPICS, USAGE, batch_lists
from schemas.records import AccountLink, DeadLetter, InputEvent, JournalBatch, UsageEvent
from schemas.times import DAY
from schemas.topics import Topics
from streams.deadletters.reader import DeadLetterFilter, read_dead_letters
from streams.kafka.erasure_log import ErasureLog
from streams.kafka.log_reader import end_offsets, last_record, read_to_end
from streams.kafka.record import KafkaRecord

__all__ = ["ArrivedEvent", "arrived_events", "event_ends"]

APPLIED, DUPLICATE, DEAD_LETTER = "applied", "duplicate", "dead letter"
ERASED, MOVED, WAITING = "erased", "moved", "waiting"


@dataclass(frozen=True, slots=True)
class ArrivedEvent:
    """
    One event as it arrived, and its end.

    ``offset`` is -1 for what never reached its topic, because the gateway refused it. ``what`` is the event
    in words, ``end`` is ``applied``, ``duplicate``, ``dead letter``, ``moved``, ``erased`` (it is of an
    account or a person erased after it occurred) or ``waiting`` (the journal hasn't read it yet), and ``why``
    the reason of a dead letter, whose id is ``letter``. ``at`` is when it was received, UTC milliseconds,
    ``occurred_at`` its event time where that can be read.
    """

    at: int
    topic: str
    partition: int
    offset: int
    account_id: str
    event_id: str
    source: str
    what: str
    end: str
    why: str = ""
    letter: str = ""
    occurred_at: int | None = None


def arrived_events(
    connection: Connection,
    topics: Topics,
    registry: Registry,
    tenant: str,
    account_id: str | None,
    *,
    n: int,
    look_back: int,
) -> list[ArrivedEvent]:
    """
    Return up to ``n`` events of a tenant, or of one account, that arrived last, the newest last.

    Of each partition of each input the last ``look_back`` offsets are read, so an event whose earlier copy,
    or the deletion of whose account, is further back is taken for applied. Raises KafkaException.
    """
    partitions = list(range(topics.partitions))
    if account_id is not None:
        partitions = [partition_of(account_key(tenant, account_id), topics.partitions)]
    records = list(_newest(connection, topics, partitions, look_back))
    read = _read_by_journal(connection, topics, registry, partitions)
    letters = list(read_dead_letters(connection, topics, DeadLetterFilter()))
    events = event_ends(records, topics, registry, read, letters, _erasures(connection, topics))
    found = [*events, *_refused(letters, topics)]
    wanted = [one for tenant_of, one in found if tenant_of == tenant and account_id in (None, one.account_id)]
    return sorted(wanted, key=lambda one: (one.at, one.topic, one.partition, one.offset))[-n:]


def _newest(
    connection: Connection, topics: Topics, partitions: list[int], look_back: int
) -> Iterator[KafkaRecord]:
    starts = [
        TopicPartition(topics.name(topic), number, max(0, end - look_back))
        for topic in OFFERED_TOPICS
        for number, end in end_offsets(connection, topics.name(topic), partitions).items()
        if end
    ]
    return read_to_end(connection, starts)


def _read_by_journal(
    connection: Connection, topics: Topics, registry: Registry, partitions: list[int]
) -> dict[tuple[str, int], int]:
    """Return the offset that the journal reads next, by topic and partition."""
    batches, read = codec("account.journal", registry), dict[tuple[str, int], int]()
    for number in partitions:
        last = last_record(connection, topics.name("account.journal"), number)
        if last is not None:
            read |= {(one.topic, number): one.next for one in batches.decode(last.value).offsets}
    return read


def _erasures(connection: Connection, topics: Topics) -> Erasures:
    log = ErasureLog(connection, topics)
    try:
        log.catch_up()
        return log.current
    finally:
        log.close()


def event_ends(
    records: list[KafkaRecord],
    topics: Topics,
    registry: Registry,
    read: dict[tuple[str, int], int],
    letters: list[DeadLetter],
    erasures: Erasures,
) -> Iterator[tuple[str, ArrivedEvent]]:
    """
    Yield the events in records, in the order of their offsets, each with its tenant and its end.

    ``read`` has the offset that the journal reads next, by topic and partition.
    """
    refused: dict[tuple[str, int, int], list[DeadLetter]] = defaultdict(list)
    for letter in letters:
        if letter.offset >= 0:
            refused[topics.plain(letter.topic), letter.partition, letter.offset].append(letter)
    reader, seen = _EventReader(registry), set[tuple[str, int, str, str, str]]()
    deleted = _deletions(records, topics, reader, read)
    for record in sorted(records, key=lambda one: (one.topic, one.partition, one.offset)):
        topic = topics.plain(record.topic)
        place = (topic, record.partition, record.offset)
        for event in reader.events(topic, record):
            if event is None:
                yield from (_of_letter(letter, topics) for letter in refused[place])
                continue
            identity = (topic, record.partition, event.tenant, event.source, event.event_id)
            letter_of_it = next((one for one in refused[place] if _is_of(one, event)), None)
            end, why, letter_id = APPLIED, "", ""
            if record.offset >= read.get(place[:2], 0):
                end = WAITING
            elif letter_of_it is not None:
                end, letter_id = DEAD_LETTER, letter_of_it.id
                why = f"{letter_of_it.reason}: {letter_of_it.detail}"
            elif partition_of(account_key(event.tenant, event.account_id), topics.partitions) != place[1]:
                end = MOVED
            elif _is_erased(event, erasures, deleted):
                end = ERASED
            elif identity in seen:
                end = DUPLICATE
            if end in (APPLIED, WAITING):
                seen.add(identity)
            yield event.tenant, ArrivedEvent(
                event.received_at, *place, event.account_id, event.event_id, event.source,
                _in_words(event), end, why, letter_id, event.occurred_at,
            )  # fmt: skip


def _deletions(
    records: list[KafkaRecord], topics: Topics, reader: _EventReader, read: dict[tuple[str, int], int]
) -> dict[tuple[str, str], int]:
    """Return the event times up to which accounts are deleted, by tenant and account."""
    found: dict[tuple[str, str], int] = {}
    for record in records:
        topic = topics.plain(record.topic)
        if topic != LINKS.topic or record.offset >= read.get((topic, record.partition), 0):
            continue
        for event in reader.events(topic, record):
            if isinstance(event, AccountLink) and event.deleted and event.person is None:
                key = event.tenant, event.account_id
                found[key] = max(event.occurred_at, found.get(key, -1))
    return found


def _is_erased(event: InputEvent, erasures: Erasures, deleted: dict[tuple[str, str], int]) -> bool:
    """Tell whether an event counts no more, as of an account or a person erased after it occurred."""
    if isinstance(event, AccountLink) and event.deleted:
        return False
    until = deleted.get((event.tenant, event.account_id), -1)
    if isinstance(event, UsageEvent) and until >= 0:  # a deletion takes the usage of its whole UTC day
        until = (until // DAY + 1) * DAY - 1
    return event.occurred_at <= until or is_of_erased(msgspec.structs.asdict(event), erasures)


class _EventReader:
    """Reads the events of input records; one that can't be decoded is ``None``."""

    def __init__(self, registry: Registry) -> None:
        self._codecs = {topic: codec(topic, registry) for topic in OFFERED_TOPICS}
        self._envelopes = Envelopes(registry)

    def events(self, topic: str, record: KafkaRecord) -> list[InputEvent | None]:
        """Return the events of a record, more than one where it is an envelope."""
        try:
            if topic == USAGE.topic:
                return [msgspec.convert(one, UsageEvent) for one in self._envelopes.unpack(record.value)]
            return [self._codecs[topic].decode(record.value)]
        except (SchemaError, msgspec.ValidationError):
            return [None]


def _is_of(letter: DeadLetter, event: InputEvent) -> bool:
    """Tell whether a dead letter of the event's record is the event's: an envelope may have several."""
    return event.event_id.encode() in (letter.value or b"")


def _refused(letters: list[DeadLetter], topics: Topics) -> Iterator[tuple[str, ArrivedEvent]]:
    """Yield what the gateway made a dead letter of, before it reached its topic."""
    for letter in letters:
        if letter.offset < 0 and topics.plain(letter.topic) in RECORDS:
            yield _of_letter(letter, topics)


def _of_letter(letter: DeadLetter, topics: Topics) -> tuple[str, ArrivedEvent]:
    """Return what can be read of an event in its dead letter, with its tenant."""
    fields = _json(letter.value)
    tenant, _, account = (letter.key or b"").decode("utf-8", "replace").partition(":")
    account = str(fields.get("account_id") or fields.get("groupId") or account)
    return letter.tenant or tenant, ArrivedEvent(
        letter.failed_at, topics.plain(letter.topic), letter.partition, letter.offset, account,
        str(fields.get("event_id") or fields.get("messageId") or fields.get("id") or ""),
        letter.producer or "", "", DEAD_LETTER, f"{letter.reason}: {letter.detail}", letter.id,
    )  # fmt: skip


def _json(value: bytes | None) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _in_words(event: InputEvent) -> str:
    """Return an event as a phrase."""
    if isinstance(event, UsageEvent):
        of = f" ({event.feature})" if event.feature else ""
        by = f" by {event.user_id}" if event.user_id else ""
        return f"{event.name}{of}{by}" + (", with an error" if event.error else "")
    return "; ".join(batch_summary(JournalBatch(sequence=0, written_at=0, **batch_lists([event]))))
