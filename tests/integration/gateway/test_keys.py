"""Keys made by the command open and close at a running gateway, and a genuine client obeys a quota."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from segment.analytics.client import Client

from bellbuoy.operations.write_keys import KeyNameError, make_key, read_keys, revoke_keys, rotate_keys
from bellbuoy.times import now
from gateway.keys.api_keys import ApiKeys
from gateway.metrics import KEY_REFUSALS
from gateway.settings import GatewaySettings
from schemas.connection import Connection
from schemas.identity.write_keys import WriteKey, digest_of, key_id
from schemas.times import HOUR
from schemas.topics import Topics
from tests.support.changelog import read_topic
from tests.support.role_processes import role_settings
from tests.support.served_gateway import served, served_on_kafka
from tests.support.waiting import until

TRACK = {"userId": "u", "event": "e", "context": {"groupId": "acme-inc"}}
SETTINGS = GatewaySettings()


def wanted(name: str, **fields: Any) -> WriteKey:
    return WriteKey(id="", tenant="demo", name=name, digest=b"", created_at=now(), **fields)


@pytest.mark.services
def test_keys_open_and_close_at_a_running_gateway(
    bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    settings = role_settings(bootstrap, topics, tmp_path)
    with served_on_kafka(bootstrap, topics, SETTINGS) as address:

        def status(secret: str) -> int:
            return httpx2.post(f"{address}/v1/track", json=TRACK, auth=(secret, "")).status_code

        first = make_key(settings, wanted("web-app"))
        until(lambda: status(first.secret) == 200, what="the new key opens")
        with pytest.raises(KeyNameError, match="rotate"):
            make_key(settings, wanted("web-app"))

        at = now()
        second = rotate_keys(settings, "demo", "web-app", old_until=at + HOUR, now=at, author="kim")
        until(lambda: status(second.secret) == 200, what="the rotated key opens")
        assert status(first.secret) == 200

        revoke_keys(settings, "demo", first.key.id, now=now(), author="kim")
        until(lambda: status(first.secret) == 401, what="the revoked key is shut")
        assert status(second.secret) == status("demo-write-key") == 200

    kept = b"".join(record.value() or b"" for record in read_topic(bootstrap, topics.name("gateway.keys")))
    assert first.secret.encode() not in kept
    assert second.secret.encode() not in kept
    assert [key.name for key in read_keys(settings)] == ["web-app", "web-app"]

    with served_on_kafka(bootstrap, topics, SETTINGS) as address:  # a new gateway reads them from the start
        assert until(lambda: status(first.secret) != 503 and status(first.secret)) == 401
        assert status(second.secret) == 200


def test_a_genuine_client_obeys_the_quota_and_loses_nothing() -> None:
    digest = digest_of("slow-key")
    keys = ApiKeys(SETTINGS.keys(), now)
    keys.replace([WriteKey(id=key_id(digest), tenant="demo", name="slow", digest=digest, per_second=100)])
    refusals = KEY_REFUSALS.labels("demo", "slow", "quota")._value
    with served(SETTINGS, keys) as gateway:
        client = Client("slow-key", host=gateway.url, upload_size=50)
        for n in range(400):
            client.track("u", "e", {"feature": str(n)}, context={"groupId": "acme-inc"})
        client.flush()
        client.join()
        arrived = {event.feature for event in gateway.sent("usage.events")}
    assert arrived == {str(n) for n in range(400)}
    assert refusals.get() > 0
