"""
Processor time of refused requests, as a table of the most expensive ones.

    python -m bench.refusals

Each request is sent to a real server on this machine, several times; counted is the time of the thread that
serves, from the first byte to the answer, in the median.
"""

from __future__ import annotations

import base64
import gzip
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from statistics import median
from typing import NamedTuple

import uvicorn

from bellbuoy import logs
from gateway.app import assemble
from gateway.http.protocol import server_config
from gateway.outbox.port import MemoryOutbox
from gateway.settings import GatewaySettings
from schemas.codec.registry import committed
from schemas.topics import Topics

__all__ = ["Refusal", "main", "measure"]

_TIMES = 9
_SHOWN = 10
_BODY = 500_000
_STRANGER, _WRITE_KEY, _SERVER_KEY = "nobody", "demo-write-key", "demo-server-key"
_CLOSED = 400
"""The status of a connection that was closed while the request was still being sent; the answer is lost."""

_GZIP = "Content-Encoding: gzip"
_STORED, _DYNAMIC = b"\x00\x00\x00\xff\xff", 2


class _Request(NamedTuple):
    name: str
    path: str
    body: bytes
    headers: tuple[str, ...] = ()
    chunk: int = 0


class Refusal(NamedTuple):
    """What a refused request costs: the bytes sent, the status of the answer, and processor time."""

    name: str
    sent_bytes: int
    status: int
    processor_ms: float


def measure() -> list[Refusal]:
    """Return every refusal, the most expensive one first; raise RuntimeError where a request is accepted."""
    settings = GatewaySettings()
    app = assemble(settings, MemoryOutbox(), Topics(), committed())
    server = uvicorn.Server(server_config(app, settings))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert thread.ident is not None
        clock = time.pthread_getcpuclockid(thread.ident)
        refusals = [_refusal(request, listener.getsockname(), clock) for request in _requests()]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
    return sorted(refusals, key=lambda refusal: -refusal.processor_ms)


def main() -> None:
    """Print the table."""
    logs.configure("error", "bench")
    print(f"| the {_SHOWN} most expensive refusals | bytes | answer | processor ms |")
    print("| --- | --- | --- | --- |")
    for refusal in measure()[:_SHOWN]:
        print(f"| {refusal.name} | {refusal.sent_bytes:,} | {refusal.status} | {refusal.processor_ms:.1f} |")


