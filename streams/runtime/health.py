"""What a role tells its supervisor and Prometheus: ``/livez``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from socket import AF_INET, AF_INET6
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from prometheus_client import Info, make_wsgi_app

__all__ = ["Health", "HealthServerError"]

_BUILD = Info("bellbuoy_build", "The release that runs.", ["role"])


class HealthServerError(Exception):
    """
    The health endpoint can't be opened; the message names the address.

    Operator action: free the port or set the role's ``metrics_port`` to another one (0 takes a free one).
    """


class Health:
    """
    One role's liveness and readiness.

    A role is live while its last ``beat`` is younger than ``stale_seconds``, and ready when it has set at
    least one condition and all of them hold. Every method may be called from any thread.
    """

    def __init__(self, role: str, stale_seconds: float = 15.0) -> None:
        self.role = role
        self._stale_seconds = stale_seconds
        self._beat = time.monotonic()
        self._conditions: dict[str, tuple[bool, str]] = {}
        self._server: WSGIServer | None = None
        _BUILD.labels(role=role).info({"version": version("bellbuoy")})

    def beat(self) -> None:
        """Note that the role's loop went round."""
        self._beat = time.monotonic()

    def set(self, name: str, ok: bool, why: str = "") -> None:
        """Set one readiness condition; ``why`` says in words what is missing while it does not hold."""
        self._conditions[name] = (ok, why)

    def serve(self, host: str, port: int) -> int:
        """
        Answer HTTP on ``host:port`` from a daemon thread and return the bound port; 0 takes a free one.

        Raises HealthServerError when the address can't be bound.
        """
        try:
            server = make_server(host, port, self._answer, _server_class(host), handler_class=_Quiet)
        except OSError as error:
            raise HealthServerError(
                f"{self.role}: health and metrics can't listen on {host}:{port}: {error.strerror or error}; "
                f"free the port or set another metrics_port for {self.role}"
            ) from error
        self._server = server
        threading.Thread(target=server.serve_forever, name=f"vitals-{self.role}", daemon=True).start()
        return server.server_port

    def close(self) -> None:
        """Stop answering and free the port; harmless when not serving."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        route = {"/metrics": _METRICS, "/livez": self._livez, "/readyz": self._readyz}.get(
            environ.get("PATH_INFO", ""), _not_found
        )
        return route(environ, start)

    def _livez(self, _: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        age = time.monotonic() - self._beat
        live = age < self._stale_seconds
        body = {"live": live, "role": self.role, "seconds_since_beat": round(age, 3)}
        return _json(start, "200 OK" if live else "503 Service Unavailable", body)

    def _readyz(self, _: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        conditions = dict(self._conditions)
        failing = {name: why or "not yet" for name, (ok, why) in conditions.items() if not ok}
        if not conditions:
            failing = {"started": "starting"}
        status = "503 Service Unavailable" if failing else "200 OK"
        return _json(start, status, {"ready": not failing, "role": self.role, "failing": failing})


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keep scrapes out of the log."""


_METRICS: Callable[..., Iterable[bytes]] = make_wsgi_app()


def _server_class(host: str) -> type[WSGIServer]:
    return type("_Server", (_Server,), {"address_family": AF_INET6 if ":" in host else AF_INET})


def _not_found(_: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    return _json(start, "404 Not Found", {"error": "ask for /metrics, /livez or /readyz"})


def _json(start: Callable[..., Any], status: str, body: dict[str, Any]) -> Iterable[bytes]:
    start(status, [("Content-Type", "application/json")])
    return [orjson.dumps(body)]
