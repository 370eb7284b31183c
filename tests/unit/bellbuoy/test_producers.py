"""Producers by the reports of several gateways: sums, and warnings that still hold."""

from __future__ import annotations

from typing import Any

from bellbuoy.operations.producers import merged
from schemas.producer_reports import DriftWarning, EventKind, ProducerReport
from schemas.times import DAY, HOUR

NOW = 1_780_000_000_000


def kind(event: str, last_at: int = NOW) -> EventKind:
    return EventKind(event=event, looked_at=5, last_at=last_at)


def warning(of: str, event: str = "Exported", since: int = NOW - HOUR) -> DriftWarning:
    return DriftWarning(kind=of, event=event, pointer="", message=of, since=since)


def report(gateway: str, **fields: Any) -> ProducerReport:
    values = {"events": 5, "since": NOW - DAY, "last_at": NOW, "kinds": (kind("Exported"),)} | fields
    return ProducerReport(tenant="acme", producer="segment/web", source="segment", gateway=gateway, **values)


def test_gateways_are_summed_up() -> None:
    one = report("a", since=NOW - 2 * DAY, kinds=(kind("Exported", NOW - HOUR), kind("Signed in")))
    [producer] = merged([one, report("b", events=7)], NOW)
    assert (producer.name, producer.source) == ("segment/web", "segment")
    assert (producer.events, producer.since, producer.last_at) == (12, NOW - 2 * DAY, NOW)
    assert [(each.event, each.looked_at) for each in producer.kinds] == [("Exported", 10), ("Signed in", 5)]


def test_a_warning_of_several_gateways_is_one_since_its_first() -> None:
    first, later = warning("type", since=NOW - 2 * HOUR), warning("type")
    [producer] = merged([report("a", warnings=(later,)), report("b", warnings=(first,))], NOW)
    assert producer.warnings == [first]


def test_what_one_gateway_misses_may_come_to_another() -> None:
    missed = (warning("stopped"), warning("silent", ""), warning("missing"))
    before = NOW - 2 * HOUR
    here = report("a", last_at=before, kinds=(kind("Exported", before),), warnings=missed)
    [producer] = merged([here], NOW)
    assert [each.kind for each in producer.warnings] == ["silent", "stopped", "missing"]
    [producer] = merged([here, report("b")], NOW)
    assert [each.kind for each in producer.warnings] == ["missing"]


def test_a_warning_of_a_gateway_that_is_gone_ends_after_a_day() -> None:
    [producer] = merged([report("a", warnings=(warning("type", since=NOW - DAY),))], NOW)
    assert producer.warnings == []
