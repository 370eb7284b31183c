"""The command ``bellbuoy forget``: erase an account or a person, and say what remains until when."""

from __future__ import annotations

from getpass import getuser
from typing import Annotated

import typer

from bellbuoy.cli.options import Author, DryRun, Json, Tenant
from bellbuoy.cli.terminal.output import emit, fail
from bellbuoy.exit_codes import FAILED, OK

__all__ = ["forget"]


def forget(
    account: Annotated[
        str | None, typer.Option(help="Erase this account, with what is linked to it.")
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(help="Erase this person from every account, by the user id or e-mail address."),
    ] = None,
    tenant: Tenant = "demo",
    reason: Annotated[
        str, typer.Option(help="Why, in a sentence without personal data.", show_default="none")
    ] = "",
    author: Author = "",
    cut: Annotated[
        bool,
        typer.Option(
            "--cut-history",
            help="Cut the journal and the alerts after the subject, instead of waiting for their retention: "
            "replay and explain --at then begin later, for every account of that partition.",
        ),
    ] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for each role that is behind.")] = 60.0,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask before it is done.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """
    Erase an account or a person from states, topics, sinks and the lake, and report what remains until when.

    What arrives of it later, late or again, is dropped and counted: a list of salted hashes, which names
    nobody, says who was erased. Other accounts stay as they are, to the byte. The command can be repeated,
    and does then what was left; docs/erasure.md says what becomes of each topic and sink.

    \b
    Examples:
      bellbuoy forget --account acme-inc --dry-run
      bellbuoy forget --account acme-inc --reason "Contract ended, deletion asked for"
      bellbuoy forget --user ann@acme.example --tenant acme --yes --json
      bellbuoy forget --account acme-inc --cut-history
    """
    from bellbuoy.cli.terminal.progress_bar import progress_bar
    from bellbuoy.operations.forget.run import ForgetOptions
    from bellbuoy.operations.forget.run import forget as erase
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load
    from schemas.identity.keys import valid_account, valid_tenant

    if (account is None) == (user is None):
        raise typer.BadParameter("give one of --account and --user")
    if not valid_account(account or user or "") or not valid_tenant(tenant):
        raise typer.BadParameter("give the id of an account or a user, and the tenant it belongs to")
    settings = load()
    require_topics(settings)
    if not dry_run and not yes:
        who = f"account {account}" if account is not None else f"user {user}"
        try:
            agreed = typer.confirm(f"Erase {who} of tenant {tenant}? It can't be undone.", err=True)
        except typer.Abort:
            fail("nobody answered, and nothing was changed; --yes erases without asking")
        if not agreed:
            fail("nothing was changed")
    options = ForgetOptions(
        tenant, account, user, reason, author or getuser(), dry_run=dry_run, cut=cut, seconds=wait
    )
    with progress_bar("reading topics", None, quiet=as_json) as progress:
        report = erase(settings, options, progress)
    emit(report.as_data(), list(report.lines()), as_json)
    raise typer.Exit(OK if report.done else FAILED)
