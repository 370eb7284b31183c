"""The command: `bellbuoy`."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from bellbuoy.cli import model_live as cli_model_live  # noqa: F401 - adds its commands to `model`
from bellbuoy.cli.deadletters_repair import deadletters
from bellbuoy.cli.explain import explain
from bellbuoy.cli.model import model
from bellbuoy.cli.output import emit
from bellbuoy.cli.override import override
from bellbuoy.cli.portfolio import portfolio
from bellbuoy.cli.rebuild import rebuild
from bellbuoy.cli.replay import replay
from bellbuoy.cli.simulate import register
from bellbuoy.exit_codes import FAILED, OK
from bellbuoy.operations import topics as admin
from bellbuoy.own_packages import require_own_packages
from bellbuoy.settings import load

__all__ = ["app", "main"]

_EXITS = (
    "Exit codes: 0 ok · 1 failed · 2 usage or configuration · 69 a needed service is away · 70 internal error"
)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

app = typer.Typer(
    name="bellbuoy",
    help="Explained churn-risk alerts from product, support and billing events, within about a second.\n\n"
    "\b\nExamples:\n  bellbuoy demo               a simulated company, scored live, in a minute\n"
    "  bellbuoy up                 everything on this machine, until Ctrl-C\n"
    "  bellbuoy check              are the settings and the servers right?\n"
    "  bellbuoy worker             one role, against the servers in the settings\n\n"
    "Settings come from bellbuoy.toml and from BELLBUOY_* variables, which win.",
    epilog=_EXITS,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
topics_app = typer.Typer(help="Create, check and list the Kafka topics.", no_args_is_help=True, epilog=_EXITS)
app.add_typer(topics_app, name="topics")
app.add_typer(deadletters, name="deadletters")
app.add_typer(model, name="model")
app.add_typer(override, name="override")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"bellbuoy {version('bellbuoy')}")
        raise typer.Exit


@app.callback()
def _root(
    config: Annotated[
        Path | None, typer.Option(help="Read the settings from this file instead of bellbuoy.toml.")
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    require_own_packages()
    if config is not None:
        os.environ["BELLBUOY_CONFIG"] = str(config)


@app.command(epilog=_EXITS)
def up(
    data: Annotated[Path | None, typer.Option(help="Keep Kafka's and Redis's data here.")] = None,
) -> None:
    """
    Start everything on this machine, until Ctrl-C: Kafka, Redis and the four roles.

    The first start fetches Kafka (45 MB), later ones need no network. The data stays.

    A role that dies is started again; one that keeps dying stops everything.

    \b
    Examples:
      bellbuoy up
      bellbuoy up --data /var/lib/bellbuoy
      BELLBUOY_GATEWAY__PORT=8081 bellbuoy up
    """
    from bellbuoy.local.up import run

    settings = load(**({} if data is None else {"data": data}))
    run(settings)


def _run_role(role: str) -> None:
    from bellbuoy import logs
    from bellbuoy.operations import roles

    settings = load()
    logs.configure(settings.log_level, role)
    roles.run(role, settings)


@app.command(epilog=_EXITS)
def gateway() -> None:
    """
    Run the front door: HTTP in, Kafka topics out.

    Needs Kafka with its topics (`bellbuoy topics create`). Stops on SIGTERM.
    """
    _run_role("gateway")


@app.command(epilog=_EXITS)
def journal() -> None:
    """
    Run the journal stage: all input topics into one ordered log a partition.

    Needs Kafka with its topics. Start several to share the partitions. Stops on SIGTERM.
    """
    _run_role("journal")


@app.command(epilog=_EXITS)
def worker() -> None:
    """
    Run the worker: fold the journal into scores, bands and alerts.

    Needs Kafka with its topics. Start several to share the partitions. Stops on SIGTERM.
    """
    _run_role("worker")


@app.command(epilog=_EXITS)
def deliver() -> None:
    """
    Run delivery: scores and alerts from Kafka into Redis.

    Needs Kafka with its topics; Redis may be away for a while, nothing is lost. Stops on SIGTERM.
    """
    _run_role("deliver")


@app.command(epilog=_EXITS)
def check(as_json: _Json = False) -> None:
    """
    Check the settings, Kafka, its topics and Redis, and name every fault at once.

    \b
    Examples:
      bellbuoy check
      bellbuoy check --json
    """
    from bellbuoy.operations.checks import run

    faults = run(load())
    lines = [f"{fault.area}: {fault.message}" for fault in faults] or ["All is well."]
    data: list[dict[str, Any]] = [{"area": fault.area, "message": fault.message} for fault in faults]
    emit({"ok": not faults, "faults": data}, lines, as_json)
    raise typer.Exit(max((fault.code for fault in faults), default=OK))


@topics_app.command(epilog=_EXITS)
def create(as_json: _Json = False) -> None:
    """Create the topics that are missing; those that exist stay as they are."""
    kafka = load().kafka
    created = admin.create(kafka.bootstrap, kafka.topics())
    emit({"created": created}, [f"created {name}" for name in created] or ["All topics exist."], as_json)


@topics_app.command("check", epilog=_EXITS)
def check_topics(as_json: _Json = False) -> None:
    """Name every topic that is missing or has wrong partitions, compaction or retention; then exit 1."""
    kafka = load().kafka
    faults = admin.check(kafka.bootstrap, kafka.topics())
    emit({"ok": not faults, "faults": faults}, faults or ["All topics are right."], as_json)
    raise typer.Exit(FAILED if faults else OK)


@topics_app.command("list", epilog=_EXITS)
def list_topics(as_json: _Json = False) -> None:
    """List this deployment's topics with their partitions on the broker."""
    kafka = load().kafka
    found = admin.names(kafka.bootstrap)
    rows = {spec.name: found.get(spec.name) for spec in kafka.topics().specs()}
    lines = [
        f"{name:<40} {'missing' if partitions is None else f'{partitions} partitions'}"
        for name, partitions in rows.items()
    ]
    emit({"topics": [{"name": n, "partitions": p} for n, p in rows.items()]}, lines, as_json)


register(app)
app.command(epilog=_EXITS)(explain)
app.command(epilog=_EXITS)(portfolio)
app.command(epilog=_EXITS)(rebuild)
app.command(epilog=_EXITS)(replay)


def main() -> None:
    """Run the command; every error becomes a message and an exit code."""
    from bellbuoy import logs

    logs.configure("warning", "command")  # a role says more; standard output belongs to the answer
    try:
        app()
    except Exception as error:  # noqa: BLE001 - the last place: nobody else tells the operator
        from bellbuoy.cli.errors import report_error

        sys.exit(report_error(error))