def _requests() -> Iterator[_Request]:
    plain = {
        "escaped backslashes after half a pair of surrogates": b'{"a":"\\ud' + rb"\\" * (_BODY // 2) + b'"}',
        "halves of pairs of surrogates": b'{"a":"' + rb"\ud800" * (_BODY // 6) + b'"}',
        "pairs of surrogates, and half a pair": b'{"a":"' + rb"\ud83d\ude00" * (_BODY // 12) + b'\\ud800"}',
        "a list of empty objects": b'{"batch":[' + b"{}," * (_BODY // 3) + b"1]}",
        "a list of numbers": b'{"batch":[' + b"1," * (_BODY // 2) + b"1]}",
        "many keys": b"{" + b'"a":1,' * (_BODY // 6) + b'"b":1}',
        "a key repeated": b"{" + b'"writeKey":"x",' * (_BODY // 15) + b'"b":1}',
        "a deep value": b'{"x":' + b"[" * 900 + b"]" * 900 + b"}",
        "open brackets": b'{"batch":' + b"[" * _BODY,
        "a number of many digits": b'{"sentAt":' + b"1" * _BODY + b"}",
        "a write key of many letters": b'{"writeKey":"' + b"k" * _BODY + b'"}',
        "bytes that are not UTF-8": b'{"writeKey":"' + b"\xff" * _BODY + b'"}',
        "spaces": b" " * _BODY,
    }
    for name, body in plain.items():
        yield _Request(f"{name}, no key", "/v1/batch", body)
        yield _Request(f"{name}, gzip, no key", "/v1/batch", gzip.compress(body), (_GZIP,))
        yield _Request(f"{name}, unknown key", "/v1/batch", body, (_key(_STRANGER),))
        yield _Request(f"{name}, write key", "/v1/batch", body, (_key(_WRITE_KEY),))
        yield _Request(f"{name}, bad signature", "/webhooks/stripe/demo", body, (_signature(1),))
    packed = {
        "empty gzip members": gzip.compress(b"") * (_BODY // 20),
        "empty stored blocks": _member(_STORED * (_BODY // 5)),
        "empty blocks with code tables": _member(_code_tables(_BODY)),
        "a gzip of 50 MB": gzip.compress(b" " * 50_000_000),
        "gzip that ends early": gzip.compress(b" " * _BODY)[:-5],
    }
    for name, body in packed.items():
        yield _Request(f"{name}, no key", "/v1/batch", body, (_GZIP,))
        yield _Request(f"{name}, 64 KB, no key", "/v1/batch", body[:65_000], (_GZIP,))
        yield _Request(f"{name}, 64 KB, bad signature", "/webhooks/zendesk/demo", body[:65_000], (_GZIP,))
    quoted = b'{"kind":"' + b" - at `$" * 4_000 + b'"}'
    yield _Request(
        "a typed event that quotes paths", "/v1/events/support.events", quoted, (_key(_SERVER_KEY),)
    )
    yield _Request("a typed event with a write key", "/v1/events/support.events", quoted, (_key(_WRITE_KEY),))
    yield _Request("many signatures", "/webhooks/stripe/demo", b"{}", (_signature(200),))
    yield _Request("many headers", "/v1/batch", b"{}", ("a: b",) * 2_500)
    yield _Request("small chunks", "/v1/batch", b" " * _BODY, chunk=1)
    yield _Request("chunks of 64 bytes", "/v1/batch", b" " * _BODY, chunk=64)
    yield _Request("a long path", "/v1/" + "a" * 15_000, b"")
    yield _Request("a path of slashes", "/v1" + "/a" * 7_500, b"")


def _refusal(request: _Request, address: tuple[str, int], clock: int) -> Refusal:
    data, times, status = _bytes(request), [], 0
    for _ in range(_TIMES):
        with socket.create_connection(address) as connection:
            began = time.clock_gettime(clock)
            status = _send(connection, data)
            times.append(1_000 * (time.clock_gettime(clock) - began))
    if not 400 <= status < 500:
        raise RuntimeError(f"{request.name} was answered with {status}")
    return Refusal(request.name, len(data), status, median(times))


def _send(connection: socket.socket, data: bytes) -> int:
    """Send a request, also while it is being refused, and return the status of the answer."""
    sender = threading.Thread(target=_send_all, args=(connection, data))
    sender.start()
    answer = b""
    with suppress(ConnectionResetError):
        while b"\r\n" not in answer and (part := connection.recv(65_536)):
            answer += part
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    sender.join()
    return int(answer.split()[1]) if answer else _CLOSED


def _send_all(connection: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # refused before its end, and closed
        connection.sendall(data)


def _bytes(request: _Request) -> bytes:
    size = request.chunk
    framing = "Transfer-Encoding: chunked" if size else f"Content-Length: {len(request.body)}"
    head = [f"POST {request.path} HTTP/1.1", "Host: gateway", framing, *request.headers, "", ""]
    body = request.body
    if size:
        parts = (body[at : at + size] for at in range(0, len(body), size))
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return "\r\n".join(head).encode() + body


def _key(key: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{key}:".encode()).decode()


def _signature(signatures: int) -> str:
    return f"Stripe-Signature: t={int(time.time())}" + f",v1={'0' * 64}" * signatures


def _member(deflated: bytes) -> bytes:
    """Return a gzip member of deflate blocks without content."""
    header = gzip.compress(b"")[:10]
    return header + deflated + b"\x03\x00" + struct.pack("<II", zlib.crc32(b""), 0)


def _code_tables(size: int) -> bytes:
    """
    Return deflate blocks that have nothing but code tables (RFC 1951, 3.2.7), the most expensive to read.

    A block is 91 bits long, so eight of them are whole bytes.
    """
    order = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1)
    fields = [(0, 1), (_DYNAMIC, 2), (0, 5), (0, 5), (len(order) - 4, 4)]
    fields += [(1 if symbol in (18, 1) else 0, 3) for symbol in order]
    fields += [(1, 1), (138 - 11, 7), (1, 1), (117 - 11, 7)]  # 255 symbols have no code
    fields += [(0, 1), (0, 1), (0, 1), (1, 1)]  # codes of one bit for 255, the end and a distance; the end
    bits = at = 0
    for value, width in fields * 8:
        bits |= value << at
        at += width
    unit = bits.to_bytes(at // 8, "little")
    return unit * (size // len(unit))


if __name__ == "__main__":
    main()
