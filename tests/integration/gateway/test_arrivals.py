"""The command that shows what arrives at a gateway, at a real one."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx2

from gateway.settings import GatewaySettings
from tests.support.served_gateway import served
from tests.support.waiting import until


def test_what_arrives_is_shown_a_line_of_json_each() -> None:
    with served(GatewaySettings()) as gateway:
        command = ["sources", "tail", "demo-server-key", "--url", gateway.url, "--count", "2", "--json"]
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "bellbuoy", *command], stdout=subprocess.PIPE, text=True
        ) as process:

            def ended() -> bool:
                for call in (
                    {"userId": "user-7", "event": "Exported", "context": {"groupId": "acme-inc"}},
                    {"anonymousId": "a-1", "event": "Exported"},
                ):
                    httpx2.post(f"{gateway.url}/v1/track", json=call, auth=("demo-server-key", ""))
                return process.poll() is not None

            try:
                until(ended, what="two arrivals")
            finally:
                process.kill()
            assert process.stdout is not None
            shown = [json.loads(line) for line in process.stdout]
    assert process.returncode == 0
    assert sorted((one["became"], one.get("account_id")) for one in shown) == [
        ("accepted", "acme-inc"),
        ("dead letter", None),
    ]
    assert {one["topic"] for one in shown} == {"usage.events"}
