"""The commands ``bellbuoy notify``: list the channels that notify people, and try one."""

from __future__ import annotations

from getpass import getuser
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellbuoy.cli.options import EXIT_CODES, Json, Tenant
from bellbuoy.cli.terminal.output import emit
from bellbuoy.exit_codes import AWAY, FAILED

if TYPE_CHECKING:
    from bellbuoy.operations.delivery.channels import ChannelTest

__all__ = ["notify"]

_FILTERS = ("tenants", "recipients", "kinds", "severities", "lanes")

notify = typer.Typer(
    name="notify",
    help="List the channels that notify people, and try one.",
    no_args_is_help=True,
    epilog=EXIT_CODES,
)


@notify.callback()
def _group() -> None:
    """List the channels that notify people, and try one."""


@notify.command("list", epilog=EXIT_CODES)
def list_channels(as_json: Json = False) -> None:
    """
    List the channels of the settings: type, what each takes, and where it sends.

    \b
    Examples:
      bellbuoy notify list
      bellbuoy notify list --json
    """
    from bellbuoy.settings import load

    settings = load().notify
    data = [
        {
            "channel": name,
            "type": channel.type,
            "takes": {part: list(getattr(channel, part)) for part in _FILTERS if getattr(channel, part)},
            "to": channel.default_address() or None,
        }
        for name, channel in settings.channels.items()
    ]
    none = "No channel: nobody is notified. docs/channels says how to add one to notify.channels."
    emit(data, [_in_words(each) for each in data] or [none], as_json)


@notify.command("test", epilog=EXIT_CODES)
def try_one(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Its name in notify.channels.")],
    kind: Annotated[
        str, typer.Option(help="The kind of notification: alert, digest, page or escalation.")
    ] = "alert",
    to: Annotated[
        str,
        typer.Option(help="The recipient, as in notify.recipients.", show_default="your user name"),
    ] = "",
    tenant: Tenant = "demo",
    as_json: Json = False,
) -> None:
    """
    Send a sample through a channel, and say what came back.

    The filters of the channel are passed over, and no running role is needed. An address that was closed for
    good (HTTP 410) is sent to again once it takes the sample.

    \b
    Examples:
      bellbuoy notify test csm-mail --to "Ines Marrow"
      bellbuoy notify test on-call --kind page
    """
    from dataclasses import asdict

    from bellbuoy.operations.delivery.channels import try_channel
    from bellbuoy.settings import load
    from sinks.notify.sample import KINDS

    if kind not in KINDS:
        raise typer.BadParameter(f"{kind!r} is no kind: use one of {', '.join(KINDS)}")
    tried = try_channel(load(), channel, kind, tenant, to or getuser())
    emit(asdict(tried), _answer(tried), as_json)
    if tried.error is not None:
        raise typer.Exit(AWAY if tried.passing else FAILED)


def _in_words(channel: dict[str, Any]) -> str:
    takes = "; ".join(f"{part} {', '.join(values)}" for part, values in channel["takes"].items())
    to = f", to {channel['to']}" if channel["to"] else ""
    return f"{channel['channel']}: {channel['type']}{to}; takes {takes or 'everything'}"


def _answer(tried: ChannelTest) -> list[str]:
    to = f" to {tried.address}" if tried.address else ""
    if tried.error is not None:
        later = (
            "it may pass: delivery tries again for a day" if tried.passing else "it will not pass by itself"
        )
        return [f"{tried.channel} ({tried.type}){to}: not taken: {tried.error}", f"({later})"]
    known = f", message {tried.message_id}" if tried.message_id else ""
    lines = [f"{tried.channel} ({tried.type}){to}: taken within {tried.seconds:.1f} s{known}."]
    if tried.reopened:
        lines.append("The address had been closed for good; notifications are sent there again.")
    return lines
