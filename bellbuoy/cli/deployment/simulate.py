"""The commands that show Bellbuoy at work with a simulated company: ``bellbuoy demo`` and ``simulate``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from bellbuoy.cli.options import Json
from bellbuoy.cli.terminal.output import fail, tell
from bellbuoy.errors import ConfigError
from bellbuoy.exit_codes import FAILED, OK

__all__ = ["demo", "simulate"]

_Share = Annotated[
    float, typer.Option(min=0.0, max=1.0, rich_help_panel="Disorder, as a share of the events")
]
_Accounts = Annotated[int, typer.Option(min=1, max=100_000, help="How many customers the company has.")]
_Seed = Annotated[int, typer.Option(help="The same seed gives the same company and events.")]


def demo(
    seconds: Annotated[
        float | None,
        typer.Option(min=1.0, help="Run for so long and end with a report.", show_default="until Ctrl-C"),
    ] = None,
    accounts: _Accounts = 200,
    seed: _Seed = 7,
    data: Annotated[
        Path | None, typer.Option(help="The directory for the demo's data.", show_default=".bellbuoy/demo")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="First delete the data of earlier demos there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """
    Show everything at work: the whole stack, and a company whose last quarter passes in a minute.

    Starts Kafka, Redis and all roles on this machine, runs a simulated company of 200 customers
    through the last 90 days and then live, and shows who is at risk, and why.

    --seconds with --json ends with one line of JSON that accounts for every event.

    \b
    Examples:
      bellbuoy demo
      bellbuoy demo --fresh --seconds 60
      bellbuoy demo --seconds 30 --json
    """
    from bellbuoy.demo.report import report_lines
    from bellbuoy.demo.run import DemoOptions, run_demo
    from bellbuoy.operations.delivery.drain import NotDrainedError
    from bellbuoy.settings import load
    from bellbuoy.simulator.wire.carrier import CarrierError

    if as_json and seconds is None:
        raise ConfigError("--json prints the report of a bounded run: add --seconds")
    settings = load()
    folder = (settings.data / "demo" if data is None else data).absolute()
    options = DemoOptions(data=folder, accounts=accounts, seed=seed, seconds=seconds, fresh=fresh)
    screen = sys.stdout.isatty() and not as_json
    try:
        report, balanced = run_demo(options, settings, tell, screen=screen)
    except (CarrierError, NotDrainedError) as error:
        fail(str(error))
    if report is not None:
        print(orjson.dumps(report).decode() if as_json else "\n".join(report_lines(report)))
    raise typer.Exit(OK if balanced else FAILED)


def simulate(
    accounts: _Accounts = 200,
    days: Annotated[int, typer.Option(min=1, max=3_650, help="How many days to simulate.")] = 90,
    speed: Annotated[
        float,
        typer.Option(min=0.001, help="Simulated seconds in a real second; 129600 is a quarter in a minute."),
    ] = 129_600.0,
    seed: _Seed = 7,
    start: Annotated[
        str | None, typer.Option(help="The first day, like 2026-01-31.", show_default="that many days ago")
    ] = None,
    per_seat: Annotated[
        float,
        typer.Option(min=0.0, max=1_000.0, help="Usage events of one seat on a healthy working day."),
    ] = 0.25,
    gateway: Annotated[
        str | None, typer.Option(help="Post to this URL.", show_default="the one in the settings")
    ] = None,
    tenant: Annotated[str, typer.Option(help="The tenant whose keys to post with.")] = "demo",
    direct: Annotated[
        bool, typer.Option("--direct", help="Write Avro straight to Kafka instead of posting to the gateway.")
    ] = False,
    world: Annotated[
        str | None,
        typer.Option(
            help="Instead of a company, play this world, whose customers' fates are known (docs/worlds.md): "
            "a name or a YAML file.",
            show_default="none",
        ),
    ] = None,
    events: Annotated[
        int | None,
        typer.Option(min=0, help="Instead of a company, send exactly so many usage events of now, as load."),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.0, help="With --events: at most so many a second; 0: no bound.")
    ] = 0.0,
    truth: Annotated[
        Path | None, typer.Option(help="Write hidden states and exact totals to this file, as JSON lines.")
    ] = None,
    late: _Share = 0.02,
    duplicate: _Share = 0.01,
    bad: _Share = 0.002,
    too_late: _Share = 0.001,
    from_future: _Share = 0.0005,
    as_json: Json = False,
) -> None:
    """
    Run a simulated company against a running Bellbuoy, as its customers' systems would.

    Usage comes through the tracking API, billing as signed Stripe webhooks, tickets as signed Zendesk
    webhooks. Late, duplicate and broken events are put in on purpose, and --truth says which.

    --world plays a world as its file says, without the disorder options. Its truth file has fates.

    With journal.clock = "simulated" the simulation sets the time of the whole deployment.

    \b
    Examples:
      bellbuoy simulate --days 30 --truth truth.jsonl
      bellbuoy simulate --world saas --direct --accounts 1000 --truth fates.jsonl
      bellbuoy simulate --direct --events 1000000 --json
    """
    from bellbuoy.cli.deployment.simulation_progress import SimulationProgress, summary_lines
    from bellbuoy.settings import load
    from bellbuoy.simulator.run.simulate import SimulationOptions, run_simulation
    from bellbuoy.simulator.world.disorder import Disorder

    options = SimulationOptions(
        accounts=accounts,
        days=days,
        speed=speed,
        seed=seed,
        start=start,
        per_seat=per_seat,
        gateway=gateway,
        tenant=tenant,
        direct=direct,
        world=world,
        events=events,
        rate=rate,
        truth=truth,
        disorder=Disorder(late, duplicate, bad, too_late, from_future),
    )
    with SimulationProgress(quiet=as_json) as progress:
        summary = asyncio.run(run_simulation(options, load(), tell, progress.follow))
    print(orjson.dumps(summary).decode() if as_json else "\n".join(summary_lines(summary)))
