"""Throughput of the gateway: batches and single calls, answered after Kafka has acknowledged them."""

from __future__ import annotations

import argparse
import base64
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection

from bench.processes.broker import broker, fresh_topics
from bench.processes.roles import MeasuredProcess, running_role

__all__ = ["Accepted", "measure"]

_SHAPES = ((1, 4_000, 8), (1, 8_000, 64), (100, 1_000, 8))
"""Events a request, requests and connections: few connections that wait, many of a page each, and batches."""
_ACCOUNTS = 1_000
_HEADERS = {
    "Authorization": "Basic " + base64.b64encode(b"demo-write-key:").decode(),
    "Content-Type": "application/json",
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    Events accepted in a second, in requests of ``batch`` events over several connections.

    ``events_per_cpu_s`` counts the gateway's own processor time alone, also that of librdkafka's threads:
    the senders and Kafka share the machine.
    """

    batch: int
    connections: int
    events_per_s: float
    events_per_cpu_s: float

    def __str__(self) -> str:
        return (
            f"{self.batch:,} events a request over {self.connections} connections: "
            f"{self.events_per_s:,.0f} events/s, "
            f"{self.events_per_cpu_s:,.0f} in a second of the gateway's processor time"
        )


def measure() -> Iterator[Accepted]:
    """Post to a new gateway from threads of this process; raise RuntimeError when it refuses anything."""
    with (
        broker() as (kafka, folder),
        running_role("gateway", kafka.connection, fresh_topics(kafka.connection), folder) as gateway,
    ):
        _post(gateway, [_body(10, "warm", number) for number in range(200)], connections=8)
        for batch, requests, connections in _SHAPES:
            bodies = [_body(batch, f"b{batch}-{connections}", number) for number in range(requests)]
            events, before = batch * requests, gateway.cpu_seconds()
            seconds = _post(gateway, bodies, connections)
            cpu_seconds = gateway.cpu_seconds() - before
            yield Accepted(batch, connections, events / seconds, events / cpu_seconds)


def _body(events: int, name: str, number: int) -> bytes:
    first = number * events
    calls = [
        {
            "type": "track",
            "messageId": f"{name}-{n}",
            "userId": f"user-{n % 50}",
            "event": "Report Exported",
            "properties": {"feature": "reports", "duration_ms": 1200},
            "context": {"groupId": f"acct-{n % _ACCOUNTS:04d}"},
        }
        for n in range(first, first + events)
    ]
    return json.dumps({"batch": calls} if events > 1 else calls[0]).encode()


def _post(gateway: MeasuredProcess, bodies: list[bytes], connections: int) -> float:
    """Post them over so many connections at once and return the seconds."""
    refused: list[str] = []
    path = "/v1/batch" if bodies[0].startswith(b'{"batch"') else "/v1/track"

    def post_some(mine: list[bytes]) -> None:
        connection = HTTPConnection(gateway.url.removeprefix("http://"), timeout=30)
        for body in mine:
            connection.request("POST", path, body, _HEADERS)
            answer = connection.getresponse()
            body_of_answer = answer.read()
            if answer.status != 200:
                refused.append(f"{answer.status} {body_of_answer.decode()}")
                return
        connection.close()

    threads = [
        threading.Thread(target=post_some, args=(bodies[first::connections],)) for first in range(connections)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused:
        raise RuntimeError(f"the gateway refused: {refused[0]}")
    return time.perf_counter() - began


def main() -> None:
    """Print a line for each shape of request."""
    argparse.ArgumentParser(
        prog="bench.gateway", description="Events a second through the gateway."
    ).parse_args()
    for accepted in measure():
        print(accepted, flush=True)


if __name__ == "__main__":
    main()
