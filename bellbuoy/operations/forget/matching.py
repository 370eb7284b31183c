"""Matcher of the records that are about the subject of an erasure, on any topic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bellbuoy.operations.forget.subject import ForgottenSubject, keys_of
from bellbuoy.operations.payload_events import mapped
from gateway.http.errors import Fault
from gateway.sources.registry import WEBHOOKS
from schemas.codec.envelope import Envelopes
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import RECORDS, codec
from schemas.codec.registry import Registry
from schemas.identity.keys import account_key
from schemas.identity.naming import named_by
from schemas.inputs import USAGE
from schemas.records import DeadLetter, RawPayload
from schemas.topics import RAW_TOPIC
from streams.deadletters.reader import decoded_value
from streams.kafka.record import KafkaRecord

__all__ = ["SubjectMatcher"]

_SOURCES = {source.name: source for source in WEBHOOKS}


class SubjectMatcher:
    """Matches records by key, by ids in their fields, and by the 32-bit hash of a person in usage cells."""

    def __init__(self, subject: ForgottenSubject, topics: Any, registry: Registry) -> None:
        self._topics, self._registry = topics, registry
        self._tenant = subject.tenant
        self._keys = keys_of(subject)
        self._ids = frozenset(subject.ids)
        self._person = None if subject.person is None else subject.person.to_bytes(4, "little")
        self._accounts = frozenset([*subject.known_in, *subject.erased_in])
        self._needles = [text.encode() for text in subject.ids]
        self._words: re.Pattern[str] = named_by(subject.ids)
        self._envelopes = Envelopes(registry)
        self._letters = codec("events.deadletter", registry)
        self._payloads = codec(RAW_TOPIC, registry)

    def matches(self, topic: str, record: KafkaRecord) -> bool:
        """Tell whether a record of a topic (its name without prefix) holds something of the subject."""
        value = record.value
        if value is None:
            return False
        if record.key in self._keys:
            return True
        near = topic == RAW_TOPIC or any(needle in value for needle in self._needles)
        hashed = topic == "account.journal" and self._person is not None and self._person in value
        if not near and not hashed:
            return False
        if topic == "events.deadletter":
            return self._letter_matches(value)
        if topic == RAW_TOPIC:
            return self._payload_matches(value)
        if topic not in RECORDS:
            return near and self._raw_matches(value)
        try:
            fields = self._decoded(topic, value)
        except SchemaError:
            return near
        return self._mentions(fields, self._tenant) or (hashed and self._used(fields))

    def _letter_matches(self, value: bytes) -> bool:
        try:
            letter: DeadLetter = self._letters.decode(value)
        except SchemaError:
            return self._raw_matches(value)
        if letter.tenant not in (None, self._tenant):
            return False
        if letter.key in self._keys:
            return True
        original = decoded_value(letter, self._topics, self._registry)
        if original is None:
            return self._raw_matches(letter.value or b"")
        return self._mentions(original, letter.tenant) or self._words.search(letter.detail) is not None

    def _payload_matches(self, value: bytes) -> bool:
        """Tell whether a webhook names the subject, or makes an event of it today."""
        try:
            payload: RawPayload = self._payloads.decode(value)
        except SchemaError:
            return self._raw_matches(value)
        if payload.tenant != self._tenant:
            return False
        if self._raw_matches(payload.body):
            return True
        source = _SOURCES.get(payload.source)
        return source is not None and any(
            account_key(event.tenant, event.account_id) in self._keys
            or getattr(event, "user_id", None) in self._ids
            for event in mapped(source, payload, tests=True)
            if not isinstance(event, Fault)
        )

    def _decoded(self, topic: str, value: bytes) -> Any:
        if topic == USAGE.topic:
            return self._envelopes.unpack(value)
        return codec(topic, self._registry).decode_fields(value)

    def _raw_matches(self, value: bytes) -> bool:
        """Tell whether the ids are words of bytes that no schema describes, such as JSON or MessagePack."""
        return self._words.search(value.decode("utf-8", "replace")) is not None

    def _mentions(self, value: Any, tenant: str | None) -> bool:
        """Tell whether a text of the subject's tenant equals one of its ids."""
        if isinstance(value, str):
            return tenant in (None, self._tenant) and value in self._ids
        if isinstance(value, Mapping):
            tenant = value.get("tenant", tenant)
            return any(self._mentions(each, tenant) for each in value.values())
        if isinstance(value, bytes):
            return any(needle in value for needle in self._needles)
        return isinstance(value, Iterable) and any(self._mentions(each, tenant) for each in value)

    def _used(self, batch: Mapping[str, Any]) -> bool:
        """Tell whether a cell of the person's accounts counts the person."""
        cells = (
            cell["users"]
            for cell in batch["usage"]
            if cell["tenant"] == self._tenant and cell["account_id"] in self._accounts
        )
        return any(users[at : at + 4] == self._person for users in cells for at in range(0, len(users), 4))
