"""A Confluent-compatible schema registry over real HTTP, which answers the documented part of the API."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


class Server(ThreadingHTTPServer):
    """Ids, subjects and refusals as the API's documentation has them, below /apis/ccompat/v7."""

    daemon_threads = True

    def __init__(self) -> None:
        self.schemas: list[dict[str, Any]] = []
        self.subjects: dict[str, set[int]] = {}
        self.requests: list[str] = []
        self.authorizations: set[str | None] = set()
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
        self.server.authorizations.add(self.headers["Authorization"])
        if self.server.fail is not None:
            status, body = self.server.fail, {"error_code": 40901, "message": "refused for a test"}
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


@contextmanager
def serving() -> Iterator[Server]:
    """Run a registry without schemas."""
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
