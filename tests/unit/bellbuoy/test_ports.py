from __future__ import annotations

import socket
from typing import Any

import pytest

from bellbuoy.errors import ConfigError
from bellbuoy.local.embedded import PortTakenError
from bellbuoy.local.ports import plan_ports
from bellbuoy.settings import Settings, load

FREE: dict[str, Any] = {
    "kafka": {"bootstrap": "127.0.0.1:0"},
    "redis": {"url": "redis://127.0.0.1:0/0"},
    "gateway": {"port": 0},
    "journal": {"metrics_port": 0},
    "worker": {"metrics_port": 0},
    "delivery": {"metrics_port": 0},
}


def settings(**changes: Any) -> Settings:
    return load(**{**FREE, **changes})


def test_a_zero_becomes_a_free_port_and_the_settings_name_it() -> None:
    placed = plan_ports(settings())
    [(server, redis)] = placed.servers.items()
    ports = [placed.kafka.port, redis.port, *(use.port for use in placed.roles.values())]

    assert 0 not in ports
    assert len(set(ports)) == 6
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
