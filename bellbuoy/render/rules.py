"""Text and tables about alert rules, and about what became of their alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table

from bellbuoy.operations.replay.forecast import Forecast
from bellbuoy.operations.rule_outcomes import RuleOutcome
from processors.measures.formats import count
from processors.rules import Rule, RuleSet
from schemas.times import DAY, HOUR, iso

__all__ = ["forecast_lines", "forecast_tables", "outcome_table", "rule_lines"]


def rule_lines(rule: Rule) -> Iterator[str]:
    """Yield what a rule does, in lines for people."""
    kind = f"{rule.lane.replace('_', ' ')}{', only counted' if rule.shadow else ''}"
    yield f"{rule.name} ({kind}){', for each champion and sponsor' if rule.about_person else ''}"
    for tier in rule.tiers:
        hold = f" for {_span(tier.hold)}" if tier.hold else ""
        yield f"  {tier.severity}: {tier.title.source}"
        yield f"    when {tier.question.condition.text}{hold}"
        if tier.action:
            yield f"    → {tier.action}"
    if rule.opens_if is not None:
        yield f"  opens if {rule.opens_if.condition.text}"
    if rule.stays is not None:
        yield f"  stays while {rule.stays.condition.text}"
    if rule.keep_firing:
        yield f"  ends {_span(rule.keep_firing)} after its condition did: {rule.resolved.source}"
    if rule.cooldown:
        yield f"  opens no other alert for {_span(rule.cooldown)} after it ended"
    if rule.most is not None:
        yield f"  opens {count(rule.most[0], 'time')} in {_span(rule.most[1])} at most"
    if rule.one_of is not None:
        yield f"  one alert of {rule.one_of!r} at a time"
    if rule.tells:
        yield f"  tells of {', '.join(rule.tells)}: the band is judged without them while it is open"


def outcome_table(outcomes: Sequence[RuleOutcome]) -> Table:
    """Return what became of the alerts of each rule as a table."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Rule", no_wrap=True)
    for name in ("Alerts", "Open", "Useful", "Known", "Noise", "Churned", "Renewed", "Precision"):
        table.add_column(name, justify="right")
    for each in outcomes:
        precision = "" if each.precision is None else f"{each.precision:.0%}"
        said = (each.useful, each.known, each.noise)
        counts = (each.opened, each.still_open, *said, each.churned, each.renewed)
        name = f"{each.rule} (shadow)" if each.shadow else each.rule
        table.add_row(name, *(f"{count:,}" for count in counts), precision)
    return table


def forecast_lines(rules: RuleSet, forecast: Forecast) -> Iterator[str]:
    """Yield what a forecast says as a whole."""
    if not forecast.begins:
        yield "The journal is empty: there is nothing to forecast from."
        return
    began = max(forecast.since, forecast.begins)
    yield (
        f"{rules.name} {rules.version} would have opened {count(len(forecast.alerts), 'alert')} on "
        f"{count(forecast.accounts, 'account')} from {iso(began)} to {iso(forecast.ends)}, "
        f"{len(forecast.alerts) / forecast.weeks:,.1f} a week."
    )
    if forecast.since < forecast.begins:
        yield f"The journal begins at {iso(forecast.begins)}, later than --from."


def forecast_tables(forecast: Forecast) -> Iterator[Table]:
    """Yield what a forecast says of each rule, and of each owner."""
    rules = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    rules.add_column("Rule", no_wrap=True)
    for name in ("Alerts", "Accounts", "A week", "Right", "Wrong", "Open to judge"):
        rules.add_column(name, justify="right")
    for row in forecast.by_rule():
        rules.add_row(*(f"{value:,}" if not isinstance(value, str) else value for value in row.values()))
    yield rules
    owners = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    owners.add_column("Owner", no_wrap=True)
    for name in ("Alerts", "A week", "Busiest week"):
        owners.add_column(name, justify="right")
    for row in forecast.by_owner():
        values = list(row.values())
        owners.add_row(values[0] or "nobody", *(f"{value:,}" for value in values[1:]))
    yield owners


def _span(milliseconds: int) -> str:
    for unit, name in ((DAY, "day"), (HOUR, "hour")):
        if milliseconds % unit == 0:
            number = milliseconds // unit
            return f"{number} {name}{'' if number == 1 else 's'}"
    return count(milliseconds // 60_000, "minute")
