"""The JSON Schemas of model and policy files, docs/*.schema.json, which editors read."""

from __future__ import annotations

from typing import Any

import orjson

from processors.model import json_schema
from processors.owners.policy import policy_json_schema

__all__ = ["owners_page", "page"]


def page() -> str:
    """Return the text of docs/model.schema.json."""
    return _text(json_schema())


def owners_page() -> str:
    """Return the text of docs/owners.schema.json."""
    return _text(policy_json_schema())


def _text(schema: dict[str, Any]) -> str:
    return orjson.dumps(schema, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
