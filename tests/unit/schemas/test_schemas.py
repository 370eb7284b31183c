"""Schemas are stable: an id keeps its meaning, old bytes stay readable, changes are compatible."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.partitioner import murmur2

from schemas.codec.envelope import ENVELOPE_SUBJECT
from schemas.codec.errors import UndecodableError, UnknownSchemaError
from schemas.codec.record_codec import RECORDS, Codec, codec
from schemas.codec.registry import Entry, committed, entries
from schemas.identity.keys import account_key, partition_of, split_key, valid_account, valid_tenant
from schemas.records import UsageEnvelope, UsageEvent
from tests.support.schema_compatibility import faults

GOLDEN = Path(__file__).parents[2] / "data" / "golden"
SUBJECTS: dict[str, tuple[Any, Codec[Any]]] = {
    **{f"{topic}-value": (record, codec(topic)) for topic, record in RECORDS.items()},
    ENVELOPE_SUBJECT: (UsageEnvelope, Codec("usage.events", committed(), UsageEnvelope)),
}


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.file)
def test_old_bytes_stay_readable(entry: Entry) -> None:
    """Golden bytes of every version decode to the record in the file beside them."""
    golden = GOLDEN / entry.file.removesuffix(".avsc")
    type_, reader = SUBJECTS[entry.subject]
    record = msgspec.json.decode(golden.with_name(f"{golden.name}.json").read_bytes(), type=type_)
    assert reader.decode(golden.with_name(f"{golden.name}.avro").read_bytes()) == record


@pytest.mark.parametrize("subject", sorted(SUBJECTS))
def test_records_have_the_fields_of_their_schema(subject: str) -> None:
    schema = committed().readers[subject]
    assert [f["name"] for f in schema["fields"]] == list(SUBJECTS[subject][0].__struct_fields__)


def test_an_envelope_holds_the_newest_usage_event() -> None:
    """The usage decoder reads its items as it reads usage events."""
    newest = committed().readers
    items = newest[ENVELOPE_SUBJECT]["fields"][0]["type"]["items"]
    assert items["fields"] == newest["usage.events-value"]["fields"]


def test_every_version_can_be_read_by_every_later_one() -> None:
    newest = committed().readers
    for entry in entries():
        assert faults(committed().writers[entry.id], newest[entry.subject]) == []


def _usage() -> dict[str, Any]:
    return copy.deepcopy(committed().readers["usage.events-value"])


def test_a_new_field_with_a_default_is_compatible() -> None:
    after = _usage()
    after["fields"].append({"name": "os", "type": ["null", "string"], "default": None})
    assert faults(_usage(), after) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["fields"].append({"name": "os", "type": "string"}),
        lambda s: s["fields"][0].update(type="long"),
        lambda s: s["fields"][7].update(name="title"),
        lambda s: s.update(name="bellbuoy.Other"),
    ],
    ids=["no default", "type changed", "renamed", "record renamed"],
)
def test_an_incompatible_change_is_refused(change: Any) -> None:
    after = _usage()
    change(after)
    assert faults(_usage(), after)


@pytest.mark.parametrize("data", [None, b"", b"\1\0\0\0\1x", b"\0\0\0", b"\0\0\0\0\1", b"\0\0\0\0\1\xff\xff"])
def test_garbage_is_undecodable(data: bytes | None) -> None:
    with pytest.raises(UndecodableError):
        codec("usage.events").decode(data)


def test_an_unknown_id_is_named_in_the_error() -> None:
    with pytest.raises(UnknownSchemaError, match="id 255"):
        codec("usage.events").decode(b"\0\0\0\0\xffx")


def test_bytes_left_over_and_other_subjects_are_refused() -> None:
    record = UsageEvent(
        event_id="1", tenant="t", account_id="a", source="s", occurred_at=1, received_at=2, name="n"
    )
    data = codec("usage.events").encode(record)
    assert codec("usage.events").decode(data) == record
    with pytest.raises(UndecodableError, match="left over"):
        codec("usage.events").decode(data + b"x")
    with pytest.raises(UndecodableError, match="carries"):
        codec("support.events").decode(data)


@pytest.mark.parametrize("length", range(40))
def test_the_partitioner_is_kafkas(length: int) -> None:
    key = bytes(range(length))
    assert partition_of(key, 7) == (murmur2(key) & 0x7FFFFFFF) % 7


def test_a_key_is_made_of_a_tenant_and_an_account_and_splits_into_them() -> None:
    assert split_key(account_key("acme", "a:b")) == ("acme", "a:b")
    assert valid_tenant("acme-1")
    assert not any(map(valid_tenant, ("", "Acme", "a:b", "-a", "a" * 64)))
    assert valid_account("Äcme 1")
    assert not any(map(valid_account, ("", " ", "a\n", "a" * 257, "\0")))
