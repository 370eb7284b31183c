"""The AsyncAPI document of all topics, generated from the topic contract and the schema registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from importlib.metadata import version
from typing import Any

from schemas.codec.registry import Entry, committed, entries
from schemas.inputs import OFFERED_TOPICS
from schemas.topics import Topics, TopicSpec

__all__ = ["page"]

_BINDING = {"bindingVersion": "0.5.0"}
_AVRO = "application/vnd.apache.avro"
_PUBLISHED = (
    "account.health",
    "account.kpis",
    "risk.alerts",
    "alert.notifications",
    "events.deadletter",
)
"""What others may read; the rest is how the stages talk to each other."""

_DESCRIPTION = (
    "The Kafka topics that others write to or read from. Generated from the code by "
    "`python -m bellbuoy.docs`; a test holds it to the code. The name of each topic begins with "
    "`kafka.topic_prefix`. A record is Avro behind a zero byte and the id of its schema (Confluent's wire "
    "format), its key `tenant:account`, and murmur2 of the key gives the partition. HTTP is described by the "
    "gateway's own OpenAPI document, `/v1/openapi.json`."
)


def page() -> str:
    """Return the text of docs/reference/asyncapi.json."""
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "Bellbuoy", "version": version("bellbuoy"), "description": _DESCRIPTION},
        "defaultContentType": _AVRO,
        "servers": {"kafka": {"host": "127.0.0.1:9092", "protocol": "kafka"}},
        "channels": {spec.name: _channel(spec) for spec in _specs()},
        "operations": dict(_operation(spec.name) for spec in _specs()),
        "components": {"messages": dict(_messages())},
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _specs() -> Iterator[TopicSpec]:
    return (spec for spec in Topics().specs() if spec.name in (*OFFERED_TOPICS, *_PUBLISHED))


def _newest(topic: str) -> list[Entry]:
    """Return the newest schema of each record of a topic."""
    newest = {entry.subject: entry for entry in entries() if entry.subject.rpartition("-")[0] == topic}
    return list(newest.values())


def _name(entry: Entry) -> str:
    name: str = committed().readers[entry.subject]["name"].rpartition(".")[2]
    return name


def _channel(spec: TopicSpec) -> dict[str, Any]:
    names = [_name(entry) for entry in _newest(spec.name)]
    config: dict[str, Any] = {"cleanup.policy": spec.config["cleanup.policy"].split(",")}
    for key in ("retention.ms", "max.message.bytes"):
        if key in spec.config:
            config[key] = int(spec.config[key])
    return {
        "address": spec.name,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"kafka": {"topic": spec.name, "topicConfiguration": config, **_BINDING}},
    }


def _operation(topic: str) -> tuple[str, dict[str, Any]]:
    """Return what Bellbuoy does with a topic: it receives what others send, and sends what they may read."""
    received = topic in OFFERED_TOPICS
    channel = f"#/channels/{topic}"
    return f"{'receive' if received else 'send'}.{topic}", {
        "action": "receive" if received else "send",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{_name(entry)}"} for entry in _newest(topic)],
    }


def _messages() -> Iterator[tuple[str, dict[str, Any]]]:
    for spec in _specs():
        for entry in _newest(spec.name):
            schema = json.loads((resources.files("schemas") / "avro" / entry.file).read_text())
            yield (
                _name(entry),
                {
                    "name": _name(entry),
                    "summary": schema["doc"],
                    "contentType": _AVRO,
                    "payload": {
                        "schemaFormat": "application/vnd.apache.avro;version=1.9.0",
                        "schema": schema,
                    },
                    "bindings": {
                        "kafka": {
                            "key": {"type": "string", "description": "tenant:account"},
                            "schemaIdLocation": "payload",
                            "schemaIdPayloadEncoding": "confluent",
                            **_BINDING,
                        }
                    },
                },
            )
