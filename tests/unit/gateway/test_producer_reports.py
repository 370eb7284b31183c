"""Reports of producers: what is written of them, and when."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from gateway.drift.watch import DriftWatch
from gateway.http.sender import Sender
from gateway.outbox.port import MemoryOutbox
from gateway.outbox.producer_reports import ProducerReports
from schemas.producer_reports import ProducerReport, decode_report
from schemas.times import MINUTE
from schemas.topics import Topics
from tests.support.gateway_client import NOW

EXPORTED = {"event": "Exported", "plan": "pro"}


class Reported:
    """A watch, and the reports of it that reached an outbox."""

    def __init__(self) -> None:
        self.now = NOW
        self.outbox = MemoryOutbox()
        self.watch = DriftWatch(lambda _tenant, _warning: None)
        self._reports = ProducerReports(self.outbox, Topics("t-"), self.watch, "host:1", lambda: self.now)

    def send(self, *events: dict[str, Any], key: str = "") -> None:
        for event in events:
            self.watch.observe(Sender("acme", "segment", self.now, key), [orjson.dumps(event)])

    def write(self) -> list[ProducerReport]:
        before = len(self.outbox.records)
        asyncio.run(self._reports.write())
        new = self.outbox.records[before:]
        assert all(record.topic == "t-producer.reports" and record.events == 0 for record in new)
        return [decode_report(record.value) for record in new]


def test_what_a_producer_sends_is_written_once_and_again_when_it_changes() -> None:
    reported = Reported()
    reported.send(EXPORTED, EXPORTED)
    [first] = reported.write()
    assert (first.tenant, first.producer, first.source) == ("acme", "segment", "segment")
    assert (first.gateway, first.events, first.since, first.last_at) == ("host:1", 2, NOW, NOW)
    assert [kind.event for kind in first.kinds] == ["Exported"]
    assert reported.write() == []

    reported.send(EXPORTED)
    assert reported.write() == []  # a count alone waits for a minute
    reported.send({"event": "Signed in"})
    assert [kind.event for report in reported.write() for kind in report.kinds] == ["Exported", "Signed in"]
    reported.send(EXPORTED)
    reported.now += MINUTE
    assert [report.events for report in reported.write()] == [5]


def test_a_warning_is_written_at_once_and_so_is_its_end() -> None:
    reported = Reported()
    reported.send(*[EXPORTED] * 50)
    reported.write()
    reported.send(*[{"event": "Exported", "plan_name": "pro"}] * 50)
    [warned] = reported.write()
    [warning] = warned.warnings
    assert (warning.kind, warning.event, warning.pointer) == ("renamed", "Exported", "/plan")
    assert "/plan_name came instead" in warning.message

    reported.send(*[EXPORTED | {"plan_name": "pro"}] * 50)
    [over] = reported.write()
    assert over.warnings == ()


def test_keys_are_producers_of_their_own() -> None:
    reported = Reported()
    reported.send(EXPORTED, key="web")
    reported.send(EXPORTED)
    assert [report.producer for report in reported.write()] == ["segment/web", "segment"]
    assert len({record.key for record in reported.outbox.records}) == 2


def test_reports_that_kafka_did_not_take_are_written_later() -> None:
    reported = Reported()
    reported.send(EXPORTED)
    reported.outbox.down = True
    assert reported.write() == []
    reported.outbox.down = False
    assert len(reported.write()) == 1
