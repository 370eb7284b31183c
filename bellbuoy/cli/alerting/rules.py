"""The commands `bellbuoy rules`: check, explain and list alert rules, and change them while all runs."""

from __future__ import annotations

from getpass import getuser
from typing import Annotated, Any

import typer

from bellbuoy.cli.options import TIME_FORMS, Author, Json, parse_past_time
from bellbuoy.cli.scoring.checked_files import (
    ForTenant,
    applied_line,
    deployed_settings,
    in_force,
    report_checks,
    require_tenant,
)
from bellbuoy.cli.terminal.output import emit, print_table
from schemas.identity.keys import ALL_TENANTS

__all__ = ["rules"]

_EXITS = (
    "Exit codes: 0 ok · 1 another change took over · 2 usage, or rules with faults · 69 Kafka is away "
    "· 70 internal error"
)
_File = Annotated[str, typer.Argument(metavar="FILE", help="A rule file, or `default`.")]

rules = typer.Typer(
    name="rules",
    help="Check, explain and change alert rules.\n\n"
    "Alert rules are a YAML file that says when an alert opens on an account, how bad it is and what it "
    "says. "
    "docs/rules.md teaches how to write one; docs/reference/alert-rules.md lists the default rules.",
    no_args_is_help=True,
    epilog=_EXITS,
)


@rules.command(epilog=_EXITS)
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Rule files, or `default`.")],
    as_json: Json = False,
) -> None:
    """
    Check rule files, and list every fault with its line, its column and the fix.

    \b
    Examples:
      bellbuoy rules check alerts.yaml
    """
    from bellbuoy.operations.model_files import check_rule_file
    from processors.measures.formats import count

    def check_one(file: str) -> tuple[Any, Any]:
        checked = check_rule_file(file)
        return checked.rules, checked.faults

    def summary(found: Any) -> str:
        shadow = sum(rule.shadow for rule in found.rules.values())
        counted = f", {shadow} of them only counted" if shadow else ""
        return f"rules {found.name} {found.version}: {count(len(found.rules), 'rule')}{counted}"

    report_checks(files, "ruleset", check_one, summary, as_json)


@rules.command(epilog=_EXITS)
def explain(
    file: _File,
    rule: Annotated[str | None, typer.Option(metavar="NAME", help="Only this rule.")] = None,
    as_json: Json = False,
) -> None:
    """
    Explain the rules of a file: when each opens, what keeps it open, what it says and what it tells.

    \b
    Examples:
      bellbuoy rules explain default
      bellbuoy rules explain alerts.yaml --rule quiet
    """
    import orjson

    from bellbuoy.operations.model_files import load_rule_file
    from bellbuoy.render.rules import rule_lines

    loaded = load_rule_file(file)
    if rule is not None and rule not in loaded.rules:
        raise typer.BadParameter(f"no rule {rule!r}; there are {', '.join(loaded.rules)}")
    named = [loaded.rules[rule]] if rule is not None else list(loaded.rules.values())
    data = orjson.loads(loaded.text)
    data["rules"] = {each.name: data["rules"][each.name] for each in named}
    lines = [f"{loaded.name} {loaded.version}"]
    for each in named:
        lines += ["", *rule_lines(each)]
    emit(data, lines, as_json)


@rules.command(epilog=_EXITS)
def schema() -> None:
    """
    Print the format of rule files as JSON Schema, for editors.

    \b
    Examples:
      bellbuoy rules schema > rules.schema.json
    """
    from processors.rules import rules_json_schema

    emit(rules_json_schema(), [], as_json=True)


@rules.command(epilog=_EXITS)
def apply(file: _File, tenant: ForTenant = ALL_TENANTS, author: Author = "", as_json: Json = False) -> None:
    """
    Put alert rules in force in the running deployment, without a restart and without a burst of alerts.

    The change is an entry of the journal, so that a replay changes rules at the same batch as the live run
    did. Every account is judged by the new rules within a minute. What opens only because the rules changed
    is muted until it gets worse. An alert whose rule is gone ends.

    \b
    Examples:
      bellbuoy rules apply alerts.yaml
      bellbuoy rules apply strict.yaml --tenant acme
    """
    from bellbuoy.operations.changes.rules import put_rules_in_force
    from bellbuoy.operations.model_files import load_rule_file

    loaded = load_rule_file(file)
    settings = deployed_settings()
    replaced = put_rules_in_force(settings, loaded, tenant=require_tenant(tenant), author=author or getuser())
    line = applied_line(loaded, tenant, replaced)
    data = {"ruleset": loaded.name, "version": loaded.version, "tenant": tenant, "replaced": replaced}
    emit(data, [line, "Every account is judged by it within a minute of journal time."], as_json)


