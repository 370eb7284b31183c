"""Write-back through delivery: changes are gathered over batches, and requests are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from bellbuoy.operations.delivery.lag import daily_use
from schemas.connection import Connection
from schemas.topics import Topics
from sinks.writeback.settings import WritebackSettings
from sinks.writeback.sink import WritebackSink
from tests.support.crm_servers import CrmServer, hubspot
from tests.support.delivery import QUICK, delivering, done, publish
from tests.support.output_records import health
from tests.support.product_source import ROOT
from tests.support.role_processes import role_settings
from tests.support.waiting import until

pytestmark = pytest.mark.services


def test_many_changes_are_a_few_calls_which_are_counted_beyond_a_restart(
    bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    with CrmServer(hubspot) as crm:

        def sink() -> WritebackSink:
            settings = WritebackSettings(
                mapping=ROOT / "docs" / "writeback" / "hubspot.yaml",
                secret="t0ken",
                url=crm.base,
                gather_seconds=3,
            )
            return WritebackSink("writeback_hubspot", settings)

        small = QUICK.model_copy(update={"batch_records": 20})
        publish(bootstrap, topics, [health(f"a{n % 40}", n, float(n % 90)) for n in range(1, 1_001)])
        with delivering(bootstrap, topics, sink(), settings=small):
            until(lambda: done(bootstrap, topics, sink()))
        first = len(crm.requests)
        assert 2 <= first <= 1_000 // 40  # its batches alone would be 50, and the first request is the check
        last = {one["id"]: one["properties"] for request in crm.requests for one in request["inputs"]}
        assert {name: each["bellbuoy_score"] for name, each in last.items()} == {
            f"a{n % 40}": float(n % 90) for n in range(1, 1_001)
        }

        settings = role_settings(bootstrap, topics, tmp_path)
        assert daily_use(settings, sink()).requests == first
        again = sink()
        publish(bootstrap, topics, [health("a1", 2_000, 1.5)])
        with delivering(bootstrap, topics, again, settings=small):
            until(lambda: done(bootstrap, topics, again))
        assert again.used().requests == len(crm.requests) > first
        assert daily_use(settings, again).requests == len(crm.requests)
