"""A Confluent-compatible registry over real HTTP; the server here answers the documented part of the API."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from bellbuoy.errors import ConfigError
from bellbuoy.operations.kafka.registry import RegistryError, registry
from bellbuoy.settings import KafkaSettings, Settings, load
from schemas.codec.errors import UndecodableError, UnknownSchemaError
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed, entries
from tests.support.output_records import health
from tests.support.schema_registry import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def settings(server: Server, prefix: str = "eu-") -> Settings:
    url = f"http://user:hunter2@127.0.0.1:{server.server_address[1]}/apis/ccompat/v7"
    return Settings(kafka=KafkaSettings(registry_url=url, topic_prefix=prefix))


def test_without_a_url_it_is_the_committed_file() -> None:
    assert registry(Settings()) is committed()


def test_every_schema_is_registered_and_its_id_used(server: Server) -> None:
    served = registry(settings(server))

    subjects = {entry.subject for entry in entries()}
    assert set(server.subjects) == {f"eu-{subject}" for subject in subjects}
    for subject in subjects:
        assert served.ids[subject] in server.subjects[f"eu-{subject}"]
    raw = codec("account.health", served).encode(health())
    assert int.from_bytes(raw[1:5], "big") == served.ids["account.health-value"]
    assert codec("account.health", served).decode(raw) == health()


def test_user_and_password_are_shown_by_basic_authentication(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter:2\n")
    kafka = {
        "registry_url": f"http://127.0.0.1:{server.server_address[1]}/apis/ccompat/v7",
        "registry_username": "kim",
        "registry_password_file": str(file),
    }
    registry(load(kafka=kafka))
    assert server.authorizations == {f"Basic {b64encode(b'kim:hunter:2').decode()}"}


def test_registering_again_changes_nothing(server: Server) -> None:
    assert registry(settings(server)).ids == registry(settings(server)).ids
    assert len(server.schemas) == len(entries())


def test_an_id_of_another_release_is_looked_up_once(server: Server) -> None:
    served = registry(settings(server))
    newer = json.loads(json.dumps(committed().readers["simulation.clock-value"]))
    newer["fields"].append({"name": "note", "type": "string", "default": ""})
    schema_id = server.id_of("eu-simulation.clock-value", {"schema": json.dumps(newer), "schemaType": "AVRO"})
    raw = b"\0" + schema_id.to_bytes(4, "big") + b"\x02" + b"\x04hi"

    clock = codec("simulation.clock", served)

    assert clock.decode(raw).now == 1
    assert clock.decode(raw).now == 1
    assert sum("GET" in request for request in server.requests) == 1


def test_a_name_and_a_namespace_are_one_name(server: Server) -> None:
    """As most producers register their schemas."""
    served = registry(settings(server))
    newer = json.loads(entry_text("simulation.clock-value"))
    assert (newer["name"], newer["namespace"]) == ("ClockTick", "bellbuoy")
    newer["fields"].append({"name": "note", "type": "string", "default": ""})
    schema_id = server.id_of("eu-simulation.clock-value", {"schema": json.dumps(newer), "schemaType": "AVRO"})
    raw = b"\0" + schema_id.to_bytes(4, "big") + b"\x02" + b"\x04hi"
    assert codec("simulation.clock", served).decode(raw).now == 1


def entry_text(subject: str) -> str:
    """Return the newest schema of a subject as it is in its file."""
    newest = [entry for entry in entries() if entry.subject == subject][-1]
    return (resources.files("schemas") / "avro" / newest.file).read_text()


def test_unknown_and_foreign_ids_are_the_records_fault(server: Server) -> None:
    served = registry(settings(server))
    clock = codec("simulation.clock", served)
    kinds: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"schema": '{"type":"object"}', "schemaType": "JSON"}, UnknownSchemaError),
        ({"schema": '"string"', "schemaType": "AVRO", "references": [{"name": "x"}]}, UnknownSchemaError),
        ({"schema": "not json", "schemaType": "AVRO"}, UnknownSchemaError),
        ({"schema": '"string"', "schemaType": "AVRO"}, UnknownSchemaError),
        (
            {"schema": '{"type":"record","name":"Foreign","fields":[]}', "schemaType": "AVRO"},
            UndecodableError,
        ),
    ]

    for _ in range(3):
        with pytest.raises(UnknownSchemaError):
            clock.decode(b"\0\x7f\xff\xff\xff\x02")
    assert sum("GET" in request for request in server.requests) == 1
    for schema, fault in kinds:
        schema_id = server.id_of("foreign", schema)
        with pytest.raises(fault):
            clock.decode(b"\0" + schema_id.to_bytes(4, "big") + b"\x02")


def test_a_registry_in_trouble_is_not_the_records_fault(server: Server) -> None:
    served = registry(settings(server))
    server.fail = 500

    with pytest.raises(RegistryError, match="can't look up schema id 5"):
        codec("simulation.clock", served).decode(b"\0\0\0\0\x05\x02")


def test_a_refused_schema_is_named_without_the_password(server: Server) -> None:
    server.fail = 409

    with pytest.raises(RegistryError, match=r"can't register eu-.*-value: refused for a test") as error:
        registry(settings(server))
    assert "hunter2" not in str(error.value)
    assert "127.0.0.1" in str(error.value)


def test_nobody_listens() -> None:
    given = Settings(kafka=KafkaSettings(registry_url="http://127.0.0.1:1"))

    with pytest.raises(RegistryError, match="it doesn't answer"):
        registry(given)


def test_nonsense_for_a_url() -> None:
    with pytest.raises(ConfigError, match=r"kafka\.registry_url"):
        registry(Settings(kafka=KafkaSettings(registry_url="registry:8081")))


def test_without_the_extra_the_install_line_is_told() -> None:
    program = (
        "import sys; sys.modules['httpx2'] = None\n"
        "from bellbuoy.operations.kafka.registry import registry\n"
        "from bellbuoy.settings import Settings, KafkaSettings\n"
        "registry(Settings(kafka=KafkaSettings(registry_url='http://127.0.0.1:1')))\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert "run `make sync`, or `uv sync --all-extras`" in done.stderr
