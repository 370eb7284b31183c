"""Validation of a document against the model format: every fault, each with its fix."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from processors.model.file.format import json_schema
from schemas.checked_files.faults import Fault
from schemas.checked_files.invalid_keys import explanation
from schemas.checked_files.reader import Path
from schemas.suggestions import suggestion

__all__ = ["FileForm", "known_keys", "validated"]

Spec = TypeVar("Spec", bound=BaseModel)
FaultAt: TypeAlias = Callable[[Path, str, str], Fault]

_MAX_ROUNDS = 8
_NEEDED: dict[str, Any] = {
    "model": "unnamed",
    "version": 1,
    "bands": [{"band": "healthy"}],
    "curve": {"points": [[0, 0]]},
    "limit": 0,
    "priority": 0,
    "when": "true",
}
"""Stand-ins for faulty keys that can't be left out, so that the search for more faults goes on."""


@dataclass(frozen=True, slots=True)
class FileForm:
    """
    The form of a kind of file, as the search for faults needs it.

    ``schema`` returns its JSON Schema, ``page`` is the page that teaches it, and ``elsewhere`` maps keys that
    people look for in it to what they should do instead. ``leave_out`` removes the faulty part at a path from
    the data, or puts a stand-in there, so that the search goes on; its flag says that the part is missing.
    """

    schema: Callable[[], dict[str, Any]]
    page: str
    elsewhere: Mapping[str, str]
    leave_out: Callable[[dict[str, Any], Path, bool], None]


def validated(
    kind: type[Spec], data: dict[str, Any], at: FaultAt, form: FileForm | None = None
) -> tuple[Spec | None, list[Fault]]:
    """
    Return the specification in the data and its faults; ``at`` makes a fault of a path, a message and a fix.

    Without a ``form`` the data are those of a model file.

    When there are faults the specification lacks the faulty parts, and is good for finding more faults only;
    ``None`` when nothing is left.
    """
    form = _MODEL if form is None else form
    faults: list[Fault] = []
    left_out: set[Path] = set()
    data = copy.deepcopy(data)
    for _ in range(_MAX_ROUNDS):
        try:
            return kind.model_validate(data), faults
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                path = tuple(part for part in detail["loc"] if part != "[key]")
                missing = detail["type"] == "missing"
                if not (missing and path in left_out):  # it is missing only because it was left out as faulty
                    faults.append(_fault(detail, path, at, form))
                left_out.add(path)
                form.leave_out(data, path, missing)
    return None, faults


_ELSEWHERE = dict.fromkeys(
    ("alerts", "alert", "alert_rules", "rules", "notify", "notifications"),
    "leave it out: a model makes scores and bands, and alert rules have a file of their own (docs/rules.md)",
)
"""Keys of a model that people look for in it, and where to find what they mean."""


def _fault(detail: ErrorDetails, path: Path, at: FaultAt, form: FileForm) -> Fault:
    match detail["type"]:
        case "model":
            return at(path, detail["ctx"]["message"], detail["ctx"]["fix"])
        case "missing":
            return at(path[:-1], f"{path[-1]} is missing", f"add `{path[-1]}: …`")
        case "extra_forbidden":
            return at(path, "no such key", _instead(path, form))
        case _:
            return at(path, *explanation(detail))


def _leave_out(data: dict[str, Any], path: Path, missing: bool) -> None:
    """Remove the faulty part from the data, or replace it by a stand-in when it is needed."""
    if path[:1] == ("own",):
        path = path[:2]
    elif len(path) >= 3 and path[0] in ("measures", "caps", "groups", "variants"):
        path = path[:3]
    elif len(path) >= 2 and path[0] in ("bands", "score", "hysteresis", "applies"):
        path = path[:1]
    *above, last = path or ("",)
    holder: Any = data
    for key in above:
        holder = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(holder, dict):
        return  # already left out for another fault
    if path and path[-1] == "measure" and missing:  # a cap without a measure tests nothing
        del data[str(path[0])][path[1]]
    elif last in _NEEDED and (missing or last in holder):
        holder[last] = copy.deepcopy(_NEEDED[str(last)])
    elif len(path) == 2 and path[0] == "groups":
        holder[last] = {}
    elif len(path) == 2 and path[0] == "own":  # what reads it is no further fault
        holder[last] = {"kind": "number"}
    else:
        holder.pop(last, None)


@cache
def _model_schema() -> dict[str, Any]:
    return json_schema()


_MODEL = FileForm(_model_schema, "docs/model.md", _ELSEWHERE, _leave_out)


def _instead(path: Path, form: FileForm) -> str:
    """Return what to do about a key that the format doesn't know."""
    if len(path) == 1 and path[0] in form.elsewhere:
        return form.elsewhere[str(path[0])]
    return suggestion(str(path[-1]), known_keys(path[:-1], form), form.page)


def known_keys(path: Path, form: FileForm | None = None) -> list[str]:
    """Return the keys that a format, by default that of model files, knows at this path."""
    schema = (_MODEL if form is None else form).schema()
    node = _resolved(schema, schema)
    for part in path:
        entries = next(iter(node.get("patternProperties", {}).values()), node.get("additionalProperties"))
        inner = node.get("properties", {}).get(part) or entries or node.get("items")
        node = _resolved(inner if isinstance(inner, dict) else {}, schema)
    return list(node.get("properties", {}))


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for option in node.get("anyOf", ()):
        if option.get("type") != "null":
            return _resolved(option, schema)
    if "$ref" in node:
        definition: dict[str, Any] = schema["$defs"][node["$ref"].rpartition("/")[2]]
        return definition
    return node
