from __future__ import annotations

import socket
import subprocess
import sys
from subprocess import PIPE
from typing import Any

import pytest

from bellbuoy.errors import ConfigError
from bellbuoy.local.embedded import PortTakenError, ports
from bellbuoy.local.ports import plan_ports
from bellbuoy.local.servers import sink_servers, with_installed_servers
from bellbuoy.settings import Settings, load

FREE: dict[str, Any] = {
    "kafka": {"bootstrap": "127.0.0.1:0"},
    "redis": {"url": "redis://127.0.0.1:0/0"},
    "gateway": {"port": 0},
    "journal": {"metrics_port": 0},
    "worker": {"metrics_port": 0},
    "delivery": {"metrics_port": 0},
    "console": {"port": 0},
}


def settings(**changes: Any) -> Settings:
    return load(**{**FREE, **changes})


def test_a_zero_becomes_a_free_port_and_the_settings_name_it() -> None:
    placed = plan_ports(settings())
    [(server, redis)] = placed.servers.items()
    taken = [placed.kafka.port, redis.port, *(use.port for use in placed.roles.values())]

    assert 0 not in taken
    assert len(set(taken)) == 7
    assert placed.settings.kafka.bootstrap == f"127.0.0.1:{placed.kafka.port}"
    assert placed.settings.redis.url == f"redis://127.0.0.1:{redis.port}/0"
    assert server.port(placed.settings) == redis.port
    assert placed.settings.worker.metrics_port == placed.roles["worker"].port


@pytest.mark.parametrize(
    ("area", "shape", "variable"),
    [
        ("kafka", lambda port: {"bootstrap": f"127.0.0.1:{port}"}, "BELLBUOY_KAFKA__BOOTSTRAP"),
        ("redis", lambda port: {"url": f"redis://127.0.0.1:{port}/0"}, "BELLBUOY_REDIS__URL"),
        ("gateway", lambda port: {"port": port}, "BELLBUOY_GATEWAY__PORT"),
        ("journal", lambda port: {"metrics_port": port}, "BELLBUOY_JOURNAL__METRICS_PORT"),
        ("delivery", lambda port: {"metrics_port": port}, "BELLBUOY_DELIVERY__METRICS_PORT"),
    ],
)
def test_a_taken_port_is_named_with_its_variable(area: str, shape: Any, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError) as refused:
            plan_ports(settings(**{area: shape(port)}))

    assert f"port {port} for" in str(refused.value)
    assert variable in str(refused.value)


def test_one_port_for_two_parts_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(ConfigError, match=f"port {port} is given to the gateway and to worker's metrics"):
        plan_ports(settings(gateway={"port": port}, worker={"metrics_port": port}))


def test_servers_elsewhere_are_refused_all_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        plan_ports(
            settings(
                kafka={"bootstrap": "kafka.example:9092"}, redis={"url": "rediss://:pw@redis.example:6379/0"}
            )
        )

    assert "kafka.bootstrap" in str(refused.value)
    assert "redis.url" in str(refused.value)


def test_a_server_that_is_installed_is_added_unless_the_settings_say_no() -> None:
    added = with_installed_servers(settings())

    assert [server.name for server in sink_servers(added)] == ["redis", "postgres"]
    assert [server.name for server in sink_servers(settings())] == ["redis"]
    assert [server.name for server in sink_servers(with_installed_servers(settings(postgres=False)))] == [
        "redis"
    ]
    given = settings(postgres={"url": "postgresql://127.0.0.1:1/x"})
    assert with_installed_servers(given) == given


def test_a_server_that_nobody_asked_for_makes_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(port: int, what: str, fix: str) -> int:
        raise PortTakenError(what, port, fix)

    monkeypatch.setattr("bellbuoy.local.servers.claim", taken)
    added = with_installed_servers(settings())
    assert added.postgres
    assert added.postgres.url == "postgresql://bellbuoy@127.0.0.1:0/bellbuoy"


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("postgresql://bellbuoy@127.0.0.1:5432/bellbuoy", True),
        ("postgresql://localhost/bellbuoy", True),
        ("postgresql://ann@127.0.0.1/bellbuoy", False),
        ("postgresql://bellbuoy:pw@127.0.0.1/bellbuoy", False),
        ("postgresql://db.example/bellbuoy", False),
    ],
)
def test_postgres_elsewhere_is_not_started_here(url: str, here: bool) -> None:
    [_, server] = sink_servers(settings(postgres={"url": url}))
    assert (server.elsewhere(settings(postgres={"url": url})) is None) == here


def test_two_processes_are_never_given_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    few = range(31_000, 31_100)
    monkeypatch.setattr(ports, "_SERVER_PORTS", few)
    draw = (
        f"from bellbuoy.local.embedded import ports; ports._SERVER_PORTS = {few}\n"
        "print(*(ports.free_port() for _ in range(30)), flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-P", "-c", draw], stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout is not None
        theirs = {int(port) for port in other.stdout.readline().split()}
        ours = {ports.free_port() for _ in range(30)}
        other.communicate("\n")
    assert (len(theirs), len(ours), theirs & ours) == (30, 30, set())
    again = {ports.free_port() for _ in range(30)}  # theirs are free again
    assert len(again | ours) == 60
