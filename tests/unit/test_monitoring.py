"""The alert rules of Prometheus and the board of Grafana: valid, and of metrics and labels that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from bellbuoy.docs.pages.metrics import MODULES, metrics

OPS = Path(__file__).parents[2] / "ops"
EXPORTED = {metric.name: metric for role in MODULES for metric in metrics(role)}
PROMETHEUS = {"up": {"job", "instance"}, "process_resident_memory_bytes": {"job", "instance"}}
"""Series that Prometheus and its client library bring, with their labels."""
SERIES = PROMETHEUS | {
    name + suffix: {*metric.labels, *({"le"} if suffix else ())}
    for name, metric in EXPORTED.items()
    for suffix in ("", "_bucket", "_sum", "_count")
    if not suffix or metric.type == "histogram"
}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((OPS / "alerts.yml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def panels() -> list[dict[str, Any]]:
    board = json.loads((OPS / "grafana" / "dashboards" / "bellbuoy.json").read_text())
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m")


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_an_expression_asks_for_what_is_exported(where: str, expression: str) -> None:
    promql_parser.parse(expression)
    asked = re.findall(r"\b((?:bellbuoy|process)_\w+|up)\b", re.sub(r'"[^"]*"', '""', expression))
    assert asked, where
    assert set(asked) <= SERIES.keys(), where
    known = {label for name in asked for label in SERIES[name]}
    grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", expression)
    matched = re.findall(r"[{,]\s*(\w+)\s*=", expression)
    used = {label.strip() for labels in grouped for label in labels.split(",") if label.strip()} | {*matched}
    assert used <= known, where


def test_an_alert_says_whom_it_wakes_what_it_is_and_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]


def test_an_alert_of_labels_names_only_those_that_its_expression_keeps() -> None:
    for rule in rules():
        named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        kept = {label.strip() for g in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in g.split(",")}
        assert named <= kept | {"job"}, rule["alert"]


def test_pages_and_commands_that_an_alert_names_exist() -> None:
    for rule in rules():
        for page in re.findall(r"docs/[\w/.-]+\.md", rule["annotations"]["description"]):
            assert (OPS.parent / page).exists(), rule["alert"]
