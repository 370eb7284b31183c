"""
Tell whether bytes of an older schema can be read with a newer one.

Follows the schema resolution rules of the Avro specification for the constructs used here:
https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
"""

from __future__ import annotations

from typing import Any

__all__ = ["faults"]

_PROMOTED = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}


def faults(writer: Any, reader: Any, where: str = "") -> list[str]:
    """Return why the reader schema can't read what the writer schema wrote; empty: it can."""
    return _faults(writer, reader, where or "record", _named(writer, {}), _named(reader, {}))


def _named(schema: Any, known: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema, list):
        for branch in schema:
            _named(branch, known)
    elif isinstance(schema, dict):
        if "name" in schema and schema.get("type") in ("record", "enum", "fixed"):
            known[schema["name"]] = schema
        for part in ("items", "values"):
            if part in schema:
                _named(schema[part], known)
        for field in schema.get("fields", ()):
            _named(field["type"], known)
    return known


def _faults(w: Any, r: Any, where: str, ws: dict[str, Any], rs: dict[str, Any]) -> list[str]:
    w, r = ws.get(w, w) if isinstance(w, str) else w, rs.get(r, r) if isinstance(r, str) else r
    if isinstance(w, list):
        return [fault for branch in w for fault in _faults(branch, r, where, ws, rs)]
    if isinstance(r, list):
        tried = [_faults(w, branch, where, ws, rs) for branch in r]
        return [] if any(not found for found in tried) else [f"{where}: no branch of the union reads {w}"]
    wt, rt = (s["type"] if isinstance(s, dict) else s for s in (w, r))
    if wt != rt:
        return [] if rt in _PROMOTED.get(wt, ()) else [f"{where}: {rt} can't read {wt}"]
    if wt in ("record", "enum") and w["name"] != r["name"]:
        return [f"{where}: {w['name']} became {r['name']}"]
    if wt == "record":
        return _record_faults(w, r, where, ws, rs)
    if wt == "enum":
        gone = sorted(set(w["symbols"]) - set(r["symbols"]))
        return (
            [f"{where}: symbols {gone} are gone and there is no default"]
            if gone and "default" not in r
            else []
        )
    if wt in ("array", "map"):
        part = "items" if wt == "array" else "values"
        return _faults(w[part], r[part], f"{where}[]", ws, rs)
    return []


def _record_faults(w: Any, r: Any, where: str, ws: dict[str, Any], rs: dict[str, Any]) -> list[str]:
    written = {field["name"]: field for field in w["fields"]}
    found = []
    for field in r["fields"]:
        old = written.get(field["name"])
        if old is not None:
            found += _faults(old["type"], field["type"], f"{where}.{field['name']}", ws, rs)
        elif "default" not in field:
            found.append(f"{where}.{field['name']}: new without a default")
    return found
