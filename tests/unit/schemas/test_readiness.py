"""What every role answers at ``/readyz``."""

from __future__ import annotations

import json

import pytest

from schemas.readiness import Readiness, decode_readiness


def test_a_role_is_ready_when_no_condition_fails() -> None:
    ready = Readiness("worker", {})

    assert (ready.ready, ready.status) == (True, 200)
    assert json.loads(ready.encode()) == {"ready": True, "role": "worker", "failing": {}}


def test_a_body_says_which_conditions_fail_and_why() -> None:
    unready = Readiness("deliver", {"kafka": "not reached yet", "redis": "connection refused"})

    assert (unready.ready, unready.status) == (False, 503)
    assert json.loads(unready.encode())["failing"] == unready.failing
    assert decode_readiness(unready.encode()) == unready


@pytest.mark.parametrize("body", [b"", b"ready", b"[]", b'{"ready": true}', b'{"failing": "kafka"}', b"\xff"])
def test_any_other_body_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_readiness(body)
