"""The role `console`: listens, prints the link that signs in, and serves the pages until SIGTERM."""

from __future__ import annotations

import asyncio
import signal

import structlog
import uvicorn

from bellbuoy.console.app import build_app
from bellbuoy.console.links import console_url, new_link
from bellbuoy.errors import ALL_EXTRAS, ConfigError
from bellbuoy.operations.delivery.sinks import open_reader
from bellbuoy.operations.roles import listen
from bellbuoy.settings import Settings

__all__ = ["serve"]

log = structlog.get_logger(__name__)

_DRAIN_SECONDS = 3


def serve(settings: Settings) -> None:
    """Serve the console until SIGTERM or SIGINT; raise ConfigError and RoleError where that can't be."""
    console = settings.console
    tenants = console.tenants or tuple(settings.gateway.tenants)
    if not tenants:
        raise ConfigError("console.tenants: name the tenants to show, as gateway.tenants has none")
    listener = listen(console.host, console.port, "console")
    port = listener.getsockname()[1]
    try:
        app = build_app(settings, tenants, console_url(settings, port), lambda: open_reader(settings))
    except ModuleNotFoundError as error:
        raise ConfigError(f"console.oidc needs {error.name}: {ALL_EXTRAS}") from error
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
    if console.oidc is None:
        log.info("The console listens; open the link to sign in.", url=new_link(settings, port))
    else:
        log.info("The console listens.", url=console_url(settings, port), issuer=console.oidc.issuer)
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
