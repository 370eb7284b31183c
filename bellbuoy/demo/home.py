"""Home of a demo: its settings, its data directory, and the company that was simulated there."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from bellbuoy.errors import ConfigError
from bellbuoy.local.data_dir import DataDir
from bellbuoy.local.embedded.errors import PortTakenError
from bellbuoy.local.embedded.ports import HOST, claim
from bellbuoy.local.servers import SINK_SERVERS, sink_servers
from bellbuoy.settings import Settings

__all__ = ["DemoCompany", "clear_demo_data", "demo_company", "demo_settings"]

_FUTURE_MINUTES = 48 * 60
"""Lets the demo's clock step by 12 hours, a quarter of this (``step_limit``), while the last 90 days pass."""

_DEMO_FILES = ("kafka", *(server.name for server in SINK_SERVERS), "worker", "inbox", "logs", "company.json")


class DemoCompany(msgspec.Struct, frozen=True):
    """The company that the data belong to; ``start`` is UTC milliseconds."""

    seed: int
    accounts: int
    start: int


def demo_settings(settings: Settings, data: Path) -> Settings:
    """Return a demo's settings: own data, simulated time, and free ports where the usual ones are taken."""
    kafka = _port(int(settings.kafka.bootstrap.rsplit(":", 1)[1]))
    for server in sink_servers(settings):
        settings = server.with_port(settings, _port(server.port(settings)))
    moved = {
        area: getattr(settings, area).model_copy(
            update={"metrics_port": _port(getattr(settings, area).metrics_port)}
        )
        for area in ("worker", "delivery")
    }
    journal = {
        "clock": "simulated",
        "future_minutes": max(_FUTURE_MINUTES, settings.journal.future_minutes),
        "metrics_port": _port(settings.journal.metrics_port),
    }
    return settings.model_copy(
        update={
            "data": data,
            "kafka": settings.kafka.model_copy(update={"bootstrap": f"{HOST}:{kafka}"}),
            "gateway": settings.gateway.model_copy(update={"port": _port(settings.gateway.port)}),
            "console": settings.console.model_copy(update={"port": _port(settings.console.port)}),
            "journal": settings.journal.model_copy(update=journal),
            **moved,
        }
    )


def clear_demo_data(data: Path) -> None:
    """Delete the files of demos in this directory, no others; raise EmbeddedError if a demo runs there."""
    home = DataDir(data)
    home.lock()
    try:
        for name in _DEMO_FILES:
            path = home.root / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    finally:
        home.unlock()


def demo_company(data: Path, wanted: DemoCompany) -> DemoCompany:
    """Return the company of these data, ``wanted`` if they are new; raise ConfigError for another company."""
    file = data / "company.json"
    try:
        known = msgspec.json.decode(file.read_bytes(), type=DemoCompany)
    except FileNotFoundError:
        file.write_bytes(msgspec.json.encode(wanted))
        return wanted
    except msgspec.DecodeError:
        raise ConfigError(f"{file} can't be read: start clean with --fresh") from None
    if (known.seed, known.accounts) != (wanted.seed, wanted.accounts):
        raise ConfigError(
            f"the data in {data} belong to the company of --seed {known.seed} --accounts {known.accounts}: "
            "continue with that one, start clean with --fresh, or choose another --data"
        )
    return known


def _port(wanted: int) -> int:
    try:
        return claim(wanted, "", "") if wanted else 0
    except PortTakenError:
        return 0
