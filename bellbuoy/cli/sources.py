"""The commands ``bellbuoy sources``: which sources there are, and what arrives from them now."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bellbuoy.cli.options import EXIT_CODES, Json
from bellbuoy.cli.output import emit, fail

__all__ = ["sources"]

sources = typer.Typer(
    name="sources",
    help="List the sources of events, and watch what arrives from them.",
    no_args_is_help=True,
    epilog=EXIT_CODES,
)


@sources.command("list", epilog=EXIT_CODES)
def list_(as_json: Json = False) -> None:
    """
    List every source with its route and the setting of its secrets.

    \b
    Example:
      bellbuoy sources list
    """
    from gateway.sources.registry import SOURCES
    from gateway.sources.source import WebhookSource

    rows = [
        {
            "source": source.name,
            "title": source.title,
            "path": f"{source.path}/TENANT" if isinstance(source, WebhookSource) else "keys",
            "setting": source.secrets_key if isinstance(source, WebhookSource) else "write_keys, server_keys",
        }
        for source in SOURCES
    ]
    lines = [f"{row['source']:<13} {row['title']:<20} {row['path']:<32} {row['setting']}" for row in rows]
    emit(rows, lines, as_json)


@sources.command(epilog=EXIT_CODES)
def tail(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A server key of the tenant.")],
    url: Annotated[
        str | None, typer.Option(help="Address of the gateway.", show_default="gateway.host and gateway.port")
    ] = None,
    source: Annotated[str, typer.Option(help="Show one source alone.", show_default="all")] = "",
    count: Annotated[int, typer.Option(min=0, help="End after so many; 0: at Ctrl-C.")] = 0,
    as_json: Json = False,
) -> None:
    """
    Show what arrives at the gateway, and what becomes of it, as it happens.

    Each line is an event that Kafka has confirmed, a dead letter with the field at fault, an event that says
    nothing about health, or what was refused and why. It shows one gateway; nothing is kept for it, and only
    a server key may watch, because a write key is public.

    \b
    Examples:
      bellbuoy sources tail demo-server-key
      bellbuoy sources tail demo-server-key --source stripe --json
    """
    from bellbuoy.exit_codes import AWAY
    from bellbuoy.operations.sending import UnreachableError, watch
    from bellbuoy.settings import load

    settings = load().gateway
    address = (url or f"http://{settings.host}:{settings.port}").rstrip("/")
    shown = 0
    try:
        for arrival in watch(address, key):
            if source and arrival["source"] != source:
                continue
            print(_json(arrival) if as_json else _line(arrival), flush=True)
            shown += 1
            if shown == count:
                return
    except UnreachableError as error:
        fail(str(error), AWAY)
    except PermissionError as error:
        fail(str(error))
    except KeyboardInterrupt:
        return


def _json(arrival: dict[str, Any]) -> str:
    import orjson

    return orjson.dumps(arrival).decode()


def _line(arrival: dict[str, Any]) -> str:
    from schemas.times import iso

    at = iso(arrival["received_at"])
    head = f"{at}  {arrival['source']:<12} {arrival.get('topic', ''):<18}"
    match arrival["became"]:
        case "accepted":
            return f"{head} {arrival['account_id']}  {arrival['what'] or ''}  {arrival['event_id']}"
        case "ignored":
            return f"{head} ignored: {arrival['what'] or 'an event without a name'} says nothing about health"
        case "refused":
            return (
                f"{head} refused ({arrival['status']}) at {arrival['pointer'] or '/'}: {arrival['message']}"
            )
    return f"{head} dead letter, {arrival['reason']} at {arrival['pointer'] or '/'}: {arrival['message']}"
