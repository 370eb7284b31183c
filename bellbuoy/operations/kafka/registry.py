"""
Client for the schema registry of this deployment: the committed file, or a Confluent-compatible server.

The server's API: https://docs.confluent.io/platform/current/schema-registry/develop/api.html. Subjects
are ``<topic on the broker>-value`` and named here, so no naming strategy of a client applies.
"""

from __future__ import annotations

import threading
import time
from importlib import resources
from typing import Any

import msgspec
import structlog
from fastavro import parse_schema
from fastavro.schema import SchemaParseException, UnknownType

from bellbuoy.errors import ALL_EXTRAS, ConfigError, OperatorError
from bellbuoy.exit_codes import AWAY
from bellbuoy.kafka_settings import KafkaSettings
from bellbuoy.settings import Settings
from schemas.codec.registry import Registry, Schema, committed, entries

__all__ = ["RegistryError", "registry"]

_TIMEOUT_SECONDS = 5.0
_MISSING_SECONDS = 30.0
_MAX_MISSING_IDS = 10_000

log = structlog.get_logger(__name__)


class RegistryError(OperatorError):
    """
    The schema registry does not answer, or refuses a schema; the message says which.

    Operator action: start the registry or correct ``kafka.registry_url``; for a refused schema, see what
    is registered under the subject: another application's schema, or another release's.
    """

    exit_code = AWAY


def registry(settings: Settings) -> Registry:
    """
    Return the registry that the settings name.

    With ``kafka.registry_url`` every committed schema is registered there (a schema that is there already
    stays as it is), and the server's ids are used; the schema of an unknown id is looked up when a record
    carries it. Raises RegistryError, and ConfigError when the extra ``registry`` is not installed.
    """
    url = settings.kafka.registry_url
    return committed() if url is None else _served(url, settings.kafka)


def _served(url: str, kafka: KafkaSettings) -> Registry:
    server, topics = _Server(url, kafka), kafka.topics()
    ids: dict[str, int] = {}
    for entry in entries():  # the oldest version first, so that each subject keeps the newest one's id
        raw = (resources.files("schemas") / "avro" / entry.file).read_text()
        ids[entry.subject] = server.register(topics.name(entry.subject), raw)
    log.info("Schemas are registered.", registry=server.shown, subjects=len(ids))
    return committed().with_ids(ids, server.lookup)


class _Server:
    def __init__(self, url: str, kafka: KafkaSettings) -> None:
        try:
            import httpx2  # noqa: PLC0415 - only with the extra
            from confluent_kafka import schema_registry as client  # noqa: PLC0415
        except ImportError as error:
            raise ConfigError(
                f"kafka.registry_url needs the extra `registry` ({error.name} is missing): {ALL_EXTRAS}"
            ) from None
        self.shown = _without_password(url)
        self._errors = (client.SchemaRegistryError, httpx2.HTTPError, httpx2.InvalidURL, OSError)
        self._refusal: Any = client.SchemaRegistryError
        self._schema: Any = client.Schema
        self._lock = threading.Lock()
        self._missing: dict[int, float] = {}
        try:
            self._client: Any = client.SchemaRegistryClient.new_client(
                {"url": url, "timeout": _TIMEOUT_SECONDS, "max.retries": 2, **_access(kafka)}
            )
        except ValueError as error:
            raise ConfigError(f"kafka.registry_url: {error}; give http://host:port") from None

    def register(self, subject: str, raw: str) -> int:
        """Return the id of this schema under this subject; register the schema when it is new there."""
        try:
            schema_id: int = self._client.register_schema(subject, self._schema(raw, "AVRO"))
        except self._errors as error:
            raise RegistryError(self._message(error, f"can't register {subject}")) from error
        return schema_id

    def lookup(self, schema_id: int) -> Schema | None:
        """
        Return the Avro schema with this id, or ``None`` when there is none.

        ``None`` is cached for 30 seconds: a producer of broken records sends the same id again and again.
        """
        with self._lock:
            if self._missing.get(schema_id, 0.0) > time.monotonic():
                return None
            try:
                registered = self._client.get_schema(schema_id)
            except self._errors as error:
                if isinstance(error, self._refusal) and error.http_status_code == 404:
                    if len(self._missing) >= _MAX_MISSING_IDS:
                        self._missing.clear()
                    self._missing[schema_id] = time.monotonic() + _MISSING_SECONDS
                    return None
                # The record is not at fault: it must not become a dead letter.
                raise RegistryError(self._message(error, f"can't look up schema id {schema_id}")) from error
            return _avro(registered)

    def _message(self, error: Any, failed: str) -> str:
        if isinstance(error, self._refusal):
            return f"the schema registry {self.shown} {failed}: {error}"
        return (
            f"the schema registry {self.shown} {failed}, it doesn't answer: {error or type(error).__name__}"
        )


def _access(kafka: KafkaSettings) -> dict[str, str]:
    access = {}
    if (login := kafka.registry_login()) is not None:
        access["basic.auth.user.info"] = ":".join(login)
    if kafka.registry_ca_file is not None:
        access["ssl.ca.location"] = str(kafka.registry_ca_file)
    return access


def _avro(registered: Any) -> Schema | None:
    """
    Return the schema with full names, or ``None`` for one that is no record of plain Avro, as ours are.

    A registry gives a schema as it was registered: its name may be in two parts, name and namespace.
    """
    if registered.schema_type not in (None, "AVRO") or registered.references:
        return None
    try:
        schema = parse_schema(msgspec.json.decode(registered.schema_str))
    except (msgspec.DecodeError, SchemaParseException, UnknownType):
        return None
    return schema if isinstance(schema, dict) and "name" in schema else None


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
