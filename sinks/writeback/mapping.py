"""
Mapping files of write-back: which request writes which attributes of an account, and how answers are read.

A file is refused with all of its faults, each with its line and the fix (docs/sinks/writeback.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.records import AccountHealth
from schemas.suggestions import suggestion
from sinks.port import SinkSettingsError

__all__ = [
    "FIELDS",
    "ItemAnswers",
    "WritebackMapping",
    "account_values",
    "load_mapping",
    "rendered",
    "value_at",
]

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
    "open_alerts": lambda health: len(health.open_alerts),
    "model": lambda health: health.model,
}
"""What a template may name of an account."""

_NAME = re.compile(r"\{(\w+)\}")
_ITEMS = "items"


class _MappingPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ItemAnswers(_MappingPart):
    """
    The parts of an answer that say what became of each item.

    ``path`` leads to a list: with ``success`` one entry for each item, in order; with ``ids`` one for each
    refused item, and the ids that it concerns. ``retry`` are codes of refusals that pass.
    """

    path: str = ""
    success: str | None = None
    ids: str | None = None
    message: str = "message"
    code: str | None = None
    retry: tuple[str, ...] = ()


class WritebackMapping(_MappingPart):
    """One mapping file."""

    url: str = Field(pattern=r"^https?://[^\s{}]+$")
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    headers: dict[str, str] = {}
    batch: int = Field(ge=1, le=10_000)
    requests_per_second: float = Field(gt=0, le=1_000)
    daily_requests: int = Field(gt=0)
    id: str
    body: Any
    item: Any
    answers: ItemAnswers | None = None


def load_mapping(path: Path) -> WritebackMapping:
    """Return the mapping of a file; raise SinkSettingsError with every fault, its line and the fix."""
    try:
        text = path.read_text()
        values, node = yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise SinkSettingsError(f"{path} can't be read: {error}; name another file in `mapping`") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise SinkSettingsError(f"{path} is no YAML: {error}") from error
    lines = dict(_lines(node, ()))
    faults: list[tuple[tuple[Any, ...], str]] = []
    mapping: WritebackMapping | None = None
    try:
        mapping = WritebackMapping.model_validate(values)
    except ValidationError as error:
        faults = [(each["loc"], _with_fix(each["loc"], each["msg"], each["type"])) for each in error.errors()]
    if isinstance(values, dict):
        faults += _template_faults(values)
    if faults or mapping is None:
        words = [
            f"  - line {_line(lines, loc)}: {'.'.join(map(str, loc)) or 'the file'}: {fault}"
            for loc, fault in sorted(faults, key=lambda each: _line(lines, each[0]))
        ]
        raise SinkSettingsError(f"{path} can't be used:\n" + "\n".join(words))
    return mapping


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


def account_values(health: AccountHealth) -> dict[str, Any]:
    """Return what templates may name of an account."""
    return {name: read(health) for name, read in FIELDS.items()}


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


def _template_faults(values: Mapping[str, Any]) -> Iterator[tuple[tuple[Any, ...], str]]:
    for part, known in (("id", [*FIELDS]), ("item", [*FIELDS]), ("body", [_ITEMS]), ("headers", ["secret"])):
        for loc, text in _texts(values.get(part), (part,)):
            for name in _NAME.findall(text):
                if name not in known:
                    yield (
                        loc,
                        f"{{{name}}} is not known: {suggestion(name, known, 'docs/sinks/writeback.md')}",
                    )
    if "body" in values and not any("{items}" in text for _, text in _texts(values["body"], ())):
        yield ("body",), "names no {items}: write it where the accounts of a request go"
    answers = values.get("answers")
    if isinstance(answers, Mapping) and ("success" in answers) == ("ids" in answers):
        yield (
            ("answers",),
            "give either `success`, for an entry for each item, or `ids`, for refused ones alone",
        )


def _texts(template: Any, loc: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(template, str):
        yield loc, template
    elif isinstance(template, Mapping):
        for name, each in template.items():
            yield from _texts(each, (*loc, name))
    elif isinstance(template, list):
        for number, each in enumerate(template):
            yield from _texts(each, (*loc, number))


def _with_fix(loc: tuple[Any, ...], words: str, kind: str) -> str:
    if kind == "extra_forbidden":
        known = [*(ItemAnswers if len(loc) > 1 else WritebackMapping).model_fields]
        return f"no such key: {suggestion(str(loc[-1]), known, 'docs/sinks/writeback.md')}"
    return words if kind != "missing" else "is missing: add it"


def _lines(node: Any, loc: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], int]]:
    if node is None:
        return
    yield loc, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*loc, key.value), key.start_mark.line + 1
            for below, line in _lines(value, (*loc, key.value)):
                if below != (*loc, key.value):
                    yield below, line
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _lines(value, (*loc, number))


def _line(lines: Mapping[tuple[Any, ...], int], loc: tuple[Any, ...]) -> int:
    """Return the line of a place, or of the nearest one around it."""
    while loc and loc not in lines:
        loc = loc[:-1]
    return lines.get(loc, 1)
