"""The contract of the gateway as documents: what it accepts, with examples, and its OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import msgspec

from gateway.sources.registry import SOURCES, WEBHOOKS
from gateway.sources.samples import Sample, load_samples
from gateway.sources.source import WebhookSource
from gateway.sources.typed.forms import Form
from schemas.codec.registry import Registry
from schemas.inputs import OFFERED_TOPICS

__all__ = ["contracts", "openapi"]

_REFUSALS = {
    "400": "Nothing was accepted; the pointer names the field at fault.",
    "401": "The key is unknown, or the signature does not match.",
    "413": "The body, an event or the batch is too large.",
    "503": "Kafka is away, or too much is under way: send all of it again after Retry-After seconds.",
}
_TRACKING = {
    "/v1/track": "One Segment track call.",
    "/v1/identify": "One Segment identify call.",
    "/v1/group": "One Segment group call.",
    "/v1/page": "One Segment page call.",
    "/v1/screen": "One Segment screen call.",
    "/v1/alias": "One Segment alias call.",
    "/v1/batch": "Several Segment calls.",
    "/i/v0/e": "One PostHog event.",
    "/batch": "Several PostHog events.",
}


def contracts(registry: Registry) -> dict[str, Any]:
    """Return what the gateway accepts: sources with their routes, proofs and examples, and typed topics."""
    return {
        "version": version("bellbuoy"),
        "sources": [_source(source) for source in WEBHOOKS] + [_keyed(name) for name in _keyed_names()],
        "topics": {topic: _topic_schema(topic, registry) for topic in OFFERED_TOPICS},
        "dry_run": "with ?dry_run=true events are judged, each with its result, and nothing is kept",
    }


def openapi(registry: Registry) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of the routes for events."""
    schemas = {_component(topic): _topic_schema(topic, registry) for topic in OFFERED_TOPICS}
    typed = {
        f"/v1/events/{topic}": _operation(
            f"Typed events of {topic}, one or a list.",
            _one_or_list(_ref(_component(topic))),
            "server_key",
            results=True,
        )
        for topic in OFFERED_TOPICS
    }
    several: dict[str, Any] = {"type": "array", "items": {"type": "object", "required": ["topic"]}}
    free: dict[str, Any] = {"type": "object"}
    paths = {
        **{path: _operation(about, free, "write_key") for path, about in _TRACKING.items()},
        "/v1/cloudevents": _operation("CloudEvents 1.0.", _one_or_list(free), "server_key", results=True),
        "/v1/events": _operation("Typed events of several topics.", several, "server_key", results=True),
        **typed,
        **{f"{source.path}/{{tenant}}": _webhook(source) for source in WEBHOOKS},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Bellbuoy gateway",
            "version": version("bellbuoy"),
            "description": "Events about accounts. 200 means that Kafka has confirmed every event.",
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Results": _RESULTS, "Refusal": _REFUSAL},
            "securitySchemes": {
                "write_key": {"type": "http", "scheme": "basic", "description": "A write key as user name."},
                "server_key": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "A server key as user name.",
                },
            },
        },
    }


_REFUSAL: dict[str, Any] = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {name: {"type": "string"} for name in ("code", "message", "pointer")},
}
_RESULTS: dict[str, Any] = {
    "type": "object",
    "required": ["accepted", "rejected", "results"],
    "properties": {
        "accepted": {"type": "integer"},
        "rejected": {"type": "integer"},
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["status"],
                "properties": {
                    "status": {"enum": ["accepted", "rejected"]},
                    **{name: {"type": "string"} for name in ("event_id", "message", "pointer")},
                },
            },
        },
    },
}


def _source(source: WebhookSource) -> dict[str, Any]:
    scheme, samples = source.signature_scheme(), load_samples(source.name)
    return {
        "name": source.name,
        "title": source.title,
        "path": f"{source.path}/{{tenant}}",
        "proof": {"header": scheme.header, "scheme": scheme.about, "setting": source.secrets_key},
        "published": samples.published,
        "examples": [_example(sample) for sample in samples.samples],
    }


def _keyed_names() -> list[str]:
    webhooks = {source.name for source in WEBHOOKS}
    return [source.name for source in SOURCES if source.name not in webhooks and source.name != "api"]


def _keyed(name: str) -> dict[str, Any]:
    title = next(source.title for source in SOURCES if source.name == name)
    samples = load_samples(name)
    return {
        "name": name,
        "title": title,
        "path": samples.samples[0].path,
        "proof": {"key": f"{samples.samples[0].scope} key"},
        "published": samples.published,
        "examples": [_example(sample) for sample in samples.samples],
    }


def _example(sample: Sample) -> dict[str, Any]:
    return {
        "name": sample.name,
        "says": sample.says,
        "headers": dict(sample.headers),
        "body": sample.body.decode(),
        "becomes": [dict(record) for record in sample.becomes],
    }


def _topic_schema(topic: str, registry: Registry) -> dict[str, Any]:
    """Return the JSON Schema of a typed event."""
    document = msgspec.json.schema(Form(topic, registry).struct)
    (schema,) = document["$defs"].values()
    for field in schema["properties"].values():
        if field.get("default") == "":  # an empty text stands for a field that is left out
            del field["default"]
    return dict(schema)


def _webhook(source: WebhookSource) -> dict[str, Any]:
    scheme = source.signature_scheme()
    media = {
        sample.media_type: {"schema": {"type": ["object", "array"]}}
        for sample in load_samples(source.name).samples
    }
    tenant = {"name": "tenant", "in": "path", "required": True, "schema": {"type": "string"}}
    proof = {
        "name": scheme.header,
        "in": "header",
        "required": False,
        "description": scheme.about,
        "schema": {"type": "string"},
    }
    parameters = [tenant] if scheme.header == "authorization" else [tenant, proof]
    responses = {
        "200": {"description": "Every event is durable, or says nothing about health."}
    } | _refusals()
    return {
        "post": {
            "summary": f"Webhooks of {source.title}.",
            "operationId": f"webhook_{source.name}",
            "parameters": parameters,
            "requestBody": {"required": True, "content": media},
            "responses": responses,
        }
    }


def _operation(about: str, schema: Mapping[str, Any], key: str, *, results: bool = False) -> dict[str, Any]:
    accepted: dict[str, Any] = {"description": "Every event is durable."}
    responses: dict[str, Any] = {"200": accepted}
    if results:
        accepted["content"] = {"application/json": {"schema": _ref("Results")}}
        responses["207"] = accepted | {"description": "Some events are durable; each has its result."}
    body = {"required": True, "content": {"application/json": {"schema": dict(schema)}}}
    return {
        "post": {
            "summary": about,
            "security": [{key: []}],
            "requestBody": body,
            "responses": responses | _refusals(),
        }
    }


def _refusals() -> dict[str, Any]:
    content = {"application/json": {"schema": _ref("Refusal")}}
    return {status: {"description": about, "content": content} for status, about in _REFUSALS.items()}


def _one_or_list(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"oneOf": [dict(schema), {"type": "array", "items": dict(schema)}]}


def _component(topic: str) -> str:
    return topic.replace(".", "_")


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
