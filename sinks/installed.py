"""
Registry of sinks that other packages bring: entry points of the group ``bellbuoy.sinks``.

A package declares its class of settings, a subclass of ``SinkSettings``, under the sink's name::

    [project.entry-points."bellbuoy.sinks"]
    snowflake = "acme_snowflake:SnowflakeSettings"

The section ``sinks.snowflake`` of the settings then turns that sink on.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny, ValidationError
from pydantic_core import PydanticCustomError

from schemas.suggestions import suggestion
from sinks.settings import SinkSettings

__all__ = ["GROUP", "InstalledSinks", "installed_names"]

GROUP = "bellbuoy.sinks"
"""The group of entry points."""


def installed_names() -> list[str]:
    """Return the names of all sinks that other packages bring."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def _sections(given: object) -> object:
    """Return the settings of each named sink, by the class that its package declares."""
    if not isinstance(given, Mapping):
        return given
    faults: list[str] = []
    sections = {name: _section(name, values, faults) for name, values in given.items()}
    if faults:
        raise PydanticCustomError("sinks", "{faults}", {"faults": "\n    ".join(faults)})
    return sections


def _section(name: str, values: Any, faults: list[str]) -> SinkSettings | None:
    if isinstance(values, SinkSettings):
        return values
    points = list(entry_points(group=GROUP, name=name))
    if len(points) != 1:
        twice = f"{len(points)} packages bring a sink of this name: uninstall one"
        fix = suggestion(name, installed_names(), "`bellbuoy sinks list`")
        faults.append(f"{name}: {twice if points else f'no installed package brings this sink: {fix}'}")
        return None
    try:
        kind = points[0].load()
    except Exception as error:  # noqa: BLE001 - whatever the other package raises
        faults.append(f"{name}: {points[0].value} can't be loaded: {type(error).__name__}: {error}")
        return None
    if not (isinstance(kind, type) and issubclass(kind, SinkSettings)):
        faults.append(f"{name}: {points[0].value} is no subclass of sinks.settings.SinkSettings")
        return None
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        faults += [f"{'.'.join(map(str, (name, *each['loc'])))}: {each['msg']}" for each in error.errors()]
        return None


InstalledSinks = Annotated[dict[str, SerializeAsAny[SinkSettings]], BeforeValidator(_sections)]
"""The sections of sinks that other packages bring, by name."""
