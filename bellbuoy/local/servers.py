"""Registry of the servers that ``up`` runs beside Kafka: one for each sink that needs a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from bellbuoy.local.embedded import PortTakenError, Postgres, Redis
from bellbuoy.local.embedded.ports import HOST, claim
from bellbuoy.local.embedded.server import EmbeddedServer
from bellbuoy.settings import Settings
from sinks.postgres.settings import PostgresSettings
from sinks.settings import SinkSettings

__all__ = [
    "LOCAL_HOSTS",
    "SINK_SERVERS",
    "SinkServer",
    "sink_servers",
    "with_installed_servers",
]


LOCAL_HOSTS = (HOST, "localhost")
"""Names of this machine in an address."""


class _Embed(Protocol):
    def __call__(self, folder: Path, *, port: int, log: Path, fix: str) -> EmbeddedServer: ...


@dataclass(frozen=True, slots=True)
class SinkServer:
    """
    Server of one sink; the ``url`` of the sink's section in the settings is its address.

    ``name`` is that of the section, ``title`` that in messages. ``usual_url`` is the address where people
    expect the server. ``installed`` says whether the packages of a server are there that not everybody has.
    """

    name: str
    title: str
    usual_url: str
    embed: _Embed
    installed: Callable[[], bool] = lambda: True

    @property
    def variable(self) -> str:
        """The variable that sets the address."""
        return f"BELLBUOY_{self.name.upper()}__URL"

    @property
    def fix(self) -> str:
        """What an operator does to move the server to another port."""
        usual = urlsplit(self.usual_url)
        return f"set {self.name}.url ({self.variable}) to {usual.scheme}://{HOST}:<another port>{usual.path}"

    def url(self, settings: Settings) -> str:
        """Return the address that the settings give."""
        url: str = getattr(settings, self.name).url
        return url

    def port(self, settings: Settings) -> int:
        """Return the port that the settings give; 0 for any free one."""
        port = urlsplit(self.url(settings)).port
        return (urlsplit(self.usual_url).port or 0) if port is None else port

    def with_port(self, settings: Settings, port: int) -> Settings:
        """Return the settings with the address on this machine and this port."""
        path = urlsplit(self.url(settings)).path or urlsplit(self.usual_url).path
        user = f"{usual.username}@" if (usual := urlsplit(self.usual_url)).username else ""
        url = f"{usual.scheme}://{user}{HOST}:{port}{path}"
        section = getattr(settings, self.name).model_copy(update={"url": url})
        return settings.model_copy(update={self.name: section})

    def elsewhere(self, settings: Settings) -> str | None:
        """Return what is wrong with an address that is not on this machine, else ``None``."""
        usual = urlsplit(self.usual_url)
        try:
            url = urlsplit(self.url(settings))
            _ = url.port  # raises for one that is no number
            if (
                url.scheme == usual.scheme
                and url.hostname in LOCAL_HOSTS
                and url.username in (None, usual.username)
                and not url.password
            ):
                return None
        except ValueError:
            pass
        return f"{self.name}.url: must be {usual.scheme}://{HOST}:<port>{usual.path}, without a password"


SINK_SERVERS = (
    SinkServer("redis", "Redis", "redis://127.0.0.1:6379/0", Redis),
    SinkServer(
        "postgres",
        "Postgres",
        "postgresql://bellbuoy@127.0.0.1:5432/bellbuoy",
        Postgres,
        Postgres.installed,
    ),
)
"""Every server there is."""


def sink_servers(settings: Settings) -> Iterator[SinkServer]:
    """Yield the servers of the sinks that the settings use."""
    for server in SINK_SERVERS:
        if isinstance(getattr(settings, server.name, None), SinkSettings):
            yield server


def with_installed_servers(settings: Settings) -> Settings:
    """
    Return the settings with a section for each server that is installed and that they leave open.

    It has its usual port, or a free one where another process listens there: nobody asked for this server.
    """
    for server in SINK_SERVERS:
        if getattr(settings, server.name, False) is None and server.installed():
            section = PostgresSettings(url=server.usual_url)  # the only one that may be left open
            settings = settings.model_copy(update={server.name: section})
            try:
                claim(server.port(settings), server.title, server.fix)
            except PortTakenError:
                settings = server.with_port(settings, 0)
    return settings
