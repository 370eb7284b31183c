"""Health and metrics endpoints over real HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from streams.runtime.health import Health, HealthServerError


@pytest.fixture
def health() -> Iterator[Health]:
    health = Health("tested", stale_seconds=20)
    yield health
    health.close()


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def readiness(port: int) -> tuple[int, Any]:
    status, body = ask(port, "/readyz")
    return status, json.loads(body)


def test_live_only_while_the_beat_is_fresh(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr("streams.runtime.health.time", SimpleNamespace(monotonic=lambda: now))
    port = health.serve("127.0.0.1", 0)
    health.heartbeat()

    assert ask(port, "/livez")[0] == 200
    now += 21
    assert ask(port, "/livez")[0] == 503
    health.heartbeat()
    assert ask(port, "/livez")[0] == 200


def test_ready_when_every_condition_holds(health: Health) -> None:
    port = health.serve("127.0.0.1", 0)

    assert readiness(port) == (
        503, {"ready": False, "role": "tested", "failing": {"started": "starting"}}
    )  # fmt: skip
    health.set_condition("broker", True)
    health.set_condition("redis", False, "connection refused")
    assert readiness(port) == (
        503, {"ready": False, "role": "tested", "failing": {"redis": "connection refused"}}
    )  # fmt: skip
    health.set_condition("redis", True)
    assert readiness(port) == (200, {"ready": True, "role": "tested", "failing": {}})


def test_metrics_name_the_build(health: Health) -> None:
    port = health.serve("127.0.0.1", 0)

    status, body = ask(port, "/metrics")

    assert status == 200
    assert 'bellbuoy_build_info{role="tested",version="' in body


def test_unknown_path_is_404(health: Health) -> None:
    assert ask(health.serve("127.0.0.1", 0), "/")[0] == 404


def test_taken_port_is_a_clear_error(health: Health) -> None:
    port = health.serve("127.0.0.1", 0)

    with pytest.raises(HealthServerError, match=rf"127\.0\.0\.1:{port}.*metrics_port"):
        Health("second").serve("127.0.0.1", port)


def test_close_frees_the_port(health: Health) -> None:
    port = health.serve("127.0.0.1", 0)
    health.close()
    second = Health("second")

    assert second.serve("127.0.0.1", port) == port
    second.close()
