"""The commands ``bellbuoy sinks``: the destinations of scores and alerts, their schemas and their content."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bellbuoy.cli.deployment.rebuild import rebuild
from bellbuoy.cli.options import EXIT_CODES, DryRun, Json
from bellbuoy.cli.terminal.output import emit, fail
from bellbuoy.exit_codes import AWAY, FAILED, OK

__all__ = ["sinks"]

sinks = typer.Typer(
    name="sinks",
    help="Prepare, check and repair the destinations of scores and alerts.",
    no_args_is_help=True,
    epilog=EXIT_CODES,
)
sinks.command(epilog=EXIT_CODES)(rebuild)

_Name = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="The sink's name; all of them without it.")
]


@sinks.command("list", epilog=EXIT_CODES)
def list_sinks(as_json: Json = False) -> None:
    """
    List the sinks of the settings: which records each takes, and which commands work on it.

    \b
    Examples:
      bellbuoy sinks list
    """
    from bellbuoy.operations.delivery.sinks import find_sinks
    from bellbuoy.settings import load
    from sinks.installed import installed_names
    from sinks.port import Metered, Migratable, Positioned, Reconcilable
    from streams.delivery.subscription import output_topics

    abilities = {"rebuild": Positioned, "migrate": Migratable, "reconcile": Reconcilable}
    rows: list[dict[str, Any]] = [
        {
            "name": sink.name,
            "topics": list(output_topics(sink.records)),
            "commands": [
                "check",
                "lag",
                *(name for name, kind in abilities.items() if isinstance(sink, kind)),
            ],
            "daily_requests": sink.daily_requests if isinstance(sink, Metered) else None,
        }
        for sink in find_sinks(load(), None)
    ]
    lines = [
        f"{row['name']:<12} takes {', '.join(row['topics'])}; commands {', '.join(row['commands'])}"
        + (f"; at most {row['daily_requests']:,} requests a UTC day" if row["daily_requests"] else "")
        for row in rows
    ]
    unused = [name for name in installed_names() if name not in {row["name"] for row in rows}]
    lines += [
        f"{name:<12} is installed and not used: the section sinks.{name} turns it on" for name in unused
    ]
    emit({"sinks": rows, "unused": unused}, lines, as_json)


@sinks.command(epilog=EXIT_CODES)
def check(sink: _Name = None, as_json: Json = False) -> None:
    """
    Open each sink and do once what every write will do; list what is wrong.

    \b
    Examples:
      bellbuoy sinks check
      bellbuoy sinks check postgres
    """
    from bellbuoy.operations.checks import check_sinks
    from bellbuoy.operations.delivery.sinks import find_sinks
    from bellbuoy.settings import load

    settings = load()
    names = [one.name for one in find_sinks(settings, sink)]
    faults = list(check_sinks(settings, sink))
    wrong = {fault.area for fault in faults}
    lines = [f"{fault.area}: {fault.message}" for fault in faults]
    lines += [f"{name}: takes writes." for name in names if name not in wrong]
    data = {
        "ok": not faults,
        "sinks": names,
        "faults": [{"area": fault.area, "message": fault.message} for fault in faults],
    }
    emit(data, lines, as_json)
    raise typer.Exit(max((fault.code for fault in faults), default=OK))


@sinks.command(epilog=EXIT_CODES)
def lag(sink: _Name = None, as_json: Json = False) -> None:
    """
    Say how many records of each topic are not written to a sink yet, ends of transactions included.

    Of a destination with a daily budget it also says how many requests of this UTC day are used.

    \b
    Examples:
      bellbuoy sinks lag
      bellbuoy sinks lag postgres --json
    """
    from bellbuoy.operations.delivery.lag import daily_use, sink_lag
    from bellbuoy.operations.delivery.sinks import find_sinks
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load
    from bellbuoy.times import now
    from schemas.times import DAY
    from sinks.port import Metered

    settings = load()
    require_topics(settings)
    found = find_sinks(settings, sink)
    lags = {one.name: sink_lag(settings, one) for one in found}
    requests: dict[str, dict[str, int]] = {}
    for one in found:
        if isinstance(one, Metered):
            use = daily_use(settings, one)
            today = use.requests if use.day == now() // DAY else 0
            requests[one.name] = {"used": today, "budget": one.daily_requests}
    lines = [
        f"{name:<12} {sum(topics.values()):>10,} behind"
        + "".join(f"   {topic} {count:,}" for topic, count in topics.items() if count)
        + "".join(
            f"   requests today {each['used']:,} of {each['budget']:,}"
            for each in [requests.get(name)]
            if each is not None
        )
        for name, topics in lags.items()
    ]
    emit({"lag": lags, "requests": requests}, lines, as_json)


@sinks.command(epilog=EXIT_CODES)
def reconcile(
    sink: Annotated[
        str, typer.Argument(metavar="SINK", help="The sink's name, e.g. postgres.", show_default=False)
    ],
    fix: Annotated[
        bool, typer.Option("--repair", help="Write again what differs, remove what is left over.")
    ] = False,
    as_json: Json = False,
) -> None:
    """
    Compare a sink with account.health and account.kpis, account by account, and name the differences.

    Every field counts. A difference is told when it is there twice, two seconds apart; delivery may run
    meanwhile. Of a sink that keeps the past the newest record of each account is compared, as far as it has
    come. The exit code is 1 where differences stay.

    \b
    Examples:
      bellbuoy sinks reconcile redis
      bellbuoy sinks reconcile postgres --repair
      bellbuoy sinks reconcile lake --json
    """
    from contextlib import closing

    from bellbuoy.operations.delivery.reconcile import compare, find_reconcilable, repair
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load
    from sinks.port import SinkError

    settings = load()
    require_topics(settings)
    target = find_reconcilable(settings, sink)
    try:
        with closing(target):
            target.open()
            found = compare(settings, target)
            repaired = repair(settings, target, found) if fix and found.differences else 0
            left = compare(settings, target).differences if repaired else found.differences
    except SinkError as error:
        fail(str(error), AWAY)
    rows = [
        {"topic": one.topic, "tenant": one.account[0], "account": one.account[1], "difference": one.kind}
        for one in found.differences
    ]
    lines = [
        f"{topic}: {count:,} accounts published, {found.entries[topic]:,} in {sink}"
        for topic, count in found.published.items()
    ]
    lines += [
        f"  {row['difference'].replace('_', ' ')}: {row['tenant']} {row['account']} ({row['topic']})"
        for row in rows
    ]
    lines.append(_outcome(len(rows), repaired, len(left)))
    data = {
        "published": found.published,
        "entries": found.entries,
        "differences": rows,
        "repaired": repaired,
        "left": len(left),
    }
    emit(data, lines, as_json)
    raise typer.Exit(FAILED if left else OK)


def _outcome(differences: int, repaired: int, left: int) -> str:
    if not differences:
        return "No differences."
    if not repaired:
        return f"{differences:,} differences; `--repair` puts them right."
    return f"{repaired:,} differences repaired, {left:,} left."


@sinks.command(epilog=EXIT_CODES)
def migrate(sink: _Name = None, dry_run: DryRun = False, as_json: Json = False) -> None:
    """
    Bring the schema of a sink's database to this release, each change in one transaction.

    Delivery waits for it and goes on by itself; run it before the first start and after an upgrade.

    \b
    Examples:
      bellbuoy sinks migrate --dry-run
      bellbuoy sinks migrate postgres
    """
    from bellbuoy.operations.delivery.sinks import migratable
    from bellbuoy.settings import load
    from sinks.port import SinkError

    done: dict[str, list[str]] = {}
    try:
        for target in migratable(load(), sink):
            done[target.name] = target.pending()
            if not dry_run:
                done[target.name] = []
                target.migrate(done[target.name].append)
    except SinkError as error:
        fail(str(error), AWAY)
    data: dict[str, Any] = {"dry_run": dry_run, "applied": done}
    emit(data, [_sentence(name, names, dry_run=dry_run) for name, names in done.items()], as_json)


def _sentence(sink: str, names: list[str], *, dry_run: bool) -> str:
    if not names:
        return f"{sink}: the schema is this release's."
    return f"{sink}: {'would apply' if dry_run else 'applied'} {', '.join(names)}."
