"""
Every log line is a sentence that never changes: a capital, a full stop, and its data as fields.

An event is found by its text, so the text must be a constant, and one event has one wording everywhere.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("bellbuoy", "gateway", "processors", "schemas", "sinks", "streams")
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
ONE_WORDING = {"Kafka is away.", "Kafka is back."}
"""Events that every client of Kafka logs in the same words."""


def logger(node: ast.expr) -> bool:
    """Whether an expression is a logger: the name or attribute log or _log, or one with fields bound."""
    match node:
        case ast.Name(id="log") | ast.Attribute(attr="log" | "_log"):
            return True
        case ast.Call(func=ast.Attribute(attr="bind", value=bound)):
            return logger(bound)
    return False


def log_lines(source: str) -> Iterator[tuple[int, list[ast.expr]]]:
    """Line number and positional arguments of each call of a logger."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr=level, value=value)) if level in LEVELS and logger(value):
                yield node.lineno, node.args


def loggers(source: str) -> Iterator[str]:
    """The name of each variable or attribute that a logger of structlog is put into."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)], value=value):
                if any(
                    isinstance(part, ast.Attribute) and part.attr == "get_logger" for part in ast.walk(value)
                ):
                    yield name


def faults(source: str) -> Iterator[str]:
    for line, arguments in log_lines(source):
        match arguments:
            case [ast.Constant(value=str(event))]:
                if not event[:1].isupper() or not event.endswith("."):
                    yield f"line {line}: {event!r} is no sentence: it needs a capital and a full stop"
                elif event.startswith(("Kafka is away", "Kafka is back")) and event not in ONE_WORDING:
                    yield f"line {line}: {event!r} is worded {sorted(ONE_WORDING)} everywhere else"
            case _:
                yield f"line {line}: the event must be one constant text, its data fields by name"


@pytest.mark.parametrize("package", PACKAGES)
def test_log_lines_are_constant_sentences(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)} {fault}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for fault in faults(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_loggers_have_a_name_that_this_test_knows(package: str) -> None:
    sources = (path.read_text() for path in (ROOT / package).rglob("*.py"))
    assert {name for source in sources for name in loggers(source)} <= {"log", "_log"}


@pytest.mark.parametrize(
    "line",
    [
        'log.info("starts")',
        'log.info("Starts")',
        'log.info("starts.")',
        'log.info(f"Starts {role}.")',
        'log.info("Starts %s.", role)',
        "self._log.warning(message)",
        'log.bind(sink="redis").error("not written")',
        'log.warning("Kafka is away, it seems.")',
    ],
)
def test_other_lines_are_found(line: str) -> None:
    assert len(list(faults(line))) == 1


def test_sentences_pass() -> None:
    assert not list(faults('log.info("Role starts.", role=role); self._log.warning("Kafka is away.")'))
