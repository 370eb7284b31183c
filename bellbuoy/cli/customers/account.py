"""The commands ``bellbuoy account``: delete what is known of a customer."""

from __future__ import annotations

from getpass import getuser
from typing import TYPE_CHECKING, Annotated

import typer

from bellbuoy.cli.options import EXIT_CODES, Author, DryRun, Json, Tenant
from bellbuoy.cli.terminal.output import emit, fail, tell

if TYPE_CHECKING:
    from bellbuoy.operations.deletions import PlannedDeletion

__all__ = ["account"]

account = typer.Typer(
    name="account",
    help="Delete what is known of an account.",
    no_args_is_help=True,
    epilog=EXIT_CODES,
)


@account.callback()
def _group() -> None:
    """Delete what is known of an account."""


@account.command(epilog=EXIT_CODES)
def delete(
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="The customer's account id, or an alias: `~user:ID`.")
    ],
    tenant: Tenant = "demo",
    reason: Annotated[
        str, typer.Option(help="Why, in a sentence without personal data.", show_default="none")
    ] = "",
    author: Author = "",
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask before it is done.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """
    Delete an account: erase what is known of it, with the users, domains and accounts linked to it.

    Its alerts are resolved, and its health goes from every sink. What occurred before the deletion is ignored
    when it comes late; what occurs later begins a new account. Topics keep the events until their
    retention ends: docs/operations.md, "Deleting an account".

    \b
    Examples:
      bellbuoy account delete acme-inc --dry-run
      bellbuoy account delete 4711 --tenant acme --reason "Contract ended, deletion asked for"
    """
    from bellbuoy.operations.changes.deletions import write_deletions
    from bellbuoy.operations.deletions import plan_deletion
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load
    from schemas.identity.keys import valid_account, valid_tenant
    from schemas.times import iso

    if not valid_account(account) or not valid_tenant(tenant):
        raise typer.BadParameter("give an account's id and the tenant it belongs to")
    settings = load()
    require_topics(settings)
    planned = plan_deletion(settings, tenant, account)
    lines = _plan_in_words(planned, tenant)
    data = {
        "tenant": tenant,
        "account_id": account,
        "known": planned.known,
        "open_alerts": planned.open_alerts,
        "linked": planned.linked,
        "merged_into": planned.merged_into or None,
        "dry_run": dry_run,
        "deleted_at": None,
    }
    if dry_run:
        emit(data, [*lines, "Nothing was changed."], as_json)
        return
    if not yes:
        for line in lines:
            tell(line)
        try:
            agreed = typer.confirm("Delete all of this? It can't be undone.", err=True)
        except typer.Abort:
            fail("nobody answered, and nothing was changed; --yes deletes without asking")
        if not agreed:
            fail("nothing was changed")
    at = write_deletions(settings, tenant, planned.account_ids, reason=reason, author=author or getuser())
    said = f"{tenant}:{account} is deleted: what occurred up to {iso(at)} is erased within seconds."
    emit(data | {"deleted_at": at}, [*(lines if yes else []), said], as_json)


def _plan_in_words(planned: PlannedDeletion, tenant: str) -> list[str]:
    name = f" ({planned.name})" if planned.name else ""
    known = ", ".join(f"{number:,} {what}" for what, number in planned.known.items()) or "nothing but links"
    lines = [f"Of {tenant}:{planned.account_id}{name} is known: {known}."]
    if planned.merged_into:
        lines.append(
            f"It was merged into {planned.merged_into}: what was known of it by then is that account's and "
            f"stays there, unless {planned.merged_into} is deleted."
        )
    if planned.open_alerts:
        lines.append(f"Alerts that are resolved: {planned.open_alerts}.")
    if planned.linked:
        lines.append(f"Linked to it and erased with it: {', '.join(planned.linked)}.")
    return lines
