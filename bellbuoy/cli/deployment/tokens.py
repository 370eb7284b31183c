"""The command ``bellbuoy tokens``: make the tokens with which programs ask the console's JSON API."""

from __future__ import annotations

from typing import Annotated

import typer

from bellbuoy.cli.options import EXIT_CODES, Json
from bellbuoy.cli.terminal.output import emit, fail
from bellbuoy.exit_codes import CONFIGURATION

__all__ = ["tokens"]

tokens = typer.Typer(
    name="tokens",
    help="Make tokens with which programs ask the console's JSON API.",
    no_args_is_help=True,
    epilog=EXIT_CODES,
)


@tokens.callback()
def _tokens() -> None:
    """Keep ``new`` a command of its own."""


@tokens.command(epilog=EXIT_CODES)
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the token in the settings and in the audit log.")
    ],
    tenant: Annotated[
        list[str], typer.Option(help="Tenant whose data it opens; give it several times for several.")
    ],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it allows, `read` or `act`; give it twice for both.", show_default="read"),
    ] = None,
    as_json: Json = False,
) -> None:
    """
    Make a token, and print it with the settings that let it in.

    The token is shown once and kept nowhere: the settings hold its SHA-256. To withdraw it, remove its
    section and start the console again.

    \b
    Examples:
      bellbuoy tokens new warehouse --tenant acme
      bellbuoy tokens new crm --tenant acme --scope read --scope act
    """
    from pydantic import ValidationError

    from bellbuoy.console.access.tokens import new_token
    from bellbuoy.console_settings import TokenSettings

    made = new_token()
    try:
        settings = TokenSettings.model_validate(
            {"sha256": made.sha256, "scopes": scope or ["read"], "tenants": tenant}
        )
    except ValidationError as error:
        fault = error.errors()[0]
        fail(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}", CONFIGURATION)
    if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
        fail(f"the name {name!r} must be letters, digits, - and _", CONFIGURATION)
    lines = [
        made.token,
        "",
        "It is shown this once. Let it in with these lines in bellbuoy.toml, and start the console again:",
        "",
        f"[console.tokens.{name}]",
        f'sha256 = "{made.sha256}"',
        f"scopes = {list(settings.scopes)}".replace("'", '"'),
        f"tenants = {list(settings.tenants)}".replace("'", '"'),
    ]
    data = {"token": made.token, "name": name, **settings.model_dump(mode="json")}
    emit(data, lines, as_json)
