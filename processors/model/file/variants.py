"""Patches of variants: the model with a variant's changes, and where in the file each part comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from processors.model.file.validation import known_keys
from schemas.checked_files.reader import Path
from schemas.suggestions import suggestion

__all__ = ["idle_removals", "origin", "patched"]

_ENTRIES = ("groups", "measures", "caps")
_FIELDS = ("score", "hysteresis")
_WHOLE = ("bands", "min_coverage")


def patched(data: dict[str, Any], variant: str) -> dict[str, Any]:
    """Return the body of the model with the variant's changes applied."""
    patch = data["variants"][variant]
    body: dict[str, Any] = {}
    for key in (*_ENTRIES, *_FIELDS, *_WHOLE):
        if key in patch and key not in _WHOLE and isinstance(patch[key], dict):
            body[key] = _merged(data.get(key), patch[key], deep=key in _ENTRIES)
        elif key in patch or key in data:
            body[key] = patch[key] if key in patch else data[key]
    return body


def idle_removals(data: dict[str, Any], variant: str) -> Iterator[tuple[Path, str, str]]:
    """Yield the path, the message and the fix of every null of a variant that removes nothing."""
    patch = data["variants"][variant]
    for section in (*_ENTRIES, *_FIELDS):
        given, base = patch.get(section), data.get(section)
        if not isinstance(given, dict):
            continue
        present = list(base) if isinstance(base, dict) else []
        for name, value in given.items():
            path: Path = ("variants", variant, section, name)
            if value is None and section in _ENTRIES and name not in present:
                yield path, "nothing to remove: the model has none", suggestion(name, present, section)
            elif value is None and section in _FIELDS and name not in (keys := known_keys((section,))):
                yield path, "no such key", suggestion(name, keys, "docs/model.md")
            elif isinstance(value, dict):
                keys = known_keys((section, name))
                for key in [key for key, inner in value.items() if inner is None and key not in keys]:
                    yield (*path, key), "no such key", suggestion(key, keys, "docs/model.md")


def origin(data: dict[str, Any], variant: str, path: Path) -> Path:
    """Return the path in the file of a path in the patched body: inside the variant, or in the model."""
    if not path:
        return ("variants", variant)
    inside = path[: 3 if path[0] in _ENTRIES else 1 if path[0] in _WHOLE else 2]
    if _has(data["variants"][variant], inside):
        return ("variants", variant, *path)
    return path if _has(data, inside) else ("variants", variant)


def _merged(base: Any, patch: dict[str, Any], *, deep: bool) -> dict[str, Any]:
    merged = dict(base) if isinstance(base, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif deep and isinstance(value, dict):
            merged[name] = _merged(merged.get(name), value, deep=False)
        else:
            merged[name] = value
    return merged


def _has(data: Any, path: Path) -> bool:
    for part in path:
        if not isinstance(data, dict) or part not in data:
            return False
        data = data[part]
    return True
