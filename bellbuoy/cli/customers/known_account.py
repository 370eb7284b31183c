"""The check that an account which a person names is known, before anything is done to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bellbuoy.cli.terminal.output import fail, warn

if TYPE_CHECKING:
    from bellbuoy.settings import Settings
    from schemas.records import AccountHealth

__all__ = ["Anyway", "require_known_account"]

Anyway = Annotated[bool, typer.Option("--anyway", help="Also of an account that nothing is known of yet.")]


def require_known_account(settings: Settings, tenant: str, account: str) -> AccountHealth | None:
    """
    Return an account as a sink has it; ``None`` without a sink that can tell.

    Ends the command with similar names for an account that the sink doesn't have.
    """
    from bellbuoy.errors import ConfigError
    from bellbuoy.operations.delivery.sinks import serving_reader
    from sinks.port import SinkSettingsError
    from sinks.serving import ReadError

    try:
        with serving_reader(settings) as reader:
            known = reader.account(tenant, account)
            similar = reader.find(tenant, account) if known is None else []
    except (ConfigError, SinkSettingsError):
        return None
    except ReadError as error:
        warn(f"whether {account!r} is an account can't be told: {error}")
        return None
    if known is None:
        hint = f"did you mean {', '.join(similar)}?" if similar else "is it spelt so, and the tenant?"
        fail(
            f"nothing is known of account {account!r} of tenant {tenant}; {hint} "
            "--anyway does it all the same"
        )
    return known
