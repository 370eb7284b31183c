"""The commands ``bellbuoy override``: set an account's score, or a measure's, by hand, and take that back."""

from __future__ import annotations

from getpass import getuser
from typing import TYPE_CHECKING, Annotated

import typer

from bellbuoy.cli.customers.known_account import Anyway, require_known_account
from bellbuoy.cli.options import Author, Json, Tenant
from bellbuoy.cli.terminal.output import emit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.records import AccountHealth, Override

__all__ = ["override"]

_EXIT_CODES = (
    "Exit codes: 0 ok · 1 unknown account, or another change took over · 2 usage · 69 Kafka is away · "
    "70 internal error"
)
_Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The customer's account id.")]
_Target = Annotated[str, typer.Option(help="`score`, or the measure whose score is set.")]
_MAX_DAYS = 3_650

override = typer.Typer(
    name="override",
    help="Set the score of an account, or of one of its measures, by hand.\n\n"
    "For what no measure can know. An override stands until it is withdrawn or ends, and survives every "
    "recomputation; `bellbuoy explain` shows it with its author and reason. The newest override of a target "
    "counts.",
    no_args_is_help=True,
    epilog=_EXIT_CODES,
)


@override.command("set", epilog=_EXIT_CODES)
def set_(
    account: _Account,
    value: Annotated[
        float,
        typer.Argument(metavar="VALUE", min=0.0, max=100.0, help="The score to use in its place, 0 to 100."),
    ],
    reason: Annotated[str, typer.Option(help="Why, in a sentence.", show_default=False)],
    target: _Target = "score",
    days: Annotated[
        int | None,
        typer.Option(min=1, max=_MAX_DAYS, help="End it after so many days.", show_default="never"),
    ] = None,
    tenant: Tenant = "demo",
    author: Author = "",
    anyway: Anyway = False,
    as_json: Json = False,
) -> None:
    """
    Set the score of an account, or of one of its measures.

    Of an account that nothing is known of yet, --anyway keeps the override: it counts from the account's
    first event on.

    \b
    Examples:
      bellbuoy override set amber-harbour-foods 35 --reason "Told us they look elsewhere" --days 30
      bellbuoy override set 4711 80 --target usage.drop --reason "Plant holidays" --days 14 --tenant acme
    """
    _change(account, value, reason, target, days, tenant, author, anyway=anyway, as_json=as_json)


@override.command(epilog=_EXIT_CODES)
def withdraw(
    account: _Account,
    reason: Annotated[str, typer.Option(help="Why, in a sentence.")] = "Withdrawn",
    target: _Target = "score",
    tenant: Tenant = "demo",
    author: Author = "",
    anyway: Anyway = False,
    as_json: Json = False,
) -> None:
    """
    Withdraw the override of a target, so that the measured value counts again.

    \b
    Examples:
      bellbuoy override withdraw amber-harbour-foods
      bellbuoy override withdraw 4711 --target usage.drop --tenant acme
    """
    _change(account, None, reason, target, None, tenant, author, anyway=anyway, as_json=as_json)


@override.command("list", epilog=_EXIT_CODES)
def list_overrides(
    account: Annotated[
        str | None, typer.Argument(metavar="[ACCOUNT]", help="Only this customer's.", show_default=False)
    ] = None,
    tenant: Tenant = "demo",
    as_json: Json = False,
) -> None:
    """
    List the overrides in force: what is set, by whom, since and until when, and why.

    Those without an end stand until somebody withdraws them. An override of an account that nothing else is
    known of is listed too, with a word on that.

    \b
    Examples:
      bellbuoy override list
      bellbuoy override list amber-harbour-foods
      bellbuoy override list --tenant acme --json
    """
    import msgspec

    from bellbuoy.cli.terminal.output import print_table
    from bellbuoy.operations.acts.overrides import overrides_in_force
    from bellbuoy.operations.kafka.journal_time import journal_time
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.render.overrides import render_overrides
    from bellbuoy.settings import load

    settings = load()
    require_topics(settings)
    found = overrides_in_force(settings, tenant, journal_time(settings), account)
    if as_json:
        rows = [
            {"account_id": one.account_id, "target": one.target, "known": one.known}
            | {"since": one.override.at[0]}
            | {name: value for name, value in msgspec.structs.asdict(one.override).items() if name != "at"}
            for one in found
        ]
        emit({"tenant": tenant, "overrides": rows}, [], as_json)
    elif found:
        print_table(render_overrides(found))
    else:
        print(f"No override is in force for {tenant}{'' if account is None else f':{account}'}.")


def _change(
    account: str,
    value: float | None,
    reason: str,
    target: str,
    days: int | None,
    tenant: str,
    author: str,
    *,
    anyway: bool,
    as_json: bool,
) -> None:
    import msgspec

    from bellbuoy.operations.changes.overrides import write_override
    from bellbuoy.operations.kafka.journal_time import journal_time
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load
    from processors.measures import MEASURES
    from processors.observe.override import is_target
    from schemas.identity.aliases import is_alias
    from schemas.identity.keys import valid_account, valid_tenant
    from schemas.suggestions import suggestion
    from schemas.times import DAY, iso

    if not is_target(target):
        raise typer.BadParameter(
            f"no such measure: {target}; {suggestion(target, list(MEASURES), 'docs/measures.md')}"
        )
    if not valid_account(account) or not valid_tenant(tenant):
        raise typer.BadParameter("give an account's id and the tenant it belongs to")
    if is_alias(account):
        raise typer.BadParameter(f"{account} is an alias and has no score: name the account it belongs to")
    settings = load()
    require_topics(settings)
    known = None if anyway else require_known_account(settings, tenant, account)
    until = None if days is None else journal_time(settings) + days * DAY
    written = write_override(
        settings,
        tenant,
        account,
        target=target,
        value=value,
        reason=reason,
        author=author or getuser(),
        until=until,
    )
    before = None if known is None else _in_force(known, target, written.occurred_at)
    ends = "" if until is None else f" until {iso(until)}"
    line = (
        f"The measured value counts again for {target} of {tenant}:{account}."
        if value is None
        else f"{target} of {tenant}:{account} is set to {value:g}{ends}."
    )
    data = {
        "tenant": tenant,
        "account_id": account,
        "target": target,
        "value": value,
        "expires_at": until,
        "before": None if before is None else msgspec.structs.asdict(before),
    }
    emit(data, [line, *_replaced(before, known, value)], as_json)


def _in_force(account: AccountHealth, target: str, now: int) -> Override | None:
    """Return the override of a target that an account shows, and that has not ended by now."""
    shown = (one for one in account.overrides if one.target == target)
    return next((one for one in shown if one.until is None or one.until > now), None)


def _replaced(before: Override | None, account: AccountHealth | None, value: float | None) -> Iterator[str]:
    """Say which override, as the account showed it, this one takes the place of."""
    from bellbuoy.cli.intake.deadletters_filter import printable
    from schemas.times import iso

    if before is not None:
        author, reason = printable(before.author), printable(before.reason)
        yield f"  before: {before.value:g} by {author} since {iso(before.since)}: {reason}"
    elif account is not None and value is None:
        yield "  before: the account showed no override of it"
