"""Start of the long-running roles, with the check of what each needs."""

from __future__ import annotations

import faulthandler
import resource
import socket
from collections.abc import Callable

import structlog

from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import LOG_CHANGED
from bellbuoy.operations.action_secrets import action_secrets
from bellbuoy.operations.kafka.registry import registry
from bellbuoy.operations.kafka.topics import require_topics
from bellbuoy.settings import Settings

__all__ = ["ROLES", "RoleError", "listen", "run_role"]

log = structlog.get_logger(__name__)

_OTHER_FILES = 256
"""Files of the gateway beside its connections: Kafka's sockets, logs, libraries."""


class RoleError(OperatorError):
    """
    A role can't start here, or can't go on; the message says why.

    Operator action: do what the message says, then start the role again; nothing is lost.
    """


class LogChangedRoleError(OperatorError):
    """
    A topic is not the log any more that a role's positions and states were taken from.

    Operator action: run the command that the message names, then start the role again.
    """

    exit_code = LOG_CHANGED


def run_role(role: str, settings: Settings, run: Callable[[Settings], None] | None = None) -> None:
    """
    Check what *role* needs, then run it until SIGTERM or SIGINT.

    A role that is none of ROLES is given with its function, and needs no Kafka to start. Raises
    KafkaAwayError, ConfigError for topics that are missing or wrong, RoleError and LogChangedRoleError.
    """
    if run is None:
        require_topics(settings)
    # A role imports its own libraries only.
    from streams.kafka.errors import LogChangedError  # noqa: PLC0415
    from streams.runtime.errors import DeliveryError  # noqa: PLC0415
    from streams.runtime.health import HealthServerError  # noqa: PLC0415

    faulthandler.enable()  # a crash in a library's native code leaves the threads' stacks in the log
    log.info("Role starts.", bootstrap=settings.kafka.bootstrap)
    try:
        (run or ROLES[role])(settings)
    except (DeliveryError, HealthServerError) as error:
        raise RoleError(str(error)) from error
    except LogChangedError as error:
        raise LogChangedRoleError(str(error)) from error
    log.info("Role ended.")


def _gateway(settings: Settings) -> None:
    import uvicorn  # noqa: PLC0415
    from prometheus_client import start_http_server  # noqa: PLC0415

    from gateway.app import build_app  # noqa: PLC0415
    from gateway.http.protocol import server_config  # noqa: PLC0415
    from gateway.metrics import REGISTRY  # noqa: PLC0415
    from gateway.privacy import PUBLISHED_KEY  # noqa: PLC0415
    from gateway.settings import GatewaySettings  # noqa: PLC0415

    kafka, http = settings.kafka, settings.gateway
    listener = (
        listen(http.host, http.port, "gateway") if http.listen_fd is None else _inherited(http.listen_fd)
    )
    if http.tenants == GatewaySettings().tenants and http.host not in ("127.0.0.1", "::1", "localhost"):
        log.warning(
            "The gateway listens beyond this machine with the demo tenant's published keys; "
            "set gateway.tenants to your own.",
            host=http.host,
        )
    if settings.privacy.hash_key.get_secret_value() == PUBLISHED_KEY and set(http.tenants) != {"demo"}:
        log.warning(
            "Hashes in place of e-mail addresses are made with the published key; set privacy.hash_key.",
        )
    if http.metrics_port is not None:
        try:
            start_http_server(http.metrics_port, http.metrics_host, REGISTRY)
        except OSError as error:
            raise RoleError(
                f"the gateway's metrics can't listen on {http.metrics_host}:{http.metrics_port} "
                f"({error.strerror or error}): free the port, or change gateway.metrics_port "
                "(BELLBUOY_GATEWAY__METRICS_PORT)"
            ) from None
    _allow_connections(http.max_connections)
    # A simulation's time is not the gateway's, so only the journal can judge what is too late.
    admission = settings.journal.admission() if settings.journal.clock == "wall" else None
    app = build_app(
        http,
        kafka.connection(),
        kafka.topics(),
        registry(settings),
        admission,
        action_secrets(settings),
        settings.privacy.policies(),
    )
    uvicorn.Server(server_config(app, http)).run(sockets=[listener])


def _journal(settings: Settings) -> None:
    from streams.journal import stage as journal  # noqa: PLC0415

    kafka = settings.kafka
    journal.run(kafka.connection(), kafka.topics(), settings.journal, registry(settings))


def _worker(settings: Settings) -> None:
    from streams.worker import stage as worker  # noqa: PLC0415

    kafka = settings.kafka
    data = settings.data.absolute() / "worker"
    worker.run(kafka.connection(), kafka.topics(), settings.worker, data, registry(settings))


def _deliver(settings: Settings) -> None:
    from bellbuoy.operations.delivery.sinks import sinks  # noqa: PLC0415
    from streams.delivery import stage as delivery  # noqa: PLC0415

    kafka = settings.kafka
    delivery.run(kafka.connection(), kafka.topics(), settings.delivery, sinks(settings), registry(settings))


def listen(host: str, port: int, role: str) -> socket.socket:
    """Return a listening socket for the gateway or the console; raise RoleError where there can be none."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise RoleError(
            f"the {role} can't listen on {host}:{port} ({error.strerror or error}): free the port, "
            f"or change {role}.host and {role}.port (BELLBUOY_{role.upper()}__PORT)"
        ) from None


def _allow_connections(connections: int) -> None:
    """Raise the soft limit of open files for so many connections, or say what is missing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + _OTHER_FILES
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, hard), hard))
    if hard < needed:
        log.warning(
            "Fewer files may be open than gateway.max_connections needs; raise the limit (ulimit -n) or "
            "lower the setting.",
            needed=needed,
            limit=hard,
        )


def _inherited(descriptor: int) -> socket.socket:
    try:
        listener = socket.socket(fileno=descriptor)
        listens = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:
        listens = 0
    if not listens:
        raise RoleError(
            f"gateway.listen_fd is {descriptor}, which is no listening socket of this process: pass one on, "
            "or leave the setting out"
        )
    return listener


ROLES: dict[str, Callable[[Settings], None]] = {
    "gateway": _gateway,
    "journal": _journal,
    "worker": _worker,
    "deliver": _deliver,
}
"""The function that runs each role of the pipeline; the names are those of the commands."""
