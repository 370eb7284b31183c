"""Sinks that other packages bring: found by entry point, configured by a section, and used as any other."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from bellbuoy.errors import ConfigError
from bellbuoy.local.environment import variables
from bellbuoy.operations.delivery.sinks import sinks
from bellbuoy.settings import load
from tests.support.sinks_under_test import WRITING

NAMES = {
    "sqlite": "acme_sqlite:SqliteSettings",
    "broken": "acme_sqlite:NoSuch",
    "number": "acme_sqlite:_WRITE",
}


def code() -> str:
    return WRITING.read_text().split("```python\n")[1].split("```")[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which a package with the sink of docs/sinks/writing.md was installed."""
    folder = tmp_path_factory.mktemp("package")
    info = "acme_sqlite-1.0.dist-info"
    points = "\n".join(f"{name} = {value}" for name, value in NAMES.items())
    files = {
        "acme_sqlite.py": code(),
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: acme-sqlite\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[bellbuoy.sinks]\n{points}\n",
    }

    def line(name: str, text: str) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        return f"{name},sha256={digest},{len(text.encode())}"

    record = "\n".join([*(line(*each) for each in files.items()), f"{info}/RECORD,,"])
    wheel = folder / "acme_sqlite-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record + "\n"}.items():
            archive.writestr(name, text)
    uv = os.environ.get("UV") or shutil.which("uv")
    assert uv, "run the tests with `uv run` (or `make test`), which says where uv is"
    target = folder / "site"
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--target", target, wheel], check=True
    )
    return target


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(site))


@pytest.mark.usefixtures("installed")
def test_its_section_turns_it_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLBUOY_SINKS__SQLITE__PATH", str(tmp_path / "alerts.db"))
    settings = load()

    assert [sink.name for sink in sinks(settings)] == ["redis", "sqlite"]
    monkeypatch.delenv("BELLBUOY_SINKS__SQLITE__PATH")
    for name, value in variables(settings).items():
        monkeypatch.setenv(name, value)
    assert load() == settings  # as a role's process gets them


@pytest.mark.usefixtures("installed")
def test_every_fault_of_its_section_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    sections: dict[str, Any] = {
        "sqlite": {"pth": "x"},
        "sqlit": {},
        "broken": {},
        "number": {},
    }
    with pytest.raises(ConfigError) as refused:
        load(sinks=sections, kafka={"partitions": 0})

    for words in (
        "kafka.partitions",
        "sqlite.path: Field required",
        "sqlite.pth: Extra inputs are not permitted",
        "sqlit: no installed package brings this sink: did you mean sqlite?",
        "broken: acme_sqlite:NoSuch can't be loaded: AttributeError",
        "number: acme_sqlite:_WRITE is no subclass of sinks.settings.SinkSettings",
    ):
        assert words in str(refused.value)


def test_without_a_package_the_section_is_a_fault() -> None:
    with pytest.raises(ConfigError, match="sqlite: no installed package brings this sink"):
        load(sinks={"sqlite": {"path": "x"}})


def test_the_command_lists_it(site: Path, tmp_path: Path) -> None:
    def listed(**env: str) -> Any:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BELLBUOY_")}
        answer = subprocess.run(
            [sys.executable, "-P", "-m", "bellbuoy", "sinks", "list", "--json"],
            cwd=tmp_path,
            env=clean | {"PYTHONPATH": str(site)} | env,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(answer.stdout)

    assert "sqlite" in listed()["unused"]
    used = listed(BELLBUOY_SINKS__SQLITE__PATH=str(tmp_path / "alerts.db"))
    assert [each["name"] for each in used["sinks"]] == ["redis", "sqlite"]
    assert used["sinks"][1]["topics"] == ["risk.alerts"]
