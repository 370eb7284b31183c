"""Sends numbered tracks to a host and prints the numbers of those that the library gave up."""

from __future__ import annotations

import sys
import time
from typing import Any

from segment.analytics.client import Client


def given_up(_error: object, batch: list[dict[str, Any]]) -> None:
    for message in batch:
        print(f"given up {message['properties']['feature']}", flush=True)  # noqa: T201 - the test reads it


host, count, pause_ms = sys.argv[1:]
client = Client(
    "demo-write-key", host=host, gzip=True, upload_size=10, upload_interval=0.5, on_error=given_up
)
for number in range(int(count)):
    client.track("u", "Report Exported", {"feature": str(number)}, context={"groupId": "acme"})
    time.sleep(int(pause_ms) / 1_000)
client.flush()
client.join()
