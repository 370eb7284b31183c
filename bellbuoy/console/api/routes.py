"""The handlers of the JSON API."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bellbuoy.console.access import audit
from bellbuoy.console.api.account_acts import AccountActRoutes
from bellbuoy.console.api.document import document
from bellbuoy.console.api.messages import (
    ActRequest,
    AlertQuery,
    AlertsResponse,
    BookEntry,
    BookQuery,
    BookResponse,
    encoded,
)
from bellbuoy.console.api.requests import (
    NoQuery,
    act_response,
    first_picture,
    message_of,
    query_of,
    refusals,
    response,
)
from bellbuoy.console.book import BookFilter, book
from bellbuoy.console.inbox import InboxFilter, inbox
from bellbuoy.console.pages.site import Site
from bellbuoy.console.request import API, session_of
from bellbuoy.operations.acts.alerts import find_alert
from bellbuoy.query.account import as_data, look_up
from schemas.records import RiskAlert
from sinks.serving import ReadError

__all__ = ["ApiRoutes"]


class ApiRoutes:
    """The handlers of the JSON API of one console."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._document = encoded(document())
        self._account_acts = AccountActRoutes(site)

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
            *self._account_acts.routes(),
        ]

    async def described(self, _request: Request) -> Response:
        """Answer with the OpenAPI document."""
        return Response(self._document, media_type="application/json")

    async def accounts(self, request: Request) -> Response:
        """Answer with a part of a tenant's book."""
        asked, picture = query_of(request, BookQuery), await first_picture(request, self._site)
        fields = msgspec.structs.asdict(asked)
        offset, n = fields.pop("offset"), fields.pop("n")
        checked = {name: fields[name] == "1" for name in ("churned", "payment_risk")}
        wanted = BookFilter(**fields | checked, n=offset + n)
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
        return response(
            BookResponse(
                accounts=entries, found=found.found, total=found.total, journal_time=picture.journal_time
            )
        )

    async def account(self, request: Request) -> Response:
        """Answer with one account, as ``explain --json`` tells it."""
        query_of(request, NoQuery)
        tenant, picture = request.path_params["tenant"], await first_picture(request, self._site)
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
        return response(as_data(explanation, self._site.now(picture)))

    async def alerts(self, request: Request) -> Response:
        """Answer with a part of a tenant's open alerts."""
        asked, picture = query_of(request, AlertQuery), await first_picture(request, self._site)
        fields = msgspec.structs.asdict(asked)
        offset, n = fields.pop("offset"), fields.pop("n")
        found = inbox(picture, InboxFilter(**fields, n=offset + n), self._site.now(picture))
        return response(AlertsResponse(alerts=found.alerts[offset:], found=found.found))

    async def alert(self, request: Request) -> Response:
        """Answer with one alert, open or resolved."""
        query_of(request, NoQuery)
        return response(await self._alert(request))

    async def act(self, request: Request) -> Response:
        """Write an act on an alert to Kafka."""
        asked = await message_of(request, ActRequest)
        site, author, alert = self._site, session_of(request).person, await self._alert(request)
        said = msgspec.structs.asdict(asked)
        kind, act_id = said.pop("kind"), said.pop("act_id") or ""
        with refusals():
            await asyncio.to_thread(find_alert, site.reader, alert.tenant, alert.alert_id)
            action = await asyncio.to_thread(
                site.acts.act, alert, kind, author=author, action_id=act_id, **said
            )
        audit.acted(author, alert.tenant, kind, account=alert.account_id, alert=alert.alert_id)
        site.pictures.announce()
        return response(act_response(action), 202)

    async def _alert(self, request: Request) -> RiskAlert:
        try:
            alert = await asyncio.to_thread(self._site.reader.alert, request.path_params["alert_id"])
        except ReadError as error:
            raise HTTPException(503, str(error)) from None
        if alert is None or alert.tenant != request.path_params["tenant"] or alert.shadow:
            raise HTTPException(404, "there is no such alert")
        return alert
