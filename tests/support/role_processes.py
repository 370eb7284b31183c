"""Roles of a deployment as real processes, started with test settings, killed and checked for crashes."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from bellbuoy.local.role_process import RoleProcess
from bellbuoy.settings import Settings, load
from schemas.connection import Connection
from schemas.topics import Topics
from tests.support.forked_role import ForkedRole

SESSION_SECONDS = 6.0
"""A member that is silent for so long is replaced; the shortest session that Kafka allows."""

NO_REDIS = "redis://127.0.0.1:1"
"""An address at which nothing answers."""

_CRASHES = (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS)


def role_settings(bootstrap: Connection, topics: Topics, folder: Path, **areas: dict[str, Any]) -> Settings:
    """
    Return the settings of a deployment's roles: free ports, short sessions, and those of *areas*.

    Without those of Redis, here or in the environment, there is none: a test writes to none that happens to
    run on this machine.
    """
    if "BELLBUOY_REDIS__URL" not in os.environ:
        areas = {"redis": {"url": NO_REDIS}} | areas
    stages = {
        area: {"metrics_port": 0, "session_seconds": SESSION_SECONDS} | areas.pop(area, {})
        for area in ("journal", "worker", "delivery")
    }
    kafka = {"bootstrap": str(bootstrap), "topic_prefix": topics.prefix, "partitions": topics.partitions}
    return load(kafka=kafka, gateway={"port": 0}, **stages, **areas, data=folder)


class RoleProcesses:
    """The processes of one deployment's roles; ``journal`` settings are added to the usual ones."""

    def __init__(self, bootstrap: Connection, topics: Topics, folder: Path, **journal: Any) -> None:
        self._settings = role_settings(bootstrap, topics, folder, journal=journal)
        self._folder = folder
        self.processes: list[RoleProcess] = []

    def start(self, role: str, prelude: str = "") -> RoleProcess:
        """Start a role; *prelude* is code that its process runs first, such as a patch to an older build."""
        log = self._folder / f"{role}-{len(self.processes)}.log"
        if prelude:
            code = f"{prelude}\nfrom bellbuoy.cli.app import main\nmain()"
            command = (sys.executable, "-P", "-c", code)
            process = RoleProcess(role, self._settings, log, command=command)
        else:
            process = ForkedRole(role, self._settings, log)
        self.processes.append(process.start())
        return process

    def stop(self) -> None:
        """
        Kill every process; raise AssertionError with the log of one that had crashed in native code.

        The logs are printed, so that they are shown of a test that failed.
        """
        for process in self.processes:
            process.kill()
            print(f"{process.log.name}:\n{process.log.read_text()}")  # noqa: T201 - shown of a failed test
        crashed = [p.log.read_text() for p in self.processes if p.child.returncode in _CRASHES]
        assert not crashed, crashed[0]
