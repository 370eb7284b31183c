"""The commands ``bellbuoy keys``: make, list, rotate and revoke the keys with which senders send events."""

from __future__ import annotations

from getpass import getuser
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellbuoy.cli.options import EXIT_CODES, TIME_AHEAD_FORMS, Author, Json, parse_time_ahead
from bellbuoy.cli.terminal.output import emit

if TYPE_CHECKING:
    from schemas.identity.write_keys import WriteKey

__all__ = ["keys"]

keys = typer.Typer(
    name="keys",
    help="Make, list, rotate and revoke the keys with which senders send events.",
    no_args_is_help=True,
    epilog=EXIT_CODES,
)

_Tenant = Annotated[str, typer.Option(help="The tenant whose events it sends, as in gateway.tenants.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="The key's name, or the id of one of that name.")]


@keys.command(epilog=EXIT_CODES)
def new(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name of the key: its sender, as in `web-app`. It labels metrics."
        ),
    ],
    tenant: _Tenant = "demo",
    scope: Annotated[
        str, typer.Option(help="`track`: tracking routes, for pages and apps. `server`: typed events, too.")
    ] = "track",
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="Source by whose routes it may send; several times for several.", show_default="all"
        ),
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            help="Topic, the kind of event, that it may send; several times for several.", show_default="all"
        ),
    ] = None,
    per_second: Annotated[int, typer.Option(min=0, help="Most events a second; 0: any number.")] = 0,
    per_day: Annotated[int, typer.Option(min=0, help="Most events a UTC day; 0: any number.")] = 0,
    expires: Annotated[
        str | None,
        typer.Option(metavar="TIME", help=f"End of the key: {TIME_AHEAD_FORMS}.", show_default="none"),
    ] = None,
    author: Author = "",
    as_json: Json = False,
) -> None:
    """
    Make a key, and print it: it is shown this once, and only its digest is kept.

    Every running gateway takes it within a second or two. Beyond its quota a request is answered with 429 and
    Retry-After. Each gateway counts by itself.

    \b
    Examples:
      bellbuoy keys new web-app --tenant acme
      bellbuoy keys new billing --tenant acme --scope server --topic billing.events --per-second 50
      bellbuoy keys new partner --tenant acme --scope server --source cloudevents --expires 90d
    """
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.operations.write_keys import make_key
    from bellbuoy.settings import load
    from bellbuoy.times import now
    from schemas.identity.write_keys import KEY_SCOPES, WriteKey

    if scope not in KEY_SCOPES:
        raise typer.BadParameter(
            f"{scope!r} is no scope: give {' or '.join(KEY_SCOPES)}", param_hint="--scope"
        )
    settings, at = load(), now()
    wanted = WriteKey(
        id="",
        tenant=tenant,
        name=name,
        digest=b"",
        scope=scope,
        sources=frozenset(source or ()),
        topics=frozenset(topic or ()),
        per_second=per_second,
        per_day=per_day,
        created_at=at,
        expires_at=0 if expires is None else parse_time_ahead(expires, at),
        author=author or getuser(),
    )
    require_topics(settings)
    made = make_key(settings, wanted)
    lines = [made.secret, "", "It is shown this once.", *_lines([made.key], at)]
    emit({"key": made.secret} | _data(made.key, at), lines, as_json)


@keys.command("list", epilog=EXIT_CODES)
def list_(
    tenant: Annotated[str | None, typer.Option(help="Only those of this tenant.", show_default="all")] = None,
    ended: Annotated[bool, typer.Option("--all", help="Show revoked and expired keys, too.")] = False,
    as_json: Json = False,
) -> None:
    """
    List the keys with what each may send; keys of the settings are not among them.

    \b
    Examples:
      bellbuoy keys list
      bellbuoy keys list --tenant acme --all
    """
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.operations.write_keys import read_keys
    from bellbuoy.settings import load
    from bellbuoy.times import now

    settings, at = load(), now()
    require_topics(settings)
    shown = [
        key for key in read_keys(settings) if tenant in (None, key.tenant) and (ended or key.opens_at(at))
    ]
    none = ["No key: make one with `bellbuoy keys new`, beside those in gateway.tenants."]
    emit({"keys": [_data(key, at) for key in shown]}, _lines(shown, at) or none, as_json)


