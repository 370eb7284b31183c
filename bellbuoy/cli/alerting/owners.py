"""The command `bellbuoy owners`: the policy of who is told of alerts, and the storms that it finds."""

from __future__ import annotations

from getpass import getuser
from typing import Annotated, Any

import typer

from bellbuoy.cli.alerting.storms import storm_commands
from bellbuoy.cli.options import Author, Json
from bellbuoy.cli.scoring.checked_files import (
    ForTenant,
    applied_line,
    deployed_settings,
    in_force,
    report_checks,
    require_tenant,
)
from bellbuoy.cli.terminal.output import emit
from schemas.identity.keys import ALL_TENANTS

__all__ = ["owners"]

_EXITS = (
    "Exit codes: 0 ok · 1 another change took over · 2 usage, or a policy with faults · 69 Kafka is away "
    "· 70 internal error"
)
_File = Annotated[str, typer.Argument(metavar="FILE", help="A policy file, or `default`.")]

owners = typer.Typer(
    name="owners",
    help="Check and change the policy: who is told of alerts, when, and how much; and end storms.\n\n"
    "A policy is a YAML file with people, working hours, budgets, escalation, storms and maintenance. "
    "docs/owners.md explains every key.",
    no_args_is_help=True,
    epilog=_EXITS,
)


@owners.command(epilog=_EXITS)
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Policy files, or `default`.")],
    as_json: Json = False,
) -> None:
    """
    Check policy files, and list every fault with its line, its column and the fix.

    \b
    Examples:
      bellbuoy owners check owners.yaml
    """
    from bellbuoy.operations.model_files import check_policy_file

    def check_one(file: str) -> tuple[Any, Any]:
        checked = check_policy_file(file)
        return checked.policy, checked.faults

    def summary(policy: Any) -> str:
        people = f"{len(policy.people)} {'person' if len(policy.people) == 1 else 'people'}"
        return f"policy {policy.name} {policy.version}: {people} by name"

    report_checks(files, "policy", check_one, summary, as_json)


@owners.command(epilog=_EXITS)
def apply(file: _File, tenant: ForTenant = ALL_TENANTS, author: Author = "", as_json: Json = False) -> None:
    """
    Put a policy in force in the running deployment, without a restart.

    The change is an entry of the journal, so that `bellbuoy replay` changes the policy at the same batch as
    the live run did. What was sent stays sent; what waits is decided by the new policy when its time comes.

    \b
    Examples:
      bellbuoy owners apply owners.yaml
      bellbuoy owners apply acme.yaml --tenant acme
    """
    from bellbuoy.operations.changes.policies import put_policy_in_force
    from bellbuoy.operations.model_files import load_policy_file

    policy = load_policy_file(file)
    settings = deployed_settings()
    replaced = put_policy_in_force(
        settings, policy, tenant=require_tenant(tenant), author=author or getuser()
    )
    line = applied_line(policy, tenant, [replaced] if replaced else [])
    data = {"policy": policy.name, "version": policy.version, "tenant": tenant, "replaced": replaced}
    emit(data, [line], as_json)


@owners.command(epilog=_EXITS)
def withdraw(tenant: ForTenant = ALL_TENANTS, author: Author = "", as_json: Json = False) -> None:
    """
    Withdraw the policy of a tenant, or of all: the one for all takes its place, or else the default.

    \b
    Examples:
      bellbuoy owners withdraw --tenant acme
    """
    from bellbuoy.operations.changes.policies import withdraw_policy

    settings = deployed_settings()
    name = withdraw_policy(settings, tenant=require_tenant(tenant), author=author or getuser())
    emit({"policy": name, "tenant": tenant}, [f"{name} is withdrawn."], as_json)


@owners.command(epilog=_EXITS)
def live(as_json: Json = False) -> None:
    """
    List the policies in force in the running deployment, with since when and by whom.

    \b
    Examples:
      bellbuoy owners live
    """
    from bellbuoy.operations.changes.in_force import policies_in_force
    from processors.owners.policy import DEFAULT_POLICY, load_policy

    lines, data = in_force(
        policies_in_force(deployed_settings()), "policy", lambda text: load_policy(text).version
    )
    usual = f"{DEFAULT_POLICY.name} {DEFAULT_POLICY.version}: for tenants that no other policy is for"
    emit({"default": DEFAULT_POLICY.version, "in_force": data}, [usual, *lines], as_json)


@owners.command(epilog=_EXITS)
def schema() -> None:
    """
    Print the format of policy files as JSON Schema, for editors.

    \b
    Examples:
      bellbuoy owners schema > owners.schema.json
    """
    from processors.owners.policy import policy_json_schema

    emit(policy_json_schema(), [], as_json=True)


owners.add_typer(storm_commands)
