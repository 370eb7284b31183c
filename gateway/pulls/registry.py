"""The registry of sources that are asked, from which repair, metrics and pages are derived."""

from __future__ import annotations

from importlib import import_module

from gateway.pulls.pull import PullSettings, PullSource
from gateway.pulls.settings import PollSettings, TenantPulls
from gateway.sources.registry import REPAIRS, RESERVED
from gateway.sources.source import ToRecord

__all__ = ["ALL_REPAIRS", "ALL_RESERVED", "PULLS", "configured_pulls"]

_PULLS: dict[str, PullSource] = {
    name: import_module(f"gateway.pulls.{name}.source").SOURCE for name in TenantPulls.model_fields
}

PULLS = tuple(_PULLS.values())
"""Every source that is asked: each has its settings in ``TenantPulls``, under its name."""

ALL_REPAIRS: dict[str, ToRecord] = REPAIRS | {source.name: source.to_record for source in PULLS}
"""How to map a dead letter's original JSON again, by the name of the source, asked or not, that made it."""

ALL_RESERVED = RESERVED | {source.name for source in PULLS}
"""The names of all sources, which a typed event may not claim."""


def configured_pulls(settings: PollSettings) -> list[tuple[str, PullSource, PullSettings]]:
    """Return what is asked: tenant, source and its settings."""
    return [(tenant, _PULLS[name], own) for tenant, name, own in settings.pulls()]
