"""The command ``bellbuoy replay``: fold the journal again and compare the result with the live state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bellbuoy.cli.options import TIME_FORMS, Json, parse_past_time, require_order
from bellbuoy.cli.terminal.output import emit, fail
from bellbuoy.exit_codes import CONFIGURATION, FAILED, OK
from schemas.times import iso

if TYPE_CHECKING:
    from bellbuoy.operations.replay.run import Replay
    from bellbuoy.settings import Settings
    from processors.model import Model

__all__ = ["replay"]

_SHOWN_ROWS = 20


def replay(
    since: Annotated[
        str, typer.Option("--from", help=f"Report what happened since this time: {TIME_FORMS}.")
    ],
    until: Annotated[str | None, typer.Option("--to", help="Stop at this time.", show_default="now")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="FILE", help="Compare with this model, a file or `default`.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's accounts.")] = None,
    as_json: Json = False,
) -> None:
    """
    Fold the journal again, without publishing anything, and compare the result with the live state.

    Without --model the states and the alerts must equal the live ones, to the byte; where they don't, the
    exit code is 1. With --model the two models are compared: accounts whose band differs, and alerts that
    would open, or would not.

    The journal is folded from its beginning in any case, so that the states at --from are right.

    \b
    Examples:
      bellbuoy replay --from 7d
      bellbuoy replay --from 2026-01-01 --model strict.yaml
      bellbuoy replay --from 2026-01-01 --to 2026-02-01 --model strict.yaml --tenant acme --json
    """
    from bellbuoy.cli.terminal.progress_bar import progress_bar
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.operations.model_files import ModelFileError, load_file
    from bellbuoy.operations.replay.run import as_data, comparison_data, replay_journal
    from bellbuoy.settings import load
    from processors.model import DEFAULT

    settings = load()
    first = parse_past_time(since, settings, "--from") or 0
    last = parse_past_time(until, settings, "--to")
    require_order(first, last, "--from, --to")
    try:
        other = None if model is None else load_file(model)
    except ModelFileError as error:
        fail(str(error), CONFIGURATION)
    require_topics(settings)
    with progress_bar("folding", None, quiet=as_json) as progress:
        replayed = replay_journal(
            settings, DEFAULT, since=first, until=last, other=other, tenant=tenant, progress=progress
        )
    erased = _erased(settings)
    data = (
        as_data(replayed, first)
        | {"erased": erased}
        | ({} if other is None else comparison_data(replayed, other))
    )
    lines = _lines(replayed, first, last, other)
    if any(erased.values()):
        lines.append(
            f"{erased['accounts']:,} accounts, and people of {erased['with_people']:,}, were erased by now: "
            "what the journal still has of them ends with their erasure here, too."
        )
    emit(data, lines, as_json)
    raise typer.Exit(OK if replayed.same_as_live or other is not None else FAILED)


def _erased(settings: Settings) -> dict[str, int]:
    """Return how many accounts were erased, and of how many people were."""
    from bellbuoy.operations.forget.erasure_list import read_erasures

    entries = read_erasures(settings).entries.values()
    return {
        "accounts": sum(entry.erased_at >= 0 for entry in entries),
        "with_people": sum(bool(entry.people) for entry in entries),
    }


def _lines(replayed: Replay, since: int, until: int | None, other: Model | None) -> list[str]:
    if not replayed.begins:
        return ["The journal is empty: there is nothing to replay."]
    lines = [_amount(replayed)]
    if not replayed.whole:
        lines.append(
            f"The journal begins at {iso(replayed.begins)}: older batches are gone from it, so the replayed "
            "states lack them and differ from the live ones."
        )
    elif since < replayed.begins:
        lines.append(f"The journal begins at {iso(replayed.begins)}, later than --from.")
    what = "alerts and notifications" if until is not None else "states, alerts and notifications"
    lines.append(
        f"The {what} equal the live ones."
        if replayed.same_as_live
        else f"The {what} do NOT equal the live ones:"
    )
    differing = [f"state of {tenant}:{account}" for tenant, account in replayed.states]
    lines += _first_rows([*differing, *(f"alert {alert}" for alert in replayed.alerts), *replayed.owners])
    if other is not None:
        lines += _comparison(replayed, since, other)
    return lines


def _comparison(replayed: Replay, since: int, other: Model) -> list[str]:
    from processors.measures.formats import count

    lines = [f"Under {other.name} {other.version}:"]
    for (band, other_band), accounts in sorted(replayed.bands().items()):
        if band != other_band:
            lines.append(f"  {count(accounts, 'account')} {band} would be {other_band}")
    lines += _first_rows([f"{t}:{a} {band} -> {would_be}" for t, a, band, would_be in replayed.moved()])
    opened = replayed.opened()
    more = sum(max(0, would - did) for *_, did, would in opened)
    fewer = sum(max(0, did - would) for *_, did, would in opened)
    lines.append(f"  since {iso(since)}, {more:,} more alerts would open and {fewer:,} would not")
    return lines + _first_rows([f"{t}:{a} {rule}: {did} -> {would}" for t, a, rule, did, would in opened])


def _amount(replayed: Replay) -> str:
    from processors.measures.formats import count

    return (
        f"{replayed.total('batches'):,} batches with {count(replayed.total('events'), 'event')} of "
        f"{count(replayed.total('accounts'), 'account')}, {iso(replayed.begins)} to {iso(replayed.ends)}, in "
        f"{replayed.seconds:.1f} s: {replayed.days_per_minute:,.1f} days of history a minute."
    )


def _first_rows(rows: list[str]) -> list[str]:
    shown = [f"  {row}" for row in rows[:_SHOWN_ROWS]]
    hidden = len(rows) - len(shown)
    return [*shown, f"  … and {hidden:,} more (--json has all)"] if hidden else shown
