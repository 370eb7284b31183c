"""Connections of the real server: bad HTTP, slow or too many peers, and what is rare but good."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from gateway.http.protocol import MAX_HEAD_BYTES
from tests.support.gateway_client import KEY, basic
from tests.support.served_gateway import Server, served

BODY = json.dumps({"userId": "u", "event": "e", "context": {"groupId": "g"}}).encode()


def head(*headers: str, line: str = "POST /v1/track HTTP/1.1", key: dict[str, str] = KEY) -> bytes:
    lines = [line, "Host: gateway", *(f"{name}: {value}" for name, value in key.items()), *headers]
    return "\r\n".join([*lines, "", ""]).encode()


GOOD = head(f"Content-Length: {len(BODY)}") + BODY


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as server:
        yield server


def answer(connection: socket.socket) -> tuple[int, Any]:
    """Read one answer with a length."""
    reader = connection.makefile("rb")
    status = int(reader.readline().split()[1])
    headers = {}
    while line := reader.readline().strip():
        name, _, value = line.partition(b":")
        headers[name.lower()] = value.strip()
    return status, json.loads(reader.read(int(headers[b"content-length"])))


def closed(connection: socket.socket) -> bool:
    """Tell whether the peer closes the connection, after whatever it still sends."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (head().replace(b"\r\n", b"\n"), 400, "invalid_http"),
        (head("X: a\nY: b"), 400, "invalid_http"),
        (head(line="POST /v1/track HTTP/9.9"), 400, "invalid_http"),
        (head(line="POST /v1/track HTTP/2.0"), 505, "http_version"),
        (head(line="POST /v1/track HTTP/0.9"), 505, "http_version"),
        (head("Transfer-Encoding: chunked", "Content-Length: 3"), 400, "invalid_http"),
        (head("Content-Length: 3", "Content-Length: 4"), 400, "invalid_http"),
        (head("X: a", " folded"), 400, "invalid_http"),
        (head(line="CONNECT other:80 HTTP/1.1"), 405, "method_not_allowed"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "invalid_http"),
        (head("X: " + "x" * MAX_HEAD_BYTES), 431, "head_too_large"),
        (head("Transfer-Encoding: chunked") + b"1\r\nx\r\n" * 1_000, 400, "small_chunks"),
    ],
)
def test_what_is_no_good_http_is_refused_as_json_and_closed(
    server: Server, sent: bytes, status: int, code: str
) -> None:
    with server.connect() as connection:
        connection.sendall(sent)
        answered, body = answer(connection)
        assert (answered, body["code"]) == (status, code)
        assert body["message"]
        assert closed(connection)


@pytest.mark.parametrize(
    "sent",
    [
        GOOD,
        head("Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\nTrailer: x\r\n\r\n" % (len(BODY), BODY),
        head("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", f"Content-Length: {len(BODY)}") + BODY,
    ],
    ids=["length", "chunked", "offers HTTP/2"],
)
def test_good_requests_are_taken_one_after_another_on_a_connection(server: Server, sent: bytes) -> None:
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(sent)
            assert answer(connection) == (200, {"success": True})


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (GOOD + b"and more", 200),
        (GOOD + GOOD + b"\0", 200),
        (head("Content-Length: 3") + BODY, 400),
        (head() + BODY, 400),
    ],
    ids=["rubbish behind it", "behind the second", "a length too small", "no length"],
)
def test_a_request_is_answered_whatever_follows_it(server: Server, sent: bytes, status: int) -> None:
    with server.connect() as connection:
        connection.sendall(sent)
        assert answer(connection)[0] == status
        assert closed(connection)


def test_headers_behind_a_chunked_body_are_not_kept(server: Server) -> None:
    with server.connect() as connection:
        start = head("Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
        connection.sendall(start + b"X: y\r\n" * 100_000 + b"\r\n")
        assert answer(connection)[0] == 200


def test_slow_and_silent_connections_are_closed() -> None:
    with served(head_seconds=3.0, body_seconds=1.0) as server, ExitStack() as stack:
        silent, slow_head, slow_body, unread = (stack.enter_context(server.connect()) for _ in range(4))
        slow_head.sendall(GOOD[:20])
        slow_body.sendall(GOOD[:-1])
        unread.sendall(head("Content-Length: 100", key=basic("nobody")) + b"{")
        assert answer(slow_head)[1]["code"] == "slow_head"
        assert answer(slow_body)[1]["code"] == "slow_body"
        assert answer(unread)[0] == 401
        for connection in (silent, slow_head, slow_body, unread):
            assert closed(connection)


def test_slow_connections_keep_out_nobody() -> None:
    """Forty silent or slow connections, where ten are allowed: each new sender is answered at once."""
    with served(max_connections=10, head_seconds=600, body_seconds=600) as server, ExitStack() as stack:
        slow = []
        for number in range(40):
            slow.append(stack.enter_context(server.connect()))
            slow[-1].sendall((b"", GOOD[:30], GOOD[:-5])[number % 3])
            with server.connect() as good:
                good.sendall(GOOD)
                assert answer(good)[0] == 200
        assert closed(slow[0])
        assert len(server.server.server_state.connections) <= 11
