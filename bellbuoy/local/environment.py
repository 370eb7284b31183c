"""Settings as environment variables: how a parent process hands them to a child."""

from __future__ import annotations

import os
from collections.abc import Mapping
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


def child_environment(settings: Settings, extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with *settings* in place of its own; *extra* wins."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("BELLBUOY_")}
    config = {name: os.environ[name] for name in ("BELLBUOY_CONFIG",) if name in os.environ}
    return {**own, **config, **variables(settings), **extra}


def _encode(value: Any) -> str:
    return str(value) if isinstance(value, Path) else orjson.dumps(value, default=_plain).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a variable")
