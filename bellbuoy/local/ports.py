"""Which port each part of a stack takes, checked before anything is started."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from bellbuoy.local.embedded.ports import HOST, claim
from bellbuoy.settings import ConfigError, Settings
from streams.settings import DeliverySettings, JournalSettings, WorkerSettings

__all__ = ["PortPlan", "PortUse", "place"]


@dataclass(frozen=True, slots=True)
class PortUse:
    """Where a part listens, and how an operator moves it."""

    host: str
    port: int
    fix: str


@dataclass(frozen=True, slots=True)
class PortPlan:
    """Every part's spot; ``settings`` name the real ports."""

    settings: Settings
    kafka: PortUse
    redis: PortUse
    roles: dict[str, PortUse]


def place(settings: Settings) -> PortPlan:
    """
    Return where everything goes; a port 0 becomes a free one.

    Raises ConfigError when the settings name servers elsewhere, PortTakenError for a port in use.
    """
    faults = _elsewhere(settings)
    taken: dict[int, str] = {}

    def spot(what: str, host: str, port: int, fix: str) -> PortUse:
        if port in taken:
            raise ConfigError(f"port {port} is given to {taken[port]} and to {what}: {fix}")
        found = claim(port, what, fix)
        while found in taken:  # two free ones can be the same
            found = claim(port, what, fix)
        taken[found] = what
        return PortUse(host, found, fix)

    if faults:
        raise ConfigError(
            "`up` starts its own Kafka and Redis on this machine; with others, start the roles one by one "
            "(`bellbuoy gateway`, `journal`, `worker`, `deliver`), or correct:\n" + "\n".join(faults)
        )
    kafka = spot(
        "Kafka",
        HOST,
        int(settings.kafka.bootstrap.rsplit(":", 1)[1]),
        f"set kafka.bootstrap (BELLBUOY_KAFKA__BOOTSTRAP) to {HOST}:<another port>",
    )
    url = urlsplit(settings.redis.url)
    redis = spot(
        "Redis",
        HOST,
        6379 if url.port is None else url.port,
        f"set redis.url (BELLBUOY_REDIS__URL) to redis://{HOST}:<another port>/0",
    )
    streams: dict[str, JournalSettings | WorkerSettings | DeliverySettings]
    streams = {"journal": settings.journal, "worker": settings.worker, "deliver": settings.delivery}
    roles = {
        "gateway": spot(
            "the gateway",
            settings.gateway.host,
            settings.gateway.port,
            "set gateway.port (BELLBUOY_GATEWAY__PORT) to another",
        )
    }
    for role, area in streams.items():
        name = "delivery" if role == "deliver" else role
        fix = f"set {name}.metrics_port (BELLBUOY_{name.upper()}__METRICS_PORT) to another"
        roles[role] = spot(f"{role}'s metrics", area.metrics_host, area.metrics_port, fix)
    placed = settings.model_copy(
        update={
            "data": settings.data.absolute(),
            "kafka": settings.kafka.model_copy(update={"bootstrap": f"{HOST}:{kafka.port}"}),
            "redis": settings.redis.model_copy(
                update={"url": f"redis://{HOST}:{redis.port}{url.path or '/0'}"}
            ),
            "gateway": settings.gateway.model_copy(update={"port": roles["gateway"].port}),
            "journal": settings.journal.model_copy(update={"metrics_port": roles["journal"].port}),
            "worker": settings.worker.model_copy(update={"metrics_port": roles["worker"].port}),
            "delivery": settings.delivery.model_copy(update={"metrics_port": roles["deliver"].port}),
        }
    )
    return PortPlan(placed, kafka, redis, roles)


def _elsewhere(settings: Settings) -> list[str]:
    faults = []
    local = (HOST, "localhost")
    servers = settings.kafka.bootstrap.split(",")
    if len(servers) != 1 or servers[0].rsplit(":", 1)[0] not in local:
        faults.append(f"  - kafka.bootstrap: must be {HOST}:<port> (got {settings.kafka.bootstrap!r})")
    try:
        url = urlsplit(settings.redis.url)
        here = url.scheme == "redis" and url.hostname in local and not url.username and not url.password
        _ = url.port
    except ValueError:
        here = False
    if not here:
        faults.append(f"  - redis.url: must be redis://{HOST}:<port>/<database>, without a password")
    return faults
