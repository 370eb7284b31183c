"""What a stranger's request may cost: the work grows with its size, never with a trick in it."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from gateway.http import body as body_module
from gateway.http import json_decoding
from gateway.http.body import MAX_GZIP_MEMBERS, MAX_UNPROVEN_GZIP_BYTES, gunzip
from gateway.http.errors import HttpError
from gateway.http.json_decoding import well_formed
from gateway.sources.segment import calls
from tests.support.gateway_client import KEY, GatewayClient

GZIP = {"content-encoding": "gzip"}


@pytest.fixture
def gateway() -> GatewayClient:
    return GatewayClient()


@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch"])
@pytest.mark.parametrize(
    "body",
    [
        b'{"a":"\\ud' + rb"\\" * 200_000 + b'"}',
        b'{"a":"' + rb"\ud800" * 80_000 + b'"}',
        b'{"batch":[' + b"1," * 200_000 + b"1]}",
        b"{" + b'"a":1,' * 80_000 + b'"b":1}',
        b'{"writeKey":' + b"[" * 400 + b"]" * 400 + b"}",
        b'{"writeKey":{' + b'"a":1,' * 80_000 + b'"b":1}}',
        b'{"writeKey":"' + b"k" * 500_000 + b'"}',
    ],
)
def test_nothing_but_the_key_is_read_of_a_strangers_body(
    gateway: GatewayClient, path: str, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("work before the key is known")

    for name in ("well_formed", "decode_batch"):
        monkeypatch.setattr(f"gateway.sources.segment.endpoint.{name}", never)
    monkeypatch.setattr(calls.CALL_DECODER, "read", never)
    answer = gateway.post(path, body, {})

    assert answer.status in (400, 401)


def test_a_bad_signature_is_refused_before_the_body_is_parsed(
    gateway: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("work before the sender is proven")

    monkeypatch.setattr("gateway.sources.webhook.well_formed", never)
    assert gateway.post("/webhooks/stripe/acme", b"{}", {"stripe-signature": "t=1,v1=0"}).status == 401


class CountingMatches:
    """A regular expression that notes what it replaces with: a text costs nothing for each match."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self._pattern = pattern
        self.replacements: list[bytes | Callable[..., bytes]] = []

    def sub(self, replacement: bytes | Callable[..., bytes], data: bytes, most: int) -> bytes:
        self.replacements.append(replacement)
        return self._pattern.sub(replacement, data, most)


def test_text_is_repaired_in_one_pass_without_a_call_for_each_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = CountingMatches(json_decoding._UNPAIRED)
    monkeypatch.setattr(json_decoding, "_UNPAIRED", counting)

    well_formed(b'{"a":"\\ud800' + rb"\\" * 1000 + b'"}')
    assert counting.replacements == [rb"\\ufffd"]


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        (rb"\ud83d", rb"\ufffd"),
        (rb"\udc00\ud83d\udc00", rb"\ufffd\ud83d\udc00"),
        (rb"\uD83D\uD83D\uDC00\uDC00", rb"\ufffd\uD83D\uDC00\ufffd"),
        (rb"\\ud83d", rb"\\ud83d"),
        (rb"\\\ud83d\\", rb"\\\ufffd\\"),
        (rb"\ud83d\\\udc00", rb"\ufffd\\\ufffd"),
        (rb"\ud83d\u0041", rb"\ufffd\u0041"),
        (b"\\ud83d\xff", b"\\ud83d\xff"),
    ],
)
def test_half_pairs_are_replaced_and_nothing_else(text: bytes, repaired: bytes) -> None:
    assert well_formed(text) == repaired


def test_a_body_of_halves_is_refused_without_repairing_each(gateway: GatewayClient) -> None:
    halves = b'{"batch":[],"a":"%b"}'

    assert gateway.post("/v1/batch", halves % (rb"\ud800" * 10_000), KEY).status == 200
    assert gateway.post("/v1/batch", halves % (rb"\ud800" * 10_001), KEY).status == 400


@pytest.mark.parametrize("element", [b"1", b"{}", b'""', b"[]", b"[[]]"])
def test_of_a_batch_of_tiny_elements_no_more_than_allowed_are_kept(
    gateway: GatewayClient, element: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("kept every element of a batch that is refused")

    monkeypatch.setattr(calls._BATCHES, "read", never)
    answer = gateway.post("/v1/batch", b'{"batch":[' + b",".join([element] * 80_000) + b"]}", KEY)
    assert (answer.status, answer.json["pointer"]) == (413, "/batch")


def test_a_batch_with_many_commas_is_taken(gateway: GatewayClient) -> None:
    call = b'{"type":"track","userId":"u","event":"e","context":{"groupId":"g"},"properties":{"a":[%b]}}'
    body = b'{"batch":[' + b",".join([call % b",".join([b"1"] * 10_000)] * 8) + b"]}"

    assert body.count(b",") > 50_000
    assert gateway.post("/v1/batch", body, KEY).status == 200


def unpack(data: bytes, limit: int = 512_000) -> bytes:
    return asyncio.run(gunzip(data, limit))


def test_gzip_members_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(*args: Any, **options: Any) -> Any:
        made.append(1)
        return decompressobj(*args, **options)

    decompressobj = zlib.decompressobj
    monkeypatch.setattr(body_module.zlib, "decompressobj", counted)
    assert unpack(gzip.compress(b"a") * MAX_GZIP_MEMBERS) == b"a" * MAX_GZIP_MEMBERS
    made.clear()
    with pytest.raises(HttpError, match="more than 16 gzip members"):
        unpack(gzip.compress(b"") * 25_000)
    assert len(made) == MAX_GZIP_MEMBERS


def test_other_requests_get_their_turn_while_much_is_decompressed() -> None:
    async def run() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        await gunzip(gzip.compress(bytes(range(256)) * 1_500, 0), 512_000)
        task.cancel()
        return turns

    assert asyncio.run(run()) >= 5


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 5_000])
def test_zeros_after_gzip_are_taken(tail: bytes) -> None:
    assert unpack(gzip.compress(b"abc") + tail) == b"abc"
    with pytest.raises(HttpError):
        unpack(gzip.compress(b"abc") + tail + b"x")


def test_a_large_compressed_body_needs_the_key_in_the_header(gateway: GatewayClient) -> None:
    call = {"userId": "u", "event": "e", "context": {"groupId": "g"}, "type": "track", "writeKey": "key-1"}
    plain = json.dumps({"batch": [call], "writeKey": "key-1"}).encode().ljust(100_000)
    packed = gzip.compress(plain, 0)

    assert len(packed) > MAX_UNPROVEN_GZIP_BYTES
    assert gateway.post("/v1/batch", packed, KEY | GZIP).status == 200
    refused = gateway.post("/v1/batch", packed, GZIP)
    assert (refused.status, refused.json["code"]) == (413, "too_large")
    assert "Authorization" in refused.json["message"]
    assert gateway.post("/v1/batch", gzip.compress(plain), GZIP).status == 200
