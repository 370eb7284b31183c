"""The role `console`: listens, prints the link that signs in, and serves the pages until SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from urllib.parse import urlsplit

import structlog
import uvicorn

from bellbuoy.console.access import Access
from bellbuoy.console.app import build_app
from bellbuoy.console.links import console_url, new_link
from bellbuoy.console.request import is_loopback
from bellbuoy.errors import ConfigError
from bellbuoy.operations.roles import listen
from bellbuoy.operations.sinks import open_reader
from bellbuoy.settings import Settings

__all__ = ["serve"]

log = structlog.get_logger(__name__)

_DRAIN_SECONDS = 3


def serve(settings: Settings) -> None:
    """Serve the console until SIGTERM or SIGINT; raise ConfigError and RoleError where that can't be."""
    console = settings.console
    if not is_loopback(console.host):
        raise ConfigError(
            f"console.host: people sign in by a link that this machine prints, so it must be 127.0.0.1, ::1 "
            f"or localhost (got {console.host!r}); reach it from elsewhere through a tunnel (ssh -L)"
        )
    tenants = console.tenants or tuple(settings.gateway.tenants)
    if not tenants:
        raise ConfigError("console.tenants: name the tenants to show, as gateway.tenants has none")
    listener = listen(console.host, console.port, "console")
    port = listener.getsockname()[1]
    hosts = {"127.0.0.1", "localhost", "::1", urlsplit(console_url(settings)).hostname or ""}
    app = build_app(settings, tenants, Access(settings.data), lambda: open_reader(settings), frozenset(hosts))
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
            lifespan="on",
        ),
        app.state.stopping,
    )
    log.info("The console listens; open the link to sign in.", url=new_link(settings, port))
    server.run(sockets=[listener])
    if app.state.pictures.failure is not None:
        raise app.state.pictures.failure


class _Server(uvicorn.Server):
    """A server that ends live streams as it stops, which else would never end."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: object) -> None:
        """Note a signal to stop."""
        self._stopping.set()
        super().handle_exit(signal.Signals(sig), frame)  # type: ignore[arg-type]
