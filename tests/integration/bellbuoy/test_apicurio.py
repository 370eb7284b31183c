"""The registry mode against a real Confluent-compatible registry, and Confluent's own serializers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from bellbuoy.operations.kafka.registry import RegistryError, registry
from bellbuoy.settings import KafkaSettings, Settings
from schemas.codec.record_codec import codec
from schemas.codec.registry import entries
from tests.support.apicurio import apicurio
from tests.support.output_records import health

pytestmark = pytest.mark.services

PREFIX = "eu-"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with apicurio(tmp_path_factory.mktemp("apicurio")) as address:
        yield address


def registry_client(url: str) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": url, "timeout": 20})  # by default it waits for ever


def settings(url: str, prefix: str = PREFIX) -> Settings:
    return Settings(kafka=KafkaSettings(registry_url=url, topic_prefix=prefix))


def test_a_real_registry_has_every_schema_and_confluents_clients_read_and_write_with_it(url: str) -> None:
    served = registry(settings(url))
    client = registry_client(url)

    # Every subject, each with all of its versions; registering them again changes no id.
    subjects = {entry.subject for entry in entries()}
    assert {f"{PREFIX}{subject}" for subject in subjects} <= set(client.get_subjects())
    assert registry(settings(url)).ids == served.ids
    versions = [entry for entry in entries() if entry.subject == "account.health-value"]
    assert len(client.get_versions(f"{PREFIX}account.health-value")) == len(versions)

    # What we write, Confluent's deserializer reads.
    raw = codec("account.health", served).encode(health())
    topic = f"{PREFIX}account.health"
    read: Any = AvroDeserializer(client)(raw, SerializationContext(topic, MessageField.VALUE))
    assert (read["account_id"], read["score"]) == (health().account_id, health().score)

    # What Confluent's serializer writes with the registered schema, we read.
    topic = f"{PREFIX}usage.events"
    schema = client.get_latest_version(f"{topic}-value").schema
    options = {"auto.register.schemas": False, "subject.name.strategy": topic_subject_name_strategy}
    write: Any = AvroSerializer(client, schema.schema_str, conf=options)
    event = {
        "event_id": "e1", "tenant": "acme", "account_id": "a", "source": "kafka", "occurred_at": 1,
        "received_at": 2,
        "user_id": "u", "name": "Used", "feature": None, "duration_ms": None, "error": False,
        "latency_ms": None,
    }  # fmt: skip
    written = write(event, SerializationContext(topic, MessageField.VALUE))
    decoded: Any = codec("usage.events", served).decode(written)
    assert (decoded.event_id, decoded.name, decoded.user_id) == ("e1", "Used", "u")


def test_records_of_a_newer_release_are_read_by_the_schema_that_the_registry_has(url: str) -> None:
    served = registry(settings(url))
    newest = [entry for entry in entries() if entry.subject == "simulation.clock-value"][-1]
    newer = json.loads((resources.files("schemas") / "avro" / newest.file).read_text())
    newer["fields"].append({"name": "note", "type": "string", "default": ""})
    client = registry_client(url)
    number = client.register_schema(f"{PREFIX}simulation.clock-value", Schema(json.dumps(newer), "AVRO"))
    record: Any = codec("simulation.clock", served).decode(b"\0" + number.to_bytes(4, "big") + b"\x02\x04hi")
    assert record.now == 1


def test_the_registry_refuses_what_old_readers_could_not_read(url: str) -> None:
    """Ours are compatible by Confluent's own rules; another application's schema in our place is named."""
    client = registry_client(url)
    client.set_compatibility("strict-account.kpis-value", "BACKWARD_TRANSITIVE")
    assert registry(settings(url, "strict-")).ids
    foreign = {"type": "record", "name": "Other", "fields": [{"name": "needed", "type": "string"}]}
    client.set_compatibility("theirs-account.health-value", "BACKWARD")
    client.register_schema("theirs-account.health-value", Schema(json.dumps(foreign), "AVRO"))
    with pytest.raises(RegistryError, match=r"can't register theirs-account\.health-value"):
        registry(settings(url, "theirs-"))
