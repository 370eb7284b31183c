"""`bellbuoy model apply`, `withdraw` and `live`: the models that a running deployment goes by."""

from __future__ import annotations

from getpass import getuser
from typing import Annotated

import typer

from bellbuoy.cli.model import model
from bellbuoy.cli.output import emit
from schemas.identity.keys import ALL_TENANTS

__all__ = ["apply", "live", "withdraw"]

_EXITS = (
    "Exit codes: 0 ok · 1 another change took over · 2 usage, or a model with faults · 69 Kafka is away "
    "· 70 internal error"
)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
_File = Annotated[str, typer.Argument(metavar="FILE", help="A model file, or `default`.")]
_Tenant = Annotated[str, typer.Option(help="Only for this tenant.", show_default="every tenant")]
_Author = Annotated[str, typer.Option(help="Who does this, for the record.", show_default="you")]


@model.command(epilog=_EXITS)
def apply(
    file: _File,
    tenant: _Tenant = ALL_TENANTS,
    beside: Annotated[
        bool, typer.Option("--beside", help="Let it score for comparison only; it raises no alert.")
    ] = False,
    author: _Author = "",
    as_json: _Json = False,
) -> None:
    """
    Put a model in force in the running deployment, without a restart.

    The change is an entry of the journal, so `bellbuoy replay` switches where the live run did. Within a
    minute every account is scored anew; alerts that only the new model would open are muted until the account
    gets worse, so that nobody is flooded. See first what would change: `bellbuoy replay --model FILE`.

    \b
    Examples:
      bellbuoy model apply health.yaml
      bellbuoy model apply strict.yaml --tenant acme
      bellbuoy model apply candidate.yaml --beside
    """
    from bellbuoy.operations.changes import put_in_force, whose
    from bellbuoy.operations.model_files import load_file
    from bellbuoy.operations.roles import require_topics
    from bellbuoy.settings import load

    loaded, settings = load_file(file), load()
    require_topics(settings)
    replaced = put_in_force(
        settings, loaded, tenant=_valid(tenant), beside=beside, author=author or getuser()
    )
    what = "scores for comparison beside the live one" if beside else "is in force"
    line = f"{loaded.name} {loaded.version} {what} for {whose(tenant)}"
    line += f"; it takes the place of {', '.join(replaced)}." if replaced else "."
    data = {
        "model": loaded.name,
        "version": loaded.version,
        "tenant": tenant,
        "beside": beside,
        "replaced": replaced,
    }
    emit(data, [line, "Accounts are scored anew within a minute of the journal's time."], as_json)


@model.command(epilog=_EXITS)
def withdraw(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The model's name, as `model live` shows it.")],
    tenant: _Tenant = ALL_TENANTS,
    author: _Author = "",
    as_json: _Json = False,
) -> None:
    """
    Take a model out of force; what is left scores its accounts, in the end the default model.

    \b
    Examples:
      bellbuoy model withdraw strict --tenant acme
    """
    from bellbuoy.operations.changes import withdraw as take_out
    from bellbuoy.operations.roles import require_topics
    from bellbuoy.settings import load

    settings = load()
    require_topics(settings)
    role = take_out(settings, name, tenant=_valid(tenant), author=author or getuser())
    emit({"model": name, "tenant": tenant, "role": role}, [f"{name} is withdrawn."], as_json)


@model.command(epilog=_EXITS)
def live(as_json: _Json = False) -> None:
    """
    List the models that are in force in the running deployment, since when and by whom.

    \b
    Examples:
      bellbuoy model live
    """
    from bellbuoy.operations.changes import in_force, whose
    from bellbuoy.operations.roles import require_topics
    from bellbuoy.settings import load
    from processors.model import DEFAULT, load_model
    from schemas.times import iso

    settings = load()
    require_topics(settings)
    lines, data = [f"{DEFAULT.name} {DEFAULT.version}: for all that no other is for"], []
    for one in in_force(settings):
        version = load_model(one.text or "").version
        role = ", for comparison only" if one.role == "beside" else ""
        lines.append(f"{one.name} {version}: {whose(one.tenant)}{role}, since {iso(one.at)}, by {one.author}")
        data.append(
            {
                "model": one.name,
                "version": version,
                "tenant": one.tenant,
                "role": one.role,
                "since": one.at,
                "author": one.author,
            }
        )
    emit({"default": DEFAULT.version, "in_force": data}, lines, as_json)


def _valid(tenant: str) -> str:
    from schemas.identity.keys import valid_tenant

    if tenant != ALL_TENANTS and not valid_tenant(tenant):
        raise typer.BadParameter("a tenant is 1-63 of a-z, 0-9, _ and -, and begins with a letter or digit")
    return tenant
