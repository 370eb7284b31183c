"""The table of commands: each is imported and built when it is asked for, so that every start is quick."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.main import get_group

from bellbuoy.cli.options import EXIT_CODES

__all__ = ["PANELS", "Commands"]

_ROLES = ("gateway", "journal", "worker", "deliver", "poll", "console")

PANELS = {
    "Start here": ("demo", "up", "check"),
    "Customers": (
        "explain",
        "portfolio",
        "alerts",
        "owners",
        "override",
        "note",
        "tasks",
        "model",
        "rules",
        "backtest",
        "calibrate",
    ),
    "Roles, each a process": _ROLES,
    "Operation": (
        "topics",
        "sinks",
        "notify",
        "account",
        "forget",
        "events",
        "import",
        "sources",
        "keys",
        "send",
        "deadletters",
        "rebuild",
        "recover",
        "replay",
        "simulate",
        "tokens",
    ),
}
"""The names of all commands, by the heading under which help lists them, in its order."""

_PACKAGES = {
    "customers": ("explain", "portfolio", "override", "note", "tasks", "account", "forget"),
    "alerting": ("alerts", "rules", "owners", "notify"),
    "scoring": ("model", "backtest", "calibrate"),
    "intake": ("events", "import", "sources", "keys", "send", "deadletters"),
    "deployment": (
        *_ROLES,
        *("demo", "simulate", "up", "check", "topics", "sinks", "rebuild", "recover", "replay", "tokens"),
    ),
}
_PACKAGE_OF = {name: package for package, names in _PACKAGES.items() for name in names}

_PLACES = {"demo": ("simulate", "demo"), "import": ("import_", "import_")} | {
    role: ("roles", role) for role in _ROLES
}
"""The module and the function of each command that is not named after both."""


class Commands(Mapping[str, Any]):
    """The commands by name."""

    def __init__(self) -> None:
        self._built = dict.fromkeys(name for names in PANELS.values() for name in names)

    def __getitem__(self, name: str) -> Any:
        if self._built[name] is None:
            self._built[name] = _command(name)
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._built)

    def __len__(self) -> int:
        return len(self._built)


def _command(name: str) -> Any:
    module, function = _PLACES.get(name, (name, name))
    command = getattr(import_module(f"bellbuoy.cli.{_PACKAGE_OF[name]}.{module}"), function)
    # Help texts are plain, because rich takes longer to load than all the rest.
    alone = typer.Typer(name=name, add_completion=False, rich_markup_mode=None)
    if isinstance(command, typer.Typer):
        alone.add_typer(command)
    else:
        alone.command(name, epilog=EXIT_CODES)(command)
    return get_group(alone).commands[name]
