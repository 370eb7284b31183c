"""Health and metrics endpoints over real HTTP."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from streams.runtime.health import Health, HealthServerError


@pytest.fixture
def vitals() -> Iterator[Health]:
    vitals = Health("tested", stale_seconds=0.2)
    yield vitals
    vitals.close()


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def failing(port: int) -> tuple[int, Any]:
    status, body = ask(port, "/readyz")
    return status, json.loads(body)["failing"]


def test_live_only_while_the_beat_is_fresh(vitals: Health) -> None:
    port = vitals.serve("127.0.0.1", 0)
    vitals.beat()

    assert ask(port, "/livez")[0] == 200
    time.sleep(0.25)
    assert ask(port, "/livez")[0] == 503
    vitals.beat()
    assert ask(port, "/livez")[0] == 200


def test_ready_when_every_condition_holds(vitals: Health) -> None:
    port = vitals.serve("127.0.0.1", 0)

    assert failing(port) == (503, {"started": "starting"})
    vitals.set("broker", True)
    vitals.set("redis", False, "connection refused")
    assert failing(port) == (503, {"redis": "connection refused"})
    vitals.set("redis", True)
    assert failing(port) == (200, {})


def test_metrics_name_the_build(vitals: Health) -> None:
    port = vitals.serve("127.0.0.1", 0)

    status, body = ask(port, "/metrics")

    assert status == 200
    assert 'bellbuoy_build_info{role="tested",version="' in body


def test_unknown_path_is_404(vitals: Health) -> None:
    assert ask(vitals.serve("127.0.0.1", 0), "/")[0] == 404


def test_taken_port_is_a_clear_error(vitals: Health) -> None:
    port = vitals.serve("127.0.0.1", 0)

    with pytest.raises(HealthServerError, match=rf"127\.0\.0\.1:{port}.*metrics_port"):
        Health("second").serve("127.0.0.1", port)


def test_close_frees_the_port(vitals: Health) -> None:
    port = vitals.serve("127.0.0.1", 0)
    vitals.close()
    second = Health("second")

    assert second.serve("127.0.0.1", port) == port
    second.close()
