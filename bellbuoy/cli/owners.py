"""The command `bellbuoy owners`: checks the policy of who is told of alerts, and puts it in force."""

from __future__ import annotations

from getpass import getuser
from typing import Annotated

import typer

from bellbuoy.cli.options import Author, Json
from bellbuoy.cli.output import emit
from bellbuoy.exit_codes import CONFIGURATION, OK
from schemas.identity.keys import ALL_TENANTS

__all__ = ["owners"]

_EXITS = (
    "Exit codes: 0 ok · 1 another change took over · 2 usage, or a policy with faults · 69 Kafka is away "
    "· 70 internal error"
)
_File = Annotated[str, typer.Argument(metavar="FILE", help="A policy file, or `default`.")]
_Tenant = Annotated[str, typer.Option(help="Only for this tenant.", show_default="every tenant")]

owners = typer.Typer(
    name="owners",
    help="Check and change the policy: who is told of alerts, when, and how much.\n\n"
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

    lines, data, count = [], [], 0
    for file in files:
        checked = check_policy_file(file)
        policy = checked.policy
        count += len(checked.faults)
        lines += [f"{file}:{fault}" for fault in checked.faults]
        if policy is not None:
            people = f"{len(policy.people)} {'person' if len(policy.people) == 1 else 'people'}"
            lines.append(f"{file}: policy {policy.name} {policy.version}: {people} by name")
        faults = [
            {
                "line": fault.line,
                "column": fault.column,
                "where": fault.where,
                "message": fault.message,
                "fix": fault.fix,
            }
            for fault in checked.faults
        ]
        data.append(
            {
                "file": file,
                "policy": policy and policy.name,
                "version": policy and policy.version,
                "faults": faults,
            }
        )
    if count:
        lines.append(f"{count} {'fault' if count == 1 else 'faults'}.")
    emit({"ok": not count, "files": data}, lines, as_json)
    raise typer.Exit(CONFIGURATION if count else OK)


@owners.command(epilog=_EXITS)
def apply(file: _File, tenant: _Tenant = ALL_TENANTS, author: Author = "", as_json: Json = False) -> None:
    """
    Put a policy in force in the running deployment, without a restart.

    The change is an entry of the journal, so that `bellbuoy replay` changes the policy at the same batch as
    the live run did. What was sent stays sent; what waits is decided by the new policy when its time comes.

    \b
    Examples:
      bellbuoy owners apply owners.yaml
      bellbuoy owners apply acme.yaml --tenant acme
    """
    from bellbuoy.operations.changes import put_policy_in_force, tenant_in_words
    from bellbuoy.operations.model_files import load_policy_file
    from bellbuoy.operations.topics import require_topics
    from bellbuoy.settings import load

    policy, settings = load_policy_file(file), load()
    require_topics(settings)
    replaced = put_policy_in_force(settings, policy, tenant=_valid(tenant), author=author or getuser())
    line = f"{policy.name} {policy.version} is in force for {tenant_in_words(tenant)}"
    line += f"; it takes the place of {replaced}." if replaced else "."
    data = {"policy": policy.name, "version": policy.version, "tenant": tenant, "replaced": replaced}
    emit(data, [line], as_json)


@owners.command(epilog=_EXITS)
def withdraw(tenant: _Tenant = ALL_TENANTS, author: Author = "", as_json: Json = False) -> None:
    """
    Withdraw the policy of a tenant, or of all: the one for all takes its place, or else the default.

    \b
    Examples:
      bellbuoy owners withdraw --tenant acme
    """
    from bellbuoy.operations.changes import withdraw_policy
    from bellbuoy.operations.topics import require_topics
    from bellbuoy.settings import load

    settings = load()
    require_topics(settings)
    name = withdraw_policy(settings, tenant=_valid(tenant), author=author or getuser())
    emit({"policy": name, "tenant": tenant}, [f"{name} is withdrawn."], as_json)


@owners.command(epilog=_EXITS)
def live(as_json: Json = False) -> None:
    """
    List the policies in force in the running deployment, with since when and by whom.

    \b
    Examples:
      bellbuoy owners live
    """
    from bellbuoy.operations.changes import policies_in_force, tenant_in_words
    from bellbuoy.operations.topics import require_topics
    from bellbuoy.settings import load
    from processors.owners.policy import DEFAULT_POLICY, load_policy
    from schemas.times import iso

    settings = load()
    require_topics(settings)
    lines = [f"{DEFAULT_POLICY.name} {DEFAULT_POLICY.version}: for tenants that no other policy is for"]
    data = []
    for entry in policies_in_force(settings):
        version = load_policy(entry.text or "").version
        whose = tenant_in_words(entry.tenant)
        lines.append(f"{entry.name} {version}: {whose}, since {iso(entry.at)}, by {entry.author}")
        data.append(
            {
                "policy": entry.name,
                "version": version,
                "tenant": entry.tenant,
                "since": entry.at,
                "author": entry.author,
            }
        )
    emit({"default": DEFAULT_POLICY.version, "in_force": data}, lines, as_json)


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


def _valid(tenant: str) -> str:
    from schemas.identity.keys import valid_tenant

    if tenant != ALL_TENANTS and not valid_tenant(tenant):
        raise typer.BadParameter("a tenant is 1-63 of a-z, 0-9, _ and -, and begins with a letter or digit")
    return tenant
