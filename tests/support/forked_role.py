"""A role forked from a process that has loaded the product, for tests that start many."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from bellbuoy.local.embedded.child import Child
from bellbuoy.local.role_process import RoleProcess
from tests.support.forked_command import fork


class ForkedRole(RoleProcess):
    """A role process that is forked (forked_command.py) instead of loading everything itself."""

    def start(self) -> Self:
        self.starts += 1
        self._child = ForkedChild(self.role, self.log, self._env)
        return self


class ForkedChild(Child):
    """A child whose parent is the fork server."""

    def __init__(self, role: str, log: Path, env: Mapping[str, str]) -> None:
        self.name, self.log, self._stop_signal = role, log, signal.SIGTERM
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        self._log_start = log.stat().st_size
        self._process: Any = fork([role], env, stdout=log, stderr=log, folder=Path.cwd())