@keys.command(epilog=EXIT_CODES)
def rotate(
    name: _Name,
    tenant: _Tenant = "demo",
    overlap: Annotated[
        str, typer.Option(metavar="TIME", help=f"Until when the older ones stay valid: {TIME_AHEAD_FORMS}.")
    ] = "7d",
    author: Author = "",
    as_json: Json = False,
) -> None:
    """
    Make another key of the same name and rights; the older ones stay valid for a while.

    Give the new one to the senders meanwhile. The older ones end by themselves; `revoke` with the id of one
    ends it at once.

    \b
    Examples:
      bellbuoy keys rotate web-app --tenant acme
      bellbuoy keys rotate billing --tenant acme --overlap 1h
    """
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.operations.write_keys import rotate_keys
    from bellbuoy.settings import load
    from bellbuoy.times import now
    from schemas.times import iso

    settings, at = load(), now()
    until = parse_time_ahead(overlap, at)
    require_topics(settings)
    made = rotate_keys(settings, tenant, name, old_until=until, now=at, author=author or getuser())
    told = f"It is shown this once. The older ones of {made.key.name!r} end at {iso(until)}."
    emit(
        {"key": made.secret, "older_until": until} | _data(made.key, at),
        [made.secret, "", told, *_lines([made.key], at)],
        as_json,
    )


@keys.command(epilog=EXIT_CODES)
def revoke(name: _Name, tenant: _Tenant = "demo", author: Author = "", as_json: Json = False) -> None:
    """
    Revoke every key of a name, or the one with this id: gateways refuse it within a second or two.

    \b
    Examples:
      bellbuoy keys revoke partner --tenant acme
      bellbuoy keys revoke 4be0c2a91f00 --tenant acme
    """
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.operations.write_keys import revoke_keys
    from bellbuoy.settings import load
    from bellbuoy.times import now

    settings, at = load(), now()
    require_topics(settings)
    revoked = revoke_keys(settings, tenant, name, now=at, author=author or getuser())
    lines = [f"Revoked: {key.name} ({key.id}) of {key.tenant}." for key in revoked]
    emit({"revoked": [_data(key, at) for key in revoked]}, lines, as_json)


def _data(key: WriteKey, now: int) -> dict[str, Any]:
    return {
        "id": key.id,
        "tenant": key.tenant,
        "name": key.name,
        "scope": key.scope,
        "sources": sorted(key.sources),
        "topics": sorted(key.topics),
        "per_second": key.per_second,
        "per_day": key.per_day,
        "created_at": key.created_at,
        "expires_at": key.expires_at or None,
        "revoked_at": key.revoked_at or None,
        "valid": key.opens_at(now),
        "author": key.author,
    }


def _lines(shown: list[WriteKey], now: int) -> list[str]:
    return [
        f"{key.id}  {key.tenant:<14} {key.name:<20} {key.scope:<7} {_rights(key)}; {_life(key, now)}"
        for key in shown
    ]


def _rights(key: WriteKey) -> str:
    sources = ", ".join(sorted(key.sources)) or "any source"
    topics = ", ".join(sorted(key.topics)) or "any topic"
    quotas = ((key.per_second, "second"), (key.per_day, "day"))
    quota = "".join(f", {most:,} a {each}" for most, each in quotas if most)
    return f"{sources}, {topics}{quota}"


def _life(key: WriteKey, now: int) -> str:
    from schemas.times import iso

    made = f"by {key.author} {iso(key.created_at)}"
    if key.revoked_at:
        return f"{made}, revoked {iso(key.revoked_at)}"
    if key.expires_at:
        return f"{made}, {'ends' if key.opens_at(now) else 'ended'} {iso(key.expires_at)}"
    return made
