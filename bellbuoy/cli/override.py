"""`bellbuoy override`: say of an account what no measure can know."""

from __future__ import annotations

import sys
from contextlib import suppress
from getpass import getuser
from typing import TYPE_CHECKING, Annotated

import typer

from bellbuoy.cli.output import emit

if TYPE_CHECKING:
    from bellbuoy.settings import Settings

__all__ = ["override"]

_EXITS = "Exit codes: 0 ok · 1 another change took over · 2 usage · 69 Kafka is away · 70 internal error"
_Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The customer's account id.")]
_Target = Annotated[str, typer.Option(help="`score`, or the measure whose score is set.")]
_Tenant = Annotated[str, typer.Option(help="Whose customer.")]
_Author = Annotated[str, typer.Option(help="Who says so, for the record.", show_default="you")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
_LONGEST_DAYS = 3_650

override = typer.Typer(
    help="Say of an account what no measure can know: set its score, or that of a measure.\n\n"
    "An override stands until it is withdrawn or ends, and survives every recomputation; `bellbuoy explain` "
    "shows it with its author and reason. The newest word on a target counts.",
    no_args_is_help=True,
    epilog=_EXITS,
)


@override.command("set", epilog=_EXITS)
def set_(
    account: _Account,
    value: Annotated[float, typer.Argument(min=0.0, max=100.0, help="The score in its place, 0 to 100.")],
    reason: Annotated[str, typer.Option(help="Why, in a sentence.", show_default=False)],
    target: _Target = "score",
    days: Annotated[
        int | None,
        typer.Option(min=1, max=_LONGEST_DAYS, help="End it after so many days.", show_default="never"),
    ] = None,
    tenant: _Tenant = "demo",
    author: _Author = "",
    as_json: _Json = False,
) -> None:
    """
    Set the score of an account, or of one of its measures.

    \b
    Examples:
      bellbuoy override set amber-harbour-foods 35 --reason "Told us they look elsewhere" --days 30
      bellbuoy override set 4711 80 --target usage.drop --reason "Plant holidays" --days 14 --tenant acme
    """
    _say(account, value, reason, target, days, tenant, author, as_json=as_json)


@override.command(epilog=_EXITS)
def withdraw(
    account: _Account,
    reason: Annotated[str, typer.Option(help="Why, in a sentence.")] = "Withdrawn",
    target: _Target = "score",
    tenant: _Tenant = "demo",
    author: _Author = "",
    as_json: _Json = False,
) -> None:
    """
    Take back what was said of a target; what is measured counts again.

    \b
    Examples:
      bellbuoy override withdraw amber-harbour-foods
      bellbuoy override withdraw 4711 --target usage.drop --tenant acme
    """
    _say(account, None, reason, target, None, tenant, author, as_json=as_json)


def _say(
    account: str,
    value: float | None,
    reason: str,
    target: str,
    days: int | None,
    tenant: str,
    author: str,
    *,
    as_json: bool,
) -> None:
    from bellbuoy.operations import changes as changing
    from bellbuoy.operations.roles import require_topics
    from bellbuoy.settings import load
    from processors.measures import MEASURES
    from schemas.identity.aliases import is_alias
    from schemas.identity.keys import valid_account, valid_tenant
    from schemas.suggestions import suggestion
    from schemas.times import DAY, iso

    if target not in ("score", *MEASURES):
        raise typer.BadParameter(
            f"no such measure: {target}; {suggestion(target, list(MEASURES), 'docs/measures.md')}"
        )
    if not valid_account(account) or not valid_tenant(tenant):
        raise typer.BadParameter("give an account's id and the tenant it belongs to")
    if is_alias(account):
        raise typer.BadParameter(f"{account} is an alias and has no score: name the account it belongs to")
    settings = load()
    require_topics(settings)
    until = None if days is None else changing.journal_time(settings) + days * DAY
    changing.override(
        settings,
        tenant,
        account,
        target=target,
        value=value,
        reason=reason,
        author=author or getuser(),
        until=until,
    )
    ends = "" if until is None else f" until {iso(until)}"
    line = (
        f"What is measured counts again for {target} of {tenant}:{account}."
        if value is None
        else f"{target} of {tenant}:{account} is set to {value:g}{ends}."
    )
    data = {"tenant": tenant, "account_id": account, "target": target, "value": value, "expires_at": until}
    emit(data, [line], as_json)
    _warn_of_a_slip(settings, tenant, account)


def _warn_of_a_slip(settings: Settings, tenant: str, account: str) -> None:
    """Warn when no sink knows the account; the override holds anyway, and nobody is warned without a sink."""
    from bellbuoy.operations.sinks import serving_reader
    from bellbuoy.settings import ConfigError
    from sinks.port import SinkSettingsError
    from sinks.serving import ReadError

    with suppress(ConfigError, SinkSettingsError, ReadError), serving_reader(settings) as reader:
        if reader.account(tenant, account) is None:
            near = reader.find(tenant, account)
            mean = f"; did you mean {', '.join(near)}?" if near else "; is it spelt so?"
            sys.stderr.write(
                f"bellbuoy: tenant {tenant} has no scored account {account!r} so far{mean} "
                "`bellbuoy override withdraw` takes it back\n"
            )
