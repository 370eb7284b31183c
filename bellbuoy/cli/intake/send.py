"""The command ``bellbuoy send``: a signed sample of a source to a running gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bellbuoy.cli.options import GatewayUrl, Json, Tenant, gateway_address
from bellbuoy.cli.terminal.output import emit, fail

if TYPE_CHECKING:
    from bellbuoy.operations.sending import SampleRequest

__all__ = ["send"]


def send(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="The source, such as stripe, chargebee or segment.")
    ],
    sample: Annotated[
        str | None, typer.Argument(metavar="[SAMPLE]", help="Which of its samples.", show_default="the first")
    ] = None,
    account: Annotated[
        str,
        typer.Option(
            help="The account, or the person, that the event is about.", show_default="the sample's"
        ),
    ] = "",
    tenant: Tenant = "demo",
    url: GatewayUrl = None,
    listed: Annotated[bool, typer.Option("--list", help="List the source's samples; send nothing.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the request as a curl command; send nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """
    Send a source's sample to a running gateway, signed as the vendor signs.

    A sample is a payload that the vendor has published, with a new id and the present time. Use it to see a
    route, a secret and a mapping work, before the vendor is set up.

    \b
    Examples:
      bellbuoy send stripe --account acme-inc
      bellbuoy send zendesk --list
      bellbuoy send zendesk status_changed --tenant acme --url https://events.example.com
    """
    from bellbuoy.exit_codes import AWAY
    from bellbuoy.operations import sending
    from bellbuoy.settings import load
    from bellbuoy.times import now
    from gateway.sources.samples import load_samples

    chosen, one = sending.choose(source, sample)
    if listed:
        samples = load_samples(source).samples
        emit(
            [{"sample": each.name, "says": each.says} for each in samples],
            [f"{each.name:<36} {each.says}" for each in samples],
            as_json,
        )
        return
    settings = load().gateway
    address = gateway_address(url, settings)
    request = sending.prepare(chosen, one, settings, tenant=tenant, url=address, account=account, now=now())
    if dry_run:
        command = _curl(request)
        emit({"command": command}, [command], as_json)
        return
    try:
        status, answer = sending.send(request)
    except sending.UnreachableError as error:
        fail(f"{error}: start it with `bellbuoy up`, or name it with --url", AWAY)
    said = {"status": status, "answer": answer, "sample": one.name, "says": one.says}
    emit(said, [f"{one.name}: {one.says}", f"{status} {answer}"], as_json)
    if status >= 300:
        fail(f"the gateway refused it with {status}")


def _curl(request: SampleRequest) -> str:
    from shlex import quote

    headers = " ".join(f"-H {quote(f'{name}: {value}')}" for name, value in request.headers.items())
    return f"curl {headers} --data-binary {quote(request.body.decode())} {quote(request.url)}"
