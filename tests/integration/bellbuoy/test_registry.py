"""A Confluent-compatible registry over real HTTP; the server here answers the documented part of the API."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest

from bellbuoy.errors import ConfigError
from bellbuoy.operations.registry import RegistryError, registry
from bellbuoy.settings import KafkaSettings, Settings
from schemas.codec.errors import UndecodableError, UnknownSchemaError
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed, entries
from tests.support.output_records import health


class Server(ThreadingHTTPServer):
    """Ids, subjects and refusals as the API's documentation has them, below /apis/ccompat/v7."""

    daemon_threads = True

    def __init__(self) -> None:
        self.schemas: list[dict[str, Any]] = []
        self.subjects: dict[str, set[int]] = {}
        self.requests: list[str] = []
        self.fail: int | None = None
        super().__init__(("127.0.0.1", 0), Handler)

    def id_of(self, subject: str, schema: dict[str, Any]) -> int:
        if schema not in self.schemas:
            self.schemas.append(schema)
        schema_id = 100_000 + self.schemas.index(schema)
        self.subjects.setdefault(subject, set()).add(schema_id)
        return schema_id


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = re.fullmatch(r"/apis/ccompat/v7/subjects/([^/]+)/versions(\?.*)?", self.path)
        assert found, self.path
        schema = {"schema": body["schema"], "schemaType": body.get("schemaType", "AVRO")}
        self.answer({"id": self.server.id_of(unquote(found[1]), schema)})

    def do_GET(self) -> None:
        found = re.fullmatch(r"/apis/ccompat/v7/schemas/ids/(\d+)(\?.*)?", self.path)
        assert found, self.path
        index = int(found[1]) - 100_000
        if 0 <= index < len(self.server.schemas):
            self.answer(self.server.schemas[index])
        else:
            self.answer({"error_code": 40403, "message": "Schema not found"}, 404)

    def answer(self, body: dict[str, Any], status: int = 200) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        if self.server.fail is not None:
            status, body = self.server.fail, {"error_code": 40901, "message": "refused for a test"}
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


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


def test_unknown_and_foreign_ids_are_the_records_fault(server: Server) -> None:
    served = registry(settings(server))
    clock = codec("simulation.clock", served)
    kinds: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"schema": '{"type":"object"}', "schemaType": "JSON"}, UnknownSchemaError),
        ({"schema": '"string"', "schemaType": "AVRO", "references": [{"name": "x"}]}, UnknownSchemaError),
        ({"schema": "not json", "schemaType": "AVRO"}, UnknownSchemaError),
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
        "from bellbuoy.operations.registry import registry\n"
        "from bellbuoy.settings import Settings, KafkaSettings\n"
        "registry(Settings(kafka=KafkaSettings(registry_url='http://127.0.0.1:1')))\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert "uv sync --extra registry" in done.stderr
