"""Ports of a stack's parts: where each listens, chosen and checked before anything is started."""

from __future__ import annotations

from dataclasses import dataclass

from bellbuoy.errors import ConfigError
from bellbuoy.local.embedded.ports import HOST, claim
from bellbuoy.local.servers import LOCAL_HOSTS, SinkServer, sink_servers
from bellbuoy.settings import Settings

__all__ = ["PortPlan", "PortUse", "plan_ports", "role_address", "with_listener", "with_role_port"]

_PORT_KEYS = {
    "gateway": ("gateway", "host", "port"),
    "journal": ("journal", "metrics_host", "metrics_port"),
    "worker": ("worker", "metrics_host", "metrics_port"),
    "deliver": ("delivery", "metrics_host", "metrics_port"),
    "poll": ("poll", "metrics_host", "metrics_port"),
    "console": ("console", "host", "port"),
}
"""For each role, the area of its settings and its keys for the host and port that answer ``/readyz``."""


@dataclass(frozen=True, slots=True)
class PortUse:
    """The address of a part; ``fix`` tells an operator how to change the port."""

    host: str
    port: int
    fix: str


@dataclass(frozen=True, slots=True)
class PortPlan:
    """The addresses of all parts; ``settings`` have the same ports."""

    settings: Settings
    kafka: PortUse
    servers: dict[SinkServer, PortUse]
    roles: dict[str, PortUse]


def role_address(settings: Settings, role: str) -> tuple[str, int]:
    """Return the host and port where a role answers ``/readyz`` and ``/metrics``."""
    area, host, port = _PORT_KEYS[role]
    own = getattr(settings, area)
    return getattr(own, host), getattr(own, port)


def with_role_port(settings: Settings, role: str, port: int) -> Settings:
    """Return the settings with another port for a role."""
    area, _, key = _PORT_KEYS[role]
    return settings.model_copy(update={area: getattr(settings, area).model_copy(update={key: port})})


def with_listener(settings: Settings, descriptor: int) -> Settings:
    """Return the settings with an inherited listening socket for the gateway."""
    return settings.model_copy(
        update={"gateway": settings.gateway.model_copy(update={"listen_fd": descriptor})}
    )


def plan_ports(settings: Settings) -> PortPlan:
    """
    Return the port of every part; a port 0 in the settings becomes a free one.

    Raises ConfigError when the settings name servers elsewhere, PortTakenError for a port in use.
    """
    faults = _servers_elsewhere(settings)
    if faults:
        raise ConfigError(
            "`up` starts its own servers on this machine; with others, start the roles one by one "
            "(`bellbuoy gateway`, `journal`, `worker`, `deliver`), or correct:\n"
            + "\n".join(f"  - {fault}" for fault in faults)
        )
    used: dict[int, str] = {}

    def use(part: str, host: str, port: int, fix: str) -> PortUse:
        if port in used:
            raise ConfigError(f"port {port} is given to {used[port]} and to {part}: {fix}")
        claimed = claim(port, part, fix)
        while claimed in used:  # two requests for a free port can return the same one
            claimed = claim(port, part, fix)
        used[claimed] = part
        return PortUse(host, claimed, fix)

    kafka = use(
        "Kafka",
        HOST,
        int(settings.kafka.bootstrap.rsplit(":", 1)[1]),
        f"set kafka.bootstrap (BELLBUOY_KAFKA__BOOTSTRAP) to {HOST}:<another port>",
    )
    planned = settings.model_copy(
        update={
            "data": settings.data.absolute(),
            "kafka": settings.kafka.model_copy(update={"bootstrap": f"{HOST}:{kafka.port}"}),
        }
    )
    servers = {}
    for server in sink_servers(settings):
        servers[server] = use(server.title, HOST, server.port(settings), server.fix)
        planned = server.with_port(planned, servers[server].port)
    roles = {}
    for role, (area, _, key) in _PORT_KEYS.items():
        if role == "poll" and not settings.poll.pulls():
            continue
        part = f"the {role}" if role in ("gateway", "console") else f"{role}'s metrics"
        fix = f"set {area}.{key} (BELLBUOY_{area.upper()}__{key.upper()}) to another"
        roles[role] = use(part, *role_address(settings, role), fix)
        planned = with_role_port(planned, role, roles[role].port)
    return PortPlan(planned, kafka, servers, roles)


def _servers_elsewhere(settings: Settings) -> list[str]:
    brokers = settings.kafka.bootstrap.split(",")
    faults = []
    if len(brokers) != 1 or brokers[0].rsplit(":", 1)[0] not in LOCAL_HOSTS:
        faults.append(f"kafka.bootstrap: must be {HOST}:<port> (got {settings.kafka.bootstrap!r})")
    if (protocol := settings.kafka.security_protocol) != "PLAINTEXT":
        faults.append(f"kafka.security_protocol: must be PLAINTEXT (got {protocol!r})")
    return faults + [fault for server in sink_servers(settings) if (fault := server.elsewhere(settings))]
