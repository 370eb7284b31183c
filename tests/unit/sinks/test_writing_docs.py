"""The sink of docs/sinks/writing.md; the conformance suite runs it, here is what the page says of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bellbuoy.operations.delivery.sinks import sinks
from bellbuoy.settings import Settings
from tests.support.sinks_under_test import WRITING, documented_module


def test_it_is_whole_in_under_sixty_lines() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", WRITING.read_text(), re.DOTALL)

    assert len(code.splitlines()) < 60


def test_its_section_is_its_registration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class WithSqlite(Settings):
        sqlite: documented_module().SqliteSettings | None = None  # type: ignore[name-defined]

    assert [sink.name for sink in sinks(WithSqlite())] == ["redis"]
    monkeypatch.setenv("BELLBUOY_SQLITE__PATH", str(tmp_path / "alerts.db"))
    assert [sink.name for sink in sinks(WithSqlite())] == ["redis", "sqlite"]
