"""The commands ``bellbuoy sources``: which there are, what arrives from them, and mapping it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellbuoy.cli.options import (
    EXIT_CODES,
    TIME_FORMS,
    DryRun,
    GatewayUrl,
    Json,
    gateway_address,
    parse_past_time,
)
from bellbuoy.cli.terminal.output import emit, fail

if TYPE_CHECKING:
    from bellbuoy.settings import Settings

__all__ = ["sources"]

sources = typer.Typer(
    name="sources",
    help="List the sources of events, watch what arrives from them, and map webhooks again.",
    no_args_is_help=True,
    epilog=EXIT_CODES,
)


@sources.command("list", epilog=EXIT_CODES)
def list_(
    key: Annotated[
        str | None,
        typer.Argument(metavar="[KEY]", help="A server key: list the producers of its tenant instead."),
    ] = None,
    url: GatewayUrl = None,
    as_json: Json = False,
) -> None:
    """
    List every source; with a key, what its producers send.

    Each source has its route and the setting of its secrets. Of one that `bellbuoy poll` asks, each stream
    is listed with the time of the last request, the number of its items, and its cursor; Kafka is needed for
    that alone.

    Of a producer it shows each kind of event, when the last one came, and warnings: a field that is missing,
    renamed or of another type, a kind of event that stopped, a producer that is silent. They are judged by
    counts of events, so a busy producer is warned within seconds. It shows one gateway since its start.

    \b
    Examples:
      bellbuoy sources list
      bellbuoy sources list demo-server-key
    """
    if key is not None:
        _list_producers(key, url, as_json)
        return
    from bellbuoy.operations.kafka.errors import KafkaAwayError
    from bellbuoy.settings import load
    from gateway.pulls.registry import PULLS
    from gateway.sources.registry import SOURCES
    from gateway.sources.source import WebhookSource

    rows: list[dict[str, Any]] = [
        {
            "source": source.name,
            "title": source.title,
            "path": f"{source.path}/TENANT" if isinstance(source, WebhookSource) else "keys",
            "setting": source.secrets_key if isinstance(source, WebhookSource) else "write_keys, server_keys",
        }
        for source in SOURCES
    ] + [
        {
            "source": source.name,
            "title": source.title,
            "path": "asked by `bellbuoy poll`",
            "setting": f"poll.tenants.TENANT.{source.name}",
        }
        for source in PULLS
    ]
    lines = [f"{row['source']:<13} {row['title']:<20} {row['path']:<32} {row['setting']}" for row in rows]
    settings = load()
    if settings.poll.pulls():
        try:
            streams = _streams(settings)
        except KafkaAwayError as error:
            lines += ["", f"The cursors can't be read: {error}"]
        else:
            rows += streams
            lines += ["", *map(_stream_line, streams)]
    emit(rows, lines, as_json)


def _list_producers(key: str, url: str | None, as_json: bool) -> None:
    from bellbuoy.exit_codes import AWAY
    from bellbuoy.operations.sending import UnreachableError, producers
    from bellbuoy.settings import load

    try:
        found = producers(gateway_address(url, load().gateway), key)
    except UnreachableError as error:
        fail(str(error), AWAY)
    except PermissionError as error:
        fail(str(error))
    lines = [line for producer in found for line in _producer_lines(producer)]
    emit({"producers": found}, lines or ["Nothing has arrived since the gateway started."], as_json)


def _producer_lines(producer: dict[str, Any]) -> list[str]:
    from schemas.times import iso

    return [
        f"{producer['producer']}: {producer['events']:,} events, the last {iso(producer['last_at'])}",
        *(f"  {each['event'] or '(no name)':<40} last {iso(each['last_at'])}" for each in producer["kinds"]),
        *(f"  WARNING since {iso(each['since'])}: {_warned(each)}" for each in producer["warnings"]),
    ]


def _warned(warning: dict[str, Any]) -> str:
    event = f"{warning['event']}: " if warning["pointer"] else ""
    return f"{event}{warning['message']}"


def _streams(settings: Settings) -> list[dict[str, Any]]:
    """Return each stream that is asked, with its cursor; raise KafkaAwayError."""
    from confluent_kafka import KafkaException

    from bellbuoy.operations.kafka.errors import kafka_away
    from bellbuoy.polling.cursors import cursors_of, read_cursors
    from gateway.pulls.registry import configured_pulls

    kafka = settings.kafka
    try:
        read = read_cursors(kafka.connection(), kafka.topics())
    except KafkaException as error:
        raise kafka_away(kafka.connection(), error.args[0]) from None
    asked = [
        (tenant, source.name, stream)
        for tenant, source, own in configured_pulls(settings.poll)
        for stream in source.streams(own)
    ]
    return [
        {
            "tenant": each.tenant,
            "source": each.source,
            "stream": each.stream,
            "polled_at": each.polled_at or None,
            "items": each.items,
            "cursor": each.cursor,
        }
        for each in cursors_of(asked, read)
    ]


def _stream_line(row: dict[str, Any]) -> str:
    from schemas.times import iso

    when = iso(row["polled_at"]) if row["polled_at"] else "never asked"
    cursor = " ".join(f"{name}={value}" for name, value in row["cursor"].items()) or "at its beginning"
    head = f"{row['tenant']}  {row['source']:<12} {row['stream']:<12} {when:<24}"
    return f"{head} {row['items']:>10,} items  {cursor}"


@sources.command(epilog=EXIT_CODES)
def tail(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A server key of the tenant.")],
    url: GatewayUrl = None,
    source: Annotated[str, typer.Option(help="Show one source alone.", show_default="all")] = "",
    count: Annotated[int, typer.Option(min=0, help="End after so many; 0: at Ctrl-C.")] = 0,
    as_json: Json = False,
) -> None:
    """
    Show what arrives at the gateway, and what becomes of it, as it happens.

    Each line is an event that Kafka has confirmed, a dead letter with the field at fault, an event that says
    nothing about health, what was refused and why, or a warning that a producer's events have changed. It
    shows one gateway; nothing is kept for it, and only a server key may watch, because a write key is public.

    \b
    Examples:
      bellbuoy sources tail demo-server-key
      bellbuoy sources tail demo-server-key --source stripe --json
    """
    from bellbuoy.exit_codes import AWAY
    from bellbuoy.operations.sending import UnreachableError, watch
    from bellbuoy.settings import load

    shown = 0
    try:
        for arrival in watch(gateway_address(url, load().gateway), key):
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


@sources.command(epilog=EXIT_CODES)
def remap(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="The webhook source whose mapping was mended.")
    ],
    since: Annotated[
        str, typer.Option("--from", metavar="TIME", help=f"Map what came from then on: {TIME_FORMS}.")
    ],
    tenant: Annotated[
        str | None, typer.Option(help="Only webhooks of this tenant.", show_default="all")
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """
    Map the webhooks that were kept again, with today's mapping, and send what is new or differs.

    What a mapping once left out, or set aside as a dead letter, is sent under its own id. A record that
    differs from the one that was made is sent as a correction: a millisecond newer, under an id that follows
    from its content, so that a repeat changes nothing. Usage and engagement that differ are only counted
    (`left`), because they would count twice. Webhooks are kept for 30 days.

    \b
    Examples:
      bellbuoy sources remap stripe --from 7d --dry-run
      bellbuoy sources remap zendesk --from 2026-05-01 --tenant acme
    """
    from dataclasses import asdict

    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.operations.remap import remap as map_again
    from bellbuoy.operations.remap import webhook_source
    from bellbuoy.settings import load

    wanted, settings = webhook_source(source), load()
    at = parse_past_time(since, settings, "--from") or 0
    require_topics(settings)
    report = map_again(settings, wanted, since=at, tenant=tenant, dry_run=dry_run)
    sent = "would be sent" if dry_run else "sent"
    lines = [
        f"{report.payloads:,} webhooks of {wanted.title}: {report.same:,} records are as before.",
        f"{report.new:,} new and {report.corrected:,} corrected ones {sent}.",
        *([f"{report.left:,} differ and would count twice: left."] if report.left else []),
        *([f"{report.faults:,} still can't be used."] if report.faults else []),
        *([f"{report.erased:,} are of who was erased: left."] if report.erased else []),
        *(f"  {_example(each)}" for each in report.examples),
    ]
    emit(asdict(report) | {"dry_run": dry_run}, lines, as_json)


def _example(example: dict[str, Any]) -> str:
    if example["is"] == "faults":
        return (
            f"fault      at {example['pointer'] or '/'}: {example['message']} (payload {example['payload']})"
        )
    return f"{example['is']:<10} {example['topic']:<18} {example['account_id']}  {example['event_id']}"


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
        case "warning":
            return f"{head} WARNING: {_warned(arrival)}"
        case "refused":
            return (
                f"{head} refused ({arrival['status']}) at {arrival['pointer'] or '/'}: {arrival['message']}"
            )
    return f"{head} dead letter, {arrival['reason']} at {arrival['pointer'] or '/'}: {arrival['message']}"
