"""A role whose transactional id Kafka has forgotten takes its partition over again by itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bellbuoy.local.embedded import Kafka
from schemas.times import DAY
from tests.support.deployment import deployed
from tests.support.input_producer import usage

pytestmark = pytest.mark.services

START = 20_600 * DAY
FORGETFUL = {
    "transactional.id.expiration.ms": "2000",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "500",
}


def test_roles_go_on_after_their_ids_have_expired(tmp_path: Path) -> None:
    kafka = Kafka(tmp_path / "kafka", settings=FORGETFUL)
    try:
        kafka.start()
        with deployed(kafka.connection, tmp_path) as ours:
            for day in (0, 1, 2):
                events = [usage(10 * day + n, f"a{n}", START + day * DAY) for n in range(8)]
                ours.producer.send("usage.events", events)
                ours.tick(START + day * DAY)
                assert ours.applied() == 8 * (day + 1)
                time.sleep(6)  # nothing is written until the next tick
            told = {process.role: process.log.read_text() for process in ours.roles.processes}
            assert all("Transactional id expired" in text for text in told.values()), told
            assert all(process.starts == 1 and process.running for process in ours.roles.processes)
    finally:
        kafka.stop()
