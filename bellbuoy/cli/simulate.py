"""The commands that show Bellbuoy at work: `simulate` and `demo`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from bellbuoy import exit_codes
from bellbuoy.settings import ConfigError, load

__all__ = ["register"]

_EXITS = (
    "Exit codes: 0 ok · 1 failed · 2 usage or configuration · 69 a needed service is away · 70 internal error"
)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
_Share = Annotated[
    float, typer.Option(min=0.0, max=1.0, rich_help_panel="Disorder, as a share of the events")
]
_Accounts = Annotated[int, typer.Option(min=1, max=100_000, help="How many customers the company has.")]
_Seed = Annotated[int, typer.Option(help="The same seed gives the same company and events.")]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command(epilog=_EXITS)(demo)
    app.command(epilog=_EXITS)(simulate)


def demo(
    seconds: Annotated[
        float | None,
        typer.Option(min=1.0, help="Run so long and end with a report.", show_default="until Ctrl-C"),
    ] = None,
    accounts: _Accounts = 200,
    seed: _Seed = 7,
    data: Annotated[
        Path | None, typer.Option(help="Keep the demo's data here.", show_default=".bellbuoy/demo")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what earlier demos left there.")] = False,
    as_json: _Json = False,
) -> None:
    """
    Show everything at work: the whole stack, and a company whose last quarter passes in a minute.

    Starts Kafka, Redis and the four roles on this machine, runs a simulated company of 200 customers
    through the last 90 days and then live, and shows who is at risk, and why.

    --seconds with --json ends with one line of JSON that accounts for every event.

    \b
    Examples:
      bellbuoy demo
      bellbuoy demo --fresh --seconds 60
      bellbuoy demo --seconds 30 --json
    """
    from bellbuoy.demo import run as running
    from bellbuoy.demo.report import lines
    from bellbuoy.operations.drain import NotDrainedError
    from bellbuoy.simulator.wire.carrier import CarrierError

    if as_json and seconds is None:
        raise ConfigError("--json prints the report of a bounded run: add --seconds")
    settings = load()
    home = (settings.data / "demo" if data is None else data).absolute()
    options = running.DemoOptions(data=home, accounts=accounts, seed=seed, seconds=seconds, fresh=fresh)
    screen = sys.stdout.isatty() and not as_json
    try:
        report, balanced = running.run(options, settings, say, screen=screen)
    except (CarrierError, NotDrainedError) as error:
        say(f"bellbuoy: {error}")
        raise typer.Exit(exit_codes.FAILED) from None
    if report is not None:
        print(orjson.dumps(report).decode() if as_json else "\n".join(lines(report)))
    raise typer.Exit(exit_codes.OK if balanced else exit_codes.FAILED)


def simulate(
    accounts: _Accounts = 200,
    days: Annotated[int, typer.Option(min=1, max=3_650, help="How many days to simulate.")] = 90,
    speed: Annotated[
        float, typer.Option(min=0.001, help="Simulated seconds a real second; 129600 is a quarter a minute.")
    ] = 129_600.0,
    seed: _Seed = 7,
    start: Annotated[
        str | None, typer.Option(help="First day, like 2026-01-31.", show_default="that many days ago")
    ] = None,
    per_seat: Annotated[
        float, typer.Option(min=0.0, max=1_000.0, help="Usage events a seat on a healthy working day.")
    ] = 0.25,
    gateway: Annotated[
        str | None, typer.Option(help="Post to this URL.", show_default="the one in the settings")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Whose keys to post with.")] = "demo",
    direct: Annotated[
        bool, typer.Option("--direct", help="Skip the gateway: Avro straight to Kafka.")
    ] = False,
    events: Annotated[
        int | None, typer.Option(min=0, help="No company, but exactly so many usage events of now, as load.")
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.0, help="With --events: at most so many a second; 0: no bound.")
    ] = 0.0,
    truth: Annotated[
        Path | None, typer.Option(help="Write hidden states and exact totals here, as JSON lines.")
    ] = None,
    late: _Share = 0.02,
    duplicate: _Share = 0.01,
    bad: _Share = 0.002,
    too_late: _Share = 0.001,
    from_future: _Share = 0.0005,
    as_json: _Json = False,
) -> None:
    """
    Run a simulated company against a running Bellbuoy, as its customers' systems would.

    Usage comes through the tracking API, billing as signed Stripe webhooks, tickets as signed Zendesk
    webhooks; late, doubled and broken events are planted, and --truth says which.

    With journal.clock = "simulated" the simulation owns the time of the whole deployment.

    \b
    Examples:
      bellbuoy simulate --days 30 --truth truth.jsonl
      bellbuoy simulate --direct --events 1000000 --json
    """
    from bellbuoy.cli.simulation_progress import Show
    from bellbuoy.simulator.run.job import SimulationOptions, run_simulation
    from bellbuoy.simulator.wire.carrier import CarrierError
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
        events=events,
        rate=rate,
        truth=truth,
        disorder=Disorder(late, duplicate, bad, too_late, from_future),
    )
    with Show(quiet=as_json) as show:
        try:
            summary = asyncio.run(run_simulation(options, load(), say, show.run))
        except CarrierError as error:
            say(f"bellbuoy: {error}")
            raise typer.Exit(exit_codes.AWAY) from None
    from bellbuoy.cli.simulation_progress import lines

    print(orjson.dumps(summary).decode() if as_json else "\n".join(lines(summary)))


def say(text: str) -> None:
    """Tell the operator something on stderr."""
    sys.stderr.write(f"{text}\n")
