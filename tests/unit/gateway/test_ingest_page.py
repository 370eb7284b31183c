"""The tables of docs/ingest.md agree with the code: limits with the settings, errors with the answers."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.settings import GatewaySettings

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/ingest.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_limits_are_the_defaults_of_the_settings() -> None:
    settings = GatewaySettings()
    limits = {
        setting.strip("`"): default.replace(",", "") for _, setting, default in rows("Limits") if setting
    }

    assert set(limits) == {
        name
        for name in GatewaySettings.model_fields
        if name not in ("host", "port", "listen_fd", "public_url", "tenants", "metrics_host", "metrics_port")
    }
    for name, default in limits.items():
        assert float(default) == getattr(settings, name), name


def test_every_error_code_is_listed() -> None:
    listed = {
        (int(status), code) for status, codes, _ in rows("Errors") for code in re.findall("`(.+?)`", codes)
    }
    sources = "".join(path.read_text() for path in (ROOT / "gateway").rglob("*.py"))
    answered = {
        (int(status), code)
        for status, code in re.findall(r'(?:HttpError|cls)\(\s*(\d{3}),\s*"(\w+)"', sources)
    }

    assert listed == answered | {(404, "not_found"), (500, "internal")}
