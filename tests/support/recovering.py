"""The command that recovers a deployment, run as an operator does: once dry, then in earnest."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner

from bellbuoy.cli.app import app
from schemas.connection import Connection
from schemas.topics import Topics
from tests.support.role_processes import NO_REDIS
from tests.support.waiting import until


def environment(bootstrap: Connection, topics: Topics) -> dict[str, str]:
    """Return the variables that make the command act on a deployment."""
    return {
        "BELLBUOY_KAFKA__BOOTSTRAP": str(bootstrap),
        "BELLBUOY_KAFKA__TOPIC_PREFIX": topics.prefix,
        "BELLBUOY_KAFKA__PARTITIONS": str(topics.partitions),
        "BELLBUOY_REDIS__URL": NO_REDIS,
    }


def log_faults_found(bootstrap: Connection, topics: Topics) -> list[str]:
    """Return what `bellbuoy check` says of the logs."""
    answer = CliRunner().invoke(app, ["check", "--json"], env=environment(bootstrap, topics))
    return [fault["message"] for fault in json.loads(answer.stdout)["faults"] if fault["area"] == "logs"]


def recover(bootstrap: Connection, topics: Topics, area: str) -> dict[str, Any]:
    """Recover what the check names, once journal and worker have left, and return what the dry run said."""

    def run(*arguments: str) -> Any:
        command = ["recover", area, "--json", *arguments]
        return CliRunner().invoke(app, command, env=environment(bootstrap, topics))

    checked = CliRunner().invoke(app, ["check", "--json"], env=environment(bootstrap, topics))
    assert f"bellbuoy recover {area}" in checked.stdout, checked.stdout
    planned = until(lambda: (answer := run("--dry-run")).exit_code == 0 and answer, what="the roles' leave")
    done = run()
    assert done.exit_code == 0, (done.output, done.exception)
    plan: dict[str, Any] = json.loads(planned.stdout)
    return plan
