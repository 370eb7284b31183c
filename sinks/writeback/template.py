"""Templates of write-back: text in which names in braces stand for an account's attributes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from schemas.records import AccountHealth
from schemas.times import iso

__all__ = ["FIELDS", "account_values", "names", "rendered", "texts", "value_at"]

FIELDS: Mapping[str, Callable[[AccountHealth], Any]] = {
    "tenant": lambda health: health.tenant,
    "account_id": lambda health: health.account_id,
    "name": lambda health: health.name,
    "owner": lambda health: health.owner,
    "segment": lambda health: health.segment,
    "stage": lambda health: health.stage,
    "score": lambda health: health.score,
    "band": lambda health: health.label or health.band,
    "previous_score": lambda health: health.previous_score,
    "coverage": lambda health: health.coverage,
    "reason": lambda health: health.reasons[0] if health.reasons else None,
    "reasons": lambda health: "; ".join(health.reasons),
    "involuntary_score": lambda health: health.involuntary_score,
    "involuntary_reasons": lambda health: "; ".join(health.involuntary_reasons),
    "open_alerts": lambda health: len(health.open_alerts),
    "model": lambda health: health.model,
    "as_of": lambda health: iso(health.as_of),
}
"""What a template may name of an account."""

_NAME = re.compile(r"\{(\w+)\}")


def account_values(health: AccountHealth) -> dict[str, Any]:
    """Return what templates may name of an account."""
    return {name: read(health) for name, read in FIELDS.items()}


def rendered(template: Any, values: Mapping[str, Any]) -> Any:
    """Return a template with its names replaced; text that is one name alone becomes the value itself."""
    if isinstance(template, Mapping):
        return {name: rendered(each, values) for name, each in template.items()}
    if isinstance(template, list):
        return [rendered(each, values) for each in template]
    if not isinstance(template, str):
        return template
    alone = _NAME.fullmatch(template)
    if alone:
        return values[alone[1]]
    return _NAME.sub(lambda name: "" if values[name[1]] is None else str(values[name[1]]), template)


def names(text: str) -> list[str]:
    """Return the names in a text."""
    return _NAME.findall(text)


def texts(template: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield every text of a template with its path."""
    if isinstance(template, str):
        yield path, template
    elif isinstance(template, Mapping):
        for name, each in template.items():
            yield from texts(each, (*path, name))
    elif isinstance(template, list):
        for number, each in enumerate(template):
            yield from texts(each, (*path, number))


def value_at(answer: Any, path: str) -> Any:
    """Return what lies at a path such as ``errors.0.message``, ``None`` where nothing does."""
    for step in filter(None, path.split(".")):
        if isinstance(answer, list) and step.isdecimal() and int(step) < len(answer):
            answer = answer[int(step)]
        elif isinstance(answer, Mapping):
            answer = answer.get(step)
        else:
            return None
    return answer
