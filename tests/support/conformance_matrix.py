"""
Matrix of the conformance suite, sink by fault: `python -m tests.support.conformance_matrix --write`.

Pytest collects the tests that are marked ``conformance(fault)``: those of the suites for each sink that they
are given, and tests of one sink alone by the mark's ``sink``.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from typing import Any

import pytest

from tests.support.product_source import ROOT
from tests.support.sinks_under_test import SINKS, memory

__all__ = ["FAULTS", "PAGE", "matrix", "page"]

PAGE = ROOT / "docs" / "sinks" / "conformance.md"
_TESTS = ("tests/integration/sinks", "tests/integration/streams/test_restarts.py")

FAULTS = {
    "twice": "a record comes a second time, alone or with others",
    "order": "an older record comes after a newer one, in any order and cut into any batches",
    "refused": "a record that the destination never takes, amid others: it is named, the others are written",
    "away": "the destination is away at a write or at the start, where the check fails; it comes back",
    "hang": "the destination takes the request and does not answer",
    "reset": "the connection is reset, or the server answers 500 or is killed in the middle",
    "limit": "429 with `Retry-After`",
    "kill": "the process dies between the write and its commit; every metric is counted",
    "cleared": "the destination lost its content, or is rebuilt",
    "memory": "much is written: memory does not grow with it",
    "erasure": "an account and a person are erased; what is of later stays",
    "reconcile": "rows or keys were changed by hand: each difference is found and put right",
}
"""Each fault, with what happens; the order is that of the page."""

_NAMES = {"redis_sink": "redis", "kafka": "kafka_target", "documented": "writing.md"}


class _Collector:
    def __init__(self) -> None:
        self.sinks: dict[str, set[str]] = defaultdict(set)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for mark in item.iter_markers("conformance"):
                (fault,) = mark.args
                assert fault in FAULTS, f"{item.nodeid}: no fault {fault!r}"
                self.sinks[fault].add(mark.kwargs.get("sink") or _sink_of(item))


def _sink_of(item: Any) -> str:
    """Return the sink that a test of the suites is given."""
    parameters = [each for each in item.callspec.params.values() if callable(each)]
    assert len(parameters) == 1, item.nodeid
    name: str = parameters[0].__name__
    return _NAMES.get(name, name)


def matrix() -> dict[str, set[str]]:
    """Return the sinks that are tested under each fault."""
    collector = _Collector()
    options = [
        "--collect-only",
        "-q",
        "-q",
        "-p",
        "no:cacheprovider",
        "--no-header",
        *(str(ROOT / each) for each in _TESTS),
    ]
    code = pytest.main(options, plugins=[collector])
    assert code == 0, code
    return collector.sinks


def page(found: dict[str, set[str]]) -> str:
    """Return docs/sinks/conformance.md."""
    functions = [getattr(each, "values", [each])[0] for each in SINKS]
    names = [_NAMES.get(each.__name__, each.__name__) for each in functions if each is not memory]
    lines = [
        f"| {FAULTS[fault]} | " + " | ".join("✓" if name in found[fault] else "-" for name in names) + " |"
        for fault in FAULTS
    ]
    head = " | ".join(names)
    return f"""# Conformance

What each sink is tested under. Written from the marks of the tests by
`python -m tests.support.conformance_matrix --write`; the tests are in `tests/integration/sinks/`, and a
sink is one function and one line of `tests/support/sinks_under_test.py` ([writing a sink](writing.md)).
Servers are real: Redis, Postgres, Kafka, the engine of ClickHouse; CRMs are scripted by what their makers
document.

| fault | {head} |
| --- | {" | ".join("---" for _ in names)} |
{chr(10).join(lines)}

Where there is a dash, the sink has no part in the fault, or nothing does that yet: files of lake and
Iceberg lie on this machine here; librdkafka repeats by itself what was reset; ClickHouse and topics keep no
positions, so `bellbuoy sinks rebuild` doesn't know them; what is in a CRM is yours to erase. `writing.md` is
the sink of [that page](writing.md). [Channels](../channels/README.md) have a suite of their own.
"""


def main() -> None:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(prog="tests.support.conformance_matrix")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    text = page(matrix())
    if parser.parse_args().write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
