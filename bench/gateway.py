"""Events a second through the front door: batches and single calls, answered after Kafka has them."""

from __future__ import annotations

import argparse
import base64
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection

from bench.broker import broker, fresh_topics
from bench.roles import Role, running

__all__ = ["Accepted", "measure"]

_CONNECTIONS = 8
_SHAPES = ((1, 4_000), (100, 1_000))
_ACCOUNTS = 1_000
_HEADERS = {
    "Authorization": "Basic " + base64.b64encode(b"demo-write-key:").decode(),
    "Content-Type": "application/json",
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """Events accepted a second in requests of so many, over how many connections."""

    batch: int
    connections: int
    events_per_s: float

    def __str__(self) -> str:
        return (
            f"{self.batch:,} events a request over {self.connections} connections: "
            f"{self.events_per_s:,.0f} events/s"
        )


def measure() -> Iterator[Accepted]:
    """Post to a gateway of its own, from threads of this process; raises RuntimeError at any refusal."""
    with (
        broker() as (kafka, folder),
        running("gateway", kafka.bootstrap, fresh_topics(kafka.bootstrap), folder) as gateway,
    ):
        _post(gateway, [_body(10, "warm", number) for number in range(200)])
        for batch, requests in _SHAPES:
            bodies = [_body(batch, f"b{batch}", number) for number in range(requests)]
            yield Accepted(batch, _CONNECTIONS, batch * requests / _post(gateway, bodies))


def _body(events: int, name: str, number: int) -> bytes:
    first = number * events
    calls = [
        {
            "type": "track",
            "messageId": f"{name}-{one}",
            "userId": f"user-{one % 50}",
            "event": "Report Exported",
            "properties": {"feature": "reports", "duration_ms": 1200},
            "context": {"groupId": f"acct-{one % _ACCOUNTS:04d}"},
        }
        for one in range(first, first + events)
    ]
    return json.dumps({"batch": calls} if events > 1 else calls[0]).encode()


def _post(gateway: Role, bodies: list[bytes]) -> float:
    """Post them over all connections at once and return the seconds."""
    refused: list[str] = []
    path = "/v1/batch" if bodies[0].startswith(b'{"batch"') else "/v1/track"

    def some(mine: list[bytes]) -> None:
        connection = HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        for body in mine:
            connection.request("POST", path, body, _HEADERS)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200:
                refused.append(f"{answer.status} {said.decode()}")
                return
        connection.close()

    threads = [
        threading.Thread(target=some, args=(bodies[first::_CONNECTIONS],)) for first in range(_CONNECTIONS)
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
    argparse.ArgumentParser(prog="bench.gateway", description="Events a second at the door.").parse_args()
    for accepted in measure():
        print(accepted, flush=True)


if __name__ == "__main__":
    main()
