"""The commands `bellbuoy model apply`, `withdraw` and `live`: the models of a running deployment."""

from __future__ import annotations

from getpass import getuser
from typing import Annotated

import typer

from bellbuoy.cli.options import Author, Json
from bellbuoy.cli.scoring.checked_files import ForTenant, applied_line, deployed_settings, require_tenant
from bellbuoy.cli.terminal.output import emit
from schemas.identity.keys import ALL_TENANTS

__all__ = ["live_models"]

_EXITS = (
    "Exit codes: 0 ok · 1 another change took over · 2 usage, or a model with faults · 69 Kafka is away "
    "· 70 internal error"
)
_File = Annotated[str, typer.Argument(metavar="FILE", help="A model file, or `default`.")]

live_models = typer.Typer()


@live_models.command(epilog=_EXITS)
def apply(
    file: _File,
    tenant: ForTenant = ALL_TENANTS,
    shadow: Annotated[
        bool,
        typer.Option("--shadow", help="As a shadow model: it scores for comparison and raises no alert."),
    ] = False,
    author: Author = "",
    as_json: Json = False,
) -> None:
    """
    Put a model in force in the running deployment, without a restart.

    The change is an entry of the journal, so that `bellbuoy replay` changes models at the same batch as the
    live run did. Every account is scored with it within a minute. An alert that only the change of model
    would open is muted until the account gets worse, so that nobody is flooded. `bellbuoy replay --model
    FILE` shows beforehand what would change.

    \b
    Examples:
      bellbuoy model apply health.yaml
      bellbuoy model apply strict.yaml --tenant acme
      bellbuoy model apply candidate.yaml --shadow
    """
    from bellbuoy.operations.changes.models import put_model_in_force
    from bellbuoy.operations.model_files import load_file

    loaded = load_file(file)
    settings = deployed_settings()
    replaced = put_model_in_force(
        settings, loaded, tenant=require_tenant(tenant), shadow=shadow, author=author or getuser()
    )
    what = "scores as a shadow model" if shadow else "is in force"
    line = applied_line(loaded, tenant, replaced, what)
    data = {
        "model": loaded.name,
        "version": loaded.version,
        "tenant": tenant,
        "shadow": shadow,
        "replaced": replaced,
    }
    emit(data, [line, "Every account is scored with it within a minute of journal time."], as_json)


@live_models.command(epilog=_EXITS)
def withdraw(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The model's name, as `model live` shows it.")],
    tenant: ForTenant = ALL_TENANTS,
    author: Author = "",
    as_json: Json = False,
) -> None:
    """
    Withdraw a model: its accounts are scored by the models that remain, or else by the default model.

    \b
    Examples:
      bellbuoy model withdraw strict --tenant acme
    """
    from bellbuoy.operations.changes.models import withdraw_model

    settings = deployed_settings()
    role = withdraw_model(settings, name, tenant=require_tenant(tenant), author=author or getuser())
    emit({"model": name, "tenant": tenant, "role": role}, [f"{name} is withdrawn."], as_json)


@live_models.command(epilog=_EXITS)
def live(as_json: Json = False) -> None:
    """
    List the models in force in the running deployment, with since when and by whom.

    \b
    Examples:
      bellbuoy model live
    """
    from bellbuoy.operations.changes.in_force import models_in_force, tenant_in_words
    from processors.fold.models_in_force import SHADOW
    from processors.model import DEFAULT, load_model
    from schemas.times import iso

    settings = deployed_settings()
    lines, data = [f"{DEFAULT.name} {DEFAULT.version}: for all accounts that no other model is for"], []
    for entry in models_in_force(settings):
        version = load_model(entry.text or "", accepted=True).version
        role = ", as a shadow model" if entry.role == SHADOW else ""
        whose = tenant_in_words(entry.tenant)
        lines.append(f"{entry.name} {version}: {whose}{role}, since {iso(entry.at)}, by {entry.author}")
        data.append(
            {
                "model": entry.name,
                "version": version,
                "tenant": entry.tenant,
                "role": entry.role,
                "since": entry.at,
                "author": entry.author,
            }
        )
    emit({"default": DEFAULT.version, "in_force": data}, lines, as_json)
