"""Settings as environment variables: how a parent process passes them to a child."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr

from bellbuoy.settings import Settings

__all__ = ["child_environment", "variables"]


def variables(settings: Settings) -> dict[str, str]:
    """Return ``BELLBUOY_*`` variables that ``bellbuoy.settings.load`` reads back as *settings*."""
    return {
        f"BELLBUOY_{name.upper()}": value if isinstance(value, str) else _encode(value)
        for name, value in settings.model_dump().items()
    }


def child_environment(settings: Settings) -> dict[str, str]:
    """Return this process's environment with *settings* in place of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BELLBUOY_")}
    config = {name: os.environ[name] for name in ("BELLBUOY_CONFIG",) if name in os.environ}
    return {**inherited, **config, **variables(settings)}


def _encode(value: Any) -> str:
    return str(value) if isinstance(value, Path) else orjson.dumps(value, default=_as_json).decode()


def _as_json(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} can't be written as a variable")
