"""The JSON Schema of model files, docs/model.schema.json, which editors read."""

from __future__ import annotations

import orjson

from processors.model import json_schema

__all__ = ["page"]


def page() -> str:
    """Return the text of docs/model.schema.json."""
    return orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
