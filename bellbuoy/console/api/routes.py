"""The handlers of the JSON API."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import msgspec
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bellbuoy.console.access import audit
from bellbuoy.console.api.document import document
from bellbuoy.console.api.messages import (
    ActRequest,
    ActResponse,
    AlertQuery,
    AlertsResponse,
    BookEntry,
    BookQuery,
    BookResponse,
    encoded,
)
from bellbuoy.console.book import BookFilter, book
from bellbuoy.console.inbox import InboxFilter, inbox
from bellbuoy.console.live import Picture
from bellbuoy.console.pages.site import Site
from bellbuoy.console.request import API, body_of, session_of
from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import CONFIGURATION
from bellbuoy.operations.alert_actions import NoSuchAlertError, find_alert
from bellbuoy.query.account import as_data, look_up
from schemas.records import RiskAlert
from sinks.serving import ReadError

__all__ = ["ApiRoutes"]

_MOST_BYTES = 32_768
_FIRST_SECONDS = 10.0

Query = TypeVar("Query", bound=Struct)


class ApiRoutes:
    """The handlers of the JSON API of one console."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._document = encoded(document())

    def routes(self) -> list[Route]:
        """Return the routes."""
        base, route = f"{API}v1/tenants/{{tenant}}", self._site.route
        return [
            Route(f"{API}v1/openapi.json", self.described),
            route("accounts", f"{base}/accounts", self.accounts, name="api_accounts"),
            route("accounts", f"{base}/accounts/{{account_id:path}}", self.account, name="api_account"),
            route("accounts", f"{base}/alerts", self.alerts, name="api_alerts"),
            route("accounts", f"{base}/alerts/{{alert_id}}", self.alert, name="api_alert"),
            route("act", f"{base}/alerts/{{alert_id}}/acts", self.act, "POST", name="api_act"),
        ]

    async def described(self, _request: Request) -> Response:
        """Answer with the OpenAPI document."""
        return Response(self._document, media_type="application/json")

    async def accounts(self, request: Request) -> Response:
        """Answer with a part of a tenant's book."""
        asked, picture = _query(request, BookQuery), await self._picture(request)
        fields = msgspec.structs.asdict(asked)
        offset, n = fields.pop("offset"), fields.pop("n")
        wanted = BookFilter(**fields | {"churned": asked.churned == "1"}, n=offset + n)
        found = await asyncio.to_thread(book, picture, wanted, self._site.now(picture))
        entries = [
            BookEntry(
                account=row.account,
                change=row.change,
                urgency=row.urgency,
                alert_ids=[alert.alert_id for alert in row.alerts],
            )
            for row in found.rows[offset:]
        ]
        return _json(
            BookResponse(
                accounts=entries, found=found.found, total=found.total, journal_time=picture.journal_time
            )
        )

    async def account(self, request: Request) -> Response:
        """Answer with one account, as ``explain --json`` tells it."""
        _query(request, _NoQuery)
        tenant, picture = request.path_params["tenant"], await self._picture(request)
        try:
            explanation, similar = await asyncio.to_thread(
                look_up,
                self._site.reader,
                tenant,
                request.path_params["account_id"],
                picture.accounts.values(),
            )
        except ReadError as error:
            raise HTTPException(503, str(error)) from None
        if explanation is None:
            near = f"; near to it are {', '.join(similar)}" if similar else ""
            raise HTTPException(404, f"there is no such account{near}")
        return _json(as_data(explanation, self._site.now(picture)))

    async def alerts(self, request: Request) -> Response:
        """Answer with a part of a tenant's open alerts."""
        asked, picture = _query(request, AlertQuery), await self._picture(request)
        fields = msgspec.structs.asdict(asked)
        offset, n = fields.pop("offset"), fields.pop("n")
        found = inbox(picture, InboxFilter(**fields, n=offset + n), self._site.now(picture))
        return _json(AlertsResponse(alerts=found.alerts[offset:], found=found.found))

    async def alert(self, request: Request) -> Response:
        """Answer with one alert, open or resolved."""
        _query(request, _NoQuery)
        return _json(await self._alert(request))

    async def act(self, request: Request) -> Response:
        """Write an act on an alert to Kafka."""
        _query(request, _NoQuery)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "send the act as application/json")
        try:
            asked = msgspec.json.decode(await body_of(request, _MOST_BYTES), type=ActRequest)
        except msgspec.ValidationError as error:
            raise HTTPException(422, str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HTTPException(400, f"the body is not JSON: {error}") from None
        site, author, alert = self._site, session_of(request).person, await self._alert(request)
        said = msgspec.structs.asdict(asked)
        kind, act_id = said.pop("kind"), said.pop("act_id") or ""
        try:
            await asyncio.to_thread(find_alert, site.reader, alert.tenant, alert.alert_id)
            action = await asyncio.to_thread(
                site.acts.act, alert, kind, author=author, action_id=act_id, **said
            )
        except NoSuchAlertError as error:
            raise HTTPException(409, str(error)) from None
        except OperatorError as error:
            raise HTTPException(422 if error.exit_code == CONFIGURATION else 503, str(error)) from None
        except ReadError as error:
            raise HTTPException(503, str(error)) from None
        audit.acted(author, alert.tenant, kind, account=alert.account_id, alert=alert.alert_id)
        site.pictures.announce()
        return _json(ActResponse(act_id=action.event_id, occurred_at=action.occurred_at, author=author), 202)

    async def _alert(self, request: Request) -> RiskAlert:
        try:
            alert = await asyncio.to_thread(self._site.reader.alert, request.path_params["alert_id"])
        except ReadError as error:
            raise HTTPException(503, str(error)) from None
        if alert is None or alert.tenant != request.path_params["tenant"] or alert.shadow:
            raise HTTPException(404, "there is no such alert")
        return alert

    async def _picture(self, request: Request) -> Picture:
        picture = await self._site.pictures.first_picture(request.path_params["tenant"], _FIRST_SECONDS)
        if picture is None:
            raise HTTPException(503, "the accounts are not read yet: try again in a moment")
        return picture


class _NoQuery(Struct, forbid_unknown_fields=True):
    pass


def _query(request: Request, kind: type[Query]) -> Query:
    """Return the parameters of an address; raise HTTPException for one that it doesn't take."""
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    for name in names:
        if name not in kind.__struct_fields__:
            raise HTTPException(400, f"{name!r:.80} is no parameter of this address")
        if names.count(name) > 1:
            raise HTTPException(422, f"{name} is given more than once")
    try:
        return msgspec.convert(dict(given), kind, strict=False)
    except msgspec.ValidationError as error:
        raise HTTPException(422, str(error)) from None


def _json(message: Struct | dict[str, object], status: int = 200) -> Response:
    return Response(encoded(message), status, media_type="application/json")
