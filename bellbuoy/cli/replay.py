"""`bellbuoy replay`: fold the journal again, and hold it against what is live."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellbuoy.cli.output import emit
from bellbuoy.cli.progress_bar import progress_bar
from bellbuoy.exit_codes import CONFIGURATION, FAILED, OK
from bellbuoy.operations.roles import require_topics
from bellbuoy.settings import load
from bellbuoy.times import MOMENT, moment
from schemas.times import iso

if TYPE_CHECKING:
    from bellbuoy.operations.replay import Replay
    from processors.model import Model

__all__ = ["replay"]

_MOST_SHOWN = 20


def replay(
    since: Annotated[str, typer.Option("--from", help=f"Report what happened since then: {MOMENT}.")],
    until: Annotated[str | None, typer.Option("--to", help="Stop there.", show_default="now")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="FILE", help="Compare with this model, a file or `default`.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's accounts.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """
    Fold the journal again beside the live state; nothing is published.

    Without --model the states and the alerts must be those that are live, to the byte; the exit code is 1
    where they are not. With --model the two models are compared: accounts whose band differs, and alerts
    that would open, or would not.

    The journal is folded from its beginning in any case, so that the states at --from are right.

    \b
    Examples:
      bellbuoy replay --from 7d
      bellbuoy replay --from 2026-01-01 --model strict.yaml
      bellbuoy replay --from 2026-01-01 --to 2026-02-01 --model strict.yaml --tenant acme --json
    """
    from bellbuoy.operations import replay as replaying
    from bellbuoy.operations.model_files import ModelFileError, load_file
    from processors.model import DEFAULT

    settings = load()
    first, last = moment(since) or 0, moment(until)
    try:
        other = None if model is None else load_file(model)
    except ModelFileError as error:
        sys.stderr.write(f"bellbuoy: {error}\n")
        raise typer.Exit(CONFIGURATION) from None
    require_topics(settings)
    with progress_bar("folding", None, quiet=as_json) as show:
        found = replaying.replay(
            settings, DEFAULT, since=first, until=last, other=other, tenant=tenant, told=show
        )
    same = found.whole and not found.states and not found.alerts
    data = _data(found, first, same=same) | ({} if other is None else _comparison(found, other))
    emit(data, _lines(found, first, last, other, same=same), as_json)
    raise typer.Exit(OK if same or other is not None else FAILED)


def _data(found: Replay, since: int, *, same: bool) -> dict[str, Any]:
    return {
        "from": since,
        "journal_begins": found.begins,
        "journal_ends": found.ends,
        "journal_whole": found.whole,
        "batches": found.total("batches"),
        "events": found.total("events"),
        "accounts": found.total("accounts"),
        "alert_changes": found.total("changes"),
        "same_as_live": same,
        "states_differ": found.states,
        "alerts_differ": found.alerts,
        "seconds": round(found.seconds, 3),
        "days_per_minute": round(found.days_per_minute, 3),
    }


def _comparison(found: Replay, other: Model) -> dict[str, Any]:
    return {
        "model": {"name": other.name, "version": other.version},
        "bands": [{"band": a, "other": b, "accounts": n} for (a, b), n in sorted(found.bands().items())],
        "bands_differ": [
            {"tenant": t, "account_id": a, "band": one, "other": two} for t, a, one, two in found.moved()
        ],
        "alerts_opened_differ": [
            {"tenant": t, "account_id": a, "rule": rule, "opened": one, "other": two}
            for t, a, rule, one, two in found.opened()
        ],
    }


def _lines(found: Replay, since: int, until: int | None, other: Model | None, *, same: bool) -> list[str]:
    if not found.begins:
        return ["The journal is empty: there is nothing to replay."]
    lines = [_work(found)]
    if not found.whole:
        lines.append(
            f"The journal begins at {iso(found.begins)}: what came before is gone from it, so the replayed "
            "states lack it and are not those that are live."
        )
    elif since < found.begins:
        lines.append(f"The journal begins at {iso(found.begins)}, later than --from.")
    what = "alerts" if until is not None else "states and alerts"
    lines.append(
        f"The {what} are those that are live." if same else f"The {what} are NOT those that are live:"
    )
    lines += _some([f"state of {t}:{a}" for t, a in found.states] + [f"alert {x}" for x in found.alerts])
    if other is None:
        return lines
    lines.append(f"Under {other.name} {other.version}:")
    for (one, two), accounts in sorted(found.bands().items()):
        if one != two:
            lines.append(f"  {accounts:,} accounts {one} would be {two}")
    lines += _some([f"{t}:{a} {one} -> {two}" for t, a, one, two in found.moved()])
    more = sum(max(0, two - one) for *_, one, two in found.opened())
    fewer = sum(max(0, one - two) for *_, one, two in found.opened())
    lines.append(f"  since {iso(since)}, {more:,} more alerts would open and {fewer:,} would not")
    lines += _some([f"{t}:{a} {rule}: {one} -> {two}" for t, a, rule, one, two in found.opened()])
    return lines


def _work(found: Replay) -> str:
    return (
        f"{found.total('batches'):,} batches with {found.total('events'):,} events of "
        f"{found.total('accounts'):,} accounts, {iso(found.begins)} to {iso(found.ends)}, in "
        f"{found.seconds:.1f} s: {found.days_per_minute:,.1f} days of history a minute."
    )


def _some(rows: list[str]) -> list[str]:
    shown = [f"  {row}" for row in rows[:_MOST_SHOWN]]
    hidden = len(rows) - len(shown)
    return [*shown, f"  … and {hidden:,} more (--json has all)"] if hidden else shown
