"""The command ``bellbuoy note``: write what no event tells of an account."""

from __future__ import annotations

from getpass import getuser
from typing import Annotated

import typer

from bellbuoy.cli.customers.known_account import Anyway, require_known_account
from bellbuoy.cli.options import Author, Json, Tenant
from bellbuoy.cli.terminal.output import emit

__all__ = ["note"]


def note(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The customer's account id.")],
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="What there is to say, at most 4,000 characters.")
    ],
    tenant: Tenant = "demo",
    author: Author = "",
    anyway: Anyway = False,
    as_json: Json = False,
) -> None:
    """
    Write a note on an account: everybody sees it in `bellbuoy explain` and in the console.

    A note changes no score; for that there is `bellbuoy override`. The newest 20 of an account are shown, all
    of them stay in the account's timeline.

    \b
    Examples:
      bellbuoy note amber-harbour-foods "Their new CFO reviews every contract in May"
      bellbuoy note 4711 "Moves to the new plan next week" --tenant acme
    """
    from bellbuoy.operations.acts.accounts import write_note
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load

    settings = load()
    require_topics(settings)
    if not anyway:
        require_known_account(settings, tenant, account)
    written = write_note(settings, tenant, account, text, author=author or getuser())
    data = {"tenant": tenant, "account_id": account, "note_id": written.event_id, "author": written.author}
    emit(data, [f"Noted on {tenant}:{account}."], as_json)