@rules.command(epilog=_EXITS)
def withdraw(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The set's name, as `rules list` shows it.")],
    tenant: ForTenant = ALL_TENANTS,
    author: Author = "",
    as_json: Json = False,
) -> None:
    """
    Withdraw alert rules: their accounts are judged by those for every tenant, or by the default rules.

    \b
    Examples:
      bellbuoy rules withdraw strict --tenant acme
    """
    from bellbuoy.operations.changes.rules import withdraw_rules

    settings = deployed_settings()
    withdraw_rules(settings, name, tenant=require_tenant(tenant), author=author or getuser())
    emit({"ruleset": name, "tenant": tenant}, [f"{name} is withdrawn."], as_json)


@rules.command("list", epilog=_EXITS)
def list_rules(
    since: Annotated[
        str, typer.Option("--from", help=f"Count alerts that opened since this time: {TIME_FORMS}.")
    ] = "90d",
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's alerts.")] = None,
    as_json: Json = False,
) -> None:
    """
    List the rules in force, and of each rule its alerts and how many of them were right.

    An alert was right if somebody called it useful or known, or if the account left while it was open; it
    was wrong if somebody called it noise, or nobody said anything and the account renewed since, unless its
    rule warns of no loss. The precision is the share that was right of those whose outcome is known.

    \b
    Examples:
      bellbuoy rules list
      bellbuoy rules list --from 30d --tenant acme
    """
    import dataclasses

    from bellbuoy.operations.changes.in_force import rules_in_force
    from bellbuoy.operations.rule_outcomes import read_outcomes
    from bellbuoy.render.rules import outcome_table
    from processors.rules import DEFAULT_RULES, loaded_rules

    settings = deployed_settings()
    opened_from = parse_past_time(since, settings, "--from") or 0
    lines, data_in_force = in_force(
        rules_in_force(settings), "ruleset", lambda text: loaded_rules(text).version
    )
    usual = f"{DEFAULT_RULES.name} {DEFAULT_RULES.version}: for all accounts that no other rules are for"
    outcomes = read_outcomes(settings, opened_from, tenant)
    data = {
        "default": DEFAULT_RULES.version,
        "in_force": data_in_force,
        "rules": [dataclasses.asdict(each) | {"precision": each.precision} for each in outcomes],
    }
    emit(data, [usual, *lines], as_json)
    if not as_json:
        print_table(outcome_table(outcomes))


@rules.command(epilog=_EXITS)
def forecast(
    file: _File,
    since: Annotated[
        str, typer.Option("--from", help=f"Report the alerts that open from this time on: {TIME_FORMS}.")
    ] = "90d",
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's accounts.")] = None,
    as_json: Json = False,
) -> None:
    """
    Say what rules would have done: how many alerts, when, for whom, and how many of them came true.

    The journal is folded again from its beginning with the rules of the file, publishing nothing. An alert
    was right if its account left within 90 days; where less time has passed it is still open to judge.

    \b
    Examples:
      bellbuoy rules forecast alerts.yaml --from 90d
      bellbuoy rules forecast default --from 30d --tenant acme --json
    """
    import dataclasses

    from bellbuoy.operations.model_files import load_rule_file
    from bellbuoy.operations.replay.forecast import forecast_rules
    from bellbuoy.render.rules import forecast_lines, forecast_tables

    loaded = load_rule_file(file)
    settings = deployed_settings()
    first = parse_past_time(since, settings, "--from") or 0
    found = forecast_rules(settings, loaded, since=first, tenant=tenant)
    data = {
        "ruleset": loaded.name,
        "version": loaded.version,
        "from": found.since,
        "journal_begins": found.begins,
        "journal_ends": found.ends,
        "accounts": found.accounts,
        "alerts": [dataclasses.asdict(alert) | {"right": found.right(alert)} for alert in found.alerts],
        "rules": found.by_rule(),
        "owners": found.by_owner(),
    }
    emit(data, list(forecast_lines(loaded, found)), as_json)
    if not as_json and found.alerts:
        for each in forecast_tables(found):
            print_table(each)
