"""One account: its page, its stream, and the parts that read its past from the journal."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bellbuoy.console.account import (
    AccountPage,
    account_page,
    happenings,
    parse_moment,
    score_at,
    why_it_changed,
)
from bellbuoy.console.book import owners_of
from bellbuoy.console.live import Picture
from bellbuoy.console.pages.site import Site
from bellbuoy.operations.acts.touchpoints import TOUCHPOINTS
from bellbuoy.times import now as wall_clock
from processors.measures import MEASURES
from schemas.times import DAY, iso
from sinks.serving import ReadError

__all__ = ["AccountPages"]


class AccountPages:
    """The handlers of one account."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._folding = asyncio.Semaphore(1)

    def routes(self) -> list[Route]:
        """Return the routes."""
        account, route = "{tenant}/{account_id:path}", self._site.route
        return [
            route("accounts", f"/accounts/{account}", self.account, name="account"),
            route("accounts", f"/live/accounts/{account}", self.account_live),
            route("accounts", f"/then/{account}", self.then, name="then"),
            route("accounts", f"/why/{account}", self.why, name="why"),
            route("accounts", f"/timeline/{account}", self.timeline, name="timeline"),
        ]

    async def account(self, request: Request) -> Response:
        """Answer with one account."""
        site, (tenant, account_id) = self._site, _account_in(request)
        picture = await site.pictures.first_picture(tenant)
        try:
            page = await self._account_page(tenant, account_id, picture)
        except ReadError:
            return site.page(
                request, "away.html", picture, 503, tenant=tenant, here="book", now=site.now(picture)
            )
        if page is None:
            similar = await asyncio.to_thread(site.reader.find, tenant, account_id)
            return site.page(
                request,
                "no_account.html",
                picture,
                404,
                tenant=tenant,
                here="book",
                account_id=account_id,
                similar=similar,
            )
        return site.page(
            request,
            "account.html",
            picture,
            tenant=tenant,
            here="book",
            page=page,
            at=request.query_params.get("at", ""),
            touchpoints=TOUCHPOINTS,
            owners=owners_of(picture),
            targets=[name for name, measure in MEASURES.items() if measure.name],
            **self._live_values(picture),
        )

    async def account_live(self, request: Request) -> Response:
        """Stream one account."""
        site, (tenant, account_id) = self._site, _account_in(request)
        seen: list[Any] = []
        html: str | None = None

        async def view() -> str | None:
            nonlocal seen, html
            picture = site.pictures.picture(tenant)
            if picture is None:
                return html
            shown = self._live_values(picture)
            alerts = [alert for alert in picture.alerts.values() if alert.account_id == account_id]
            acts = {one.alert_id: shown["pending"].get(one.alert_id) for one in alerts}
            now = [picture.accounts.get(account_id), alerts, acts, shown["now"] // 60_000]
            if now != seen:
                with suppress(ReadError):
                    page = await self._account_page(tenant, account_id, picture)
                    if page is not None:
                        seen = now
                        html = site.render_for(request, "_account.html", tenant=tenant, page=page, **shown)
            return html

        return site.stream(request, view)

    async def then(self, request: Request) -> Response:
        """Answer with what made an account's score at a past time, as ``explain --at`` says it."""
        tenant, account_id = _account_in(request)
        at = parse_moment(request.query_params.get("at", ""))
        if at is None:
            raise HTTPException(422, "no time is given")
        _refuse_future(at, self._site.now(self._site.pictures.picture(tenant)))
        async with self._folding:
            past = await asyncio.to_thread(score_at, self._site.settings, tenant, account_id, at)
        return HTMLResponse(self._site.render("_then.html", past=past, at=at))

    async def why(self, request: Request) -> Response:
        """Answer with what changed an account's score between two times, or in the last days."""
        site, (tenant, account_id) = self._site, _account_in(request)
        asked, now = request.query_params, site.now(site.pictures.picture(tenant))
        since, until = parse_moment(asked.get("since", "")), parse_moment(asked.get("until", ""))
        if since is None:
            days = asked.get("days", "7")
            since = now - int(days if days in ("1", "7", "30") else 7) * DAY
        if until is not None and until < since:
            raise HTTPException(422, "the end is before the beginning")
        _refuse_future(since if until is None else until, now)
        async with self._folding:
            past = await asyncio.to_thread(why_it_changed, site.settings, tenant, account_id, since, until)
        return HTMLResponse(site.render("_why.html", past=past, since=since, until=until or now))

    async def timeline(self, request: Request) -> Response:
        """Answer with everything that happened to an account, as far as the journal has it."""
        site, (tenant, account_id) = self._site, _account_in(request)
        async with self._folding:
            found = await asyncio.to_thread(happenings, site.settings, tenant, account_id)
        return HTMLResponse(site.render("_timeline.html", found=found))

    async def _account_page(
        self, tenant: str, account_id: str, picture: Picture | None
    ) -> AccountPage | None:
        accounts = {} if picture is None else picture.accounts
        return await asyncio.to_thread(account_page, self._site.reader, tenant, account_id, accounts)

    def _live_values(self, picture: Picture | None) -> dict[str, Any]:
        pending = {} if picture is None else self._site.acts.pending(picture)
        return {"pending": pending, "now": self._site.now(picture)}


def _account_in(request: Request) -> tuple[str, str]:
    """Return the tenant and the account in a request's path."""
    return request.path_params["tenant"], request.path_params["account_id"]


def _refuse_future(at: int, now: int) -> None:
    """Refuse a past time that is later than the journal's and the wall clock's, as the commands do."""
    present = max(now, wall_clock())
    if at > present:
        raise HTTPException(422, f"{iso(at)} is in the future: choose a time up to {iso(present)}")
