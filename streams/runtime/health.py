"""HTTP server of a role's health and metrics: ``/livez``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from importlib.metadata import version
from socket import AF_INET, AF_INET6
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from prometheus_client import Info, make_wsgi_app

from schemas.readiness import Readiness

__all__ = ["Health", "HealthServerError"]

_BUILD = Info("bellbuoy_build", "The release that runs.", ["role"])


class HealthServerError(Exception):
    """
    The health endpoint can't be opened; the message names the address.

    Operator action: free the port or set the role's ``metrics_port`` to another one (0 takes a free one).
    """


class Health:
    """
    Liveness and readiness of one role, and the server that answers them.

    A role is live while its last ``heartbeat`` is younger than ``stale_seconds``, and ready when it has set
    at least one condition and all of them hold. Every method may be called from any thread.
    """

    def __init__(self, role: str, stale_seconds: float = 15.0) -> None:
        self.role = role
        self._stale_seconds = stale_seconds
        self._heartbeat_at = time.monotonic()
        # The reason why each condition does not hold; None where it holds.
        self._conditions: dict[str, str | None] = {}
        self._server: WSGIServer | None = None
        _BUILD.labels(role=role).info({"version": version("bellbuoy")})

    def heartbeat(self) -> None:
        """Note that the role's loop has gone round once more."""
        self._heartbeat_at = time.monotonic()

    def set_condition(self, name: str, ok: bool, reason: str = "") -> None:
        """Set one readiness condition; ``reason`` says why it does not hold."""
        self._conditions[name] = None if ok else reason or "not yet"

    def readiness(self) -> Readiness:
        """Return the conditions that do not hold now."""
        conditions = dict(self._conditions) or {"started": "starting"}
        failing = {name: reason for name, reason in conditions.items() if reason is not None}
        return Readiness(self.role, failing)

    def serve(self, host: str, port: int) -> int:
        """
        Answer HTTP on ``host:port`` from a daemon thread and return the bound port; 0 takes a free one.

        Raises HealthServerError when the address can't be bound.
        """
        try:
            server = make_server(host, port, self._respond, _server_class(host), handler_class=_QuietHandler)
        except OSError as error:
            raise HealthServerError(
                f"{self.role}: health and metrics can't listen on {host}:{port}: {error.strerror or error}; "
                f"free the port or set another metrics_port for {self.role}"
            ) from error
        self._server = server
        threading.Thread(target=server.serve_forever, name=f"health-{self.role}", daemon=True).start()
        return server.server_port

    def close(self) -> None:
        """Stop answering and free the port; harmless when not serving."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def _respond(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        route = {"/metrics": _METRICS, "/livez": self._livez, "/readyz": self._readyz}.get(
            environ.get("PATH_INFO", ""), _not_found
        )
        return route(environ, start)

    def _livez(self, _: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        age = time.monotonic() - self._heartbeat_at
        live = age < self._stale_seconds
        body = {"live": live, "role": self.role, "seconds_since_beat": round(age, 3)}
        return _json(start, HTTPStatus.OK if live else HTTPStatus.SERVICE_UNAVAILABLE, orjson.dumps(body))

    def _readyz(self, _: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        readiness = self.readiness()
        return _json(start, HTTPStatus(readiness.status), readiness.encode())


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keep scrapes out of the log."""


_METRICS: Callable[..., Iterable[bytes]] = make_wsgi_app()


def _server_class(host: str) -> type[WSGIServer]:
    return type("_Server", (_Server,), {"address_family": AF_INET6 if ":" in host else AF_INET})


def _not_found(_: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    body = orjson.dumps({"error": "ask for /metrics, /livez or /readyz"})
    return _json(start, HTTPStatus.NOT_FOUND, body)


def _json(start: Callable[..., Any], status: HTTPStatus, body: bytes) -> Iterable[bytes]:
    start(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
    return [body]
