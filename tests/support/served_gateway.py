"""The gateway behind a real socket: on the in-memory outbox, or on a Kafka."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from gateway.app import assemble, build_app
from gateway.http.protocol import server_config
from gateway.keys.api_keys import ApiKeys
from gateway.outbox.port import MemoryOutbox
from gateway.settings import GatewaySettings
from schemas.codec.registry import committed
from schemas.connection import Connection
from schemas.topics import Topics
from tests.support.gateway_client import SETTINGS, events_in
from tests.support.waiting import until

__all__ = ["Server", "served", "served_on_kafka"]


class Server:
    """The gateway on the in-memory outbox behind a real socket."""

    def __init__(
        self, settings: GatewaySettings = SETTINGS, keys: ApiKeys | None = None, **bounds: Any
    ) -> None:
        self.outbox = MemoryOutbox()
        settings = settings.model_copy(update=bounds)
        app = assemble(settings, self.outbox, Topics(), committed(), keys=keys)
        self.server = uvicorn.Server(server_config(app, settings))
        self.listener = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def sent(self, topic: str) -> list[Any]:
        """Return the events that were sent to a topic, in envelopes or not."""
        values = [record.value for record in self.outbox.records if record.topic == topic]
        return [event for value in values for event in events_in(topic, value)]

    def connect(self) -> socket.socket:
        connection = socket.create_connection(self.listener.getsockname())
        connection.settimeout(30)
        return connection


@contextmanager
def served(
    settings: GatewaySettings = SETTINGS, keys: ApiKeys | None = None, **bounds: Any
) -> Iterator[Server]:
    """Run the gateway on the in-memory outbox on a free port."""
    served = Server(settings, keys, **bounds)
    with _running(served.server, served.listener):
        yield served


@contextmanager
def served_on_kafka(
    connection: Connection, topics: Topics, settings: GatewaySettings = SETTINGS
) -> Iterator[str]:
    """Run the gateway in a real uvicorn on a free port; yield its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = build_app(settings, connection, topics, committed())
    with _running(uvicorn.Server(server_config(app, settings)), listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def _running(server: uvicorn.Server, listener: socket.socket) -> Iterator[None]:
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        until(lambda: server.started)
        yield
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
        assert not thread.is_alive()
