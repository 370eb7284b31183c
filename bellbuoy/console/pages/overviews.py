"""The overviews of a tenant, each live: the book, the alerts, the segments and the team."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bellbuoy.console.access.rights import Permission
from bellbuoy.console.book import BookFilter, book
from bellbuoy.console.inbox import InboxFilter, inbox
from bellbuoy.console.live import Picture
from bellbuoy.console.pages.site import Handler, Site
from bellbuoy.console.request import session_of
from bellbuoy.console.team import owner_loads, segments
from bellbuoy.operations.acts.accounts import open_tasks

__all__ = ["OverviewPages"]

Values = Callable[[Picture | None], dict[str, Any]]
"""Returns what a template shows of a picture; of ``None`` while there is none."""


class OverviewPages:
    """The handlers of the overviews."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._overviews: dict[str, tuple[Permission, Callable[[Request], Values]]] = {
            "book": ("accounts", self._book),
            "alerts": ("accounts", self._alerts),
            "segments": ("accounts", self._segments),
            "team": ("team", self._team),
        }

    def routes(self) -> list[Route]:
        """Return the routes: of each overview its page and its stream."""
        return [
            route
            for name, (needs, values) in self._overviews.items()
            for route in (
                self._site.route(needs, f"/{name}/{{tenant}}", self._page(name, values), name=name),
                self._site.route(needs, f"/live/{name}/{{tenant}}", self._stream(name, values)),
            )
        ]

    def _page(self, name: str, values_of: Callable[[Request], Values]) -> Handler:
        async def page(request: Request) -> Response:
            tenant = request.path_params["tenant"]
            picture = await self._site.pictures.first_picture(tenant)
            shown = values_of(request)(picture)
            return self._site.page(request, f"{name}.html", picture, tenant=tenant, here=name, **shown)

        return page

    def _stream(self, name: str, values_of: Callable[[Request], Values]) -> Handler:
        async def stream(request: Request) -> Response:
            site, tenant, values = self._site, request.path_params["tenant"], values_of(request)

            async def view() -> str | None:
                picture = site.pictures.picture(tenant)
                if picture is None:
                    return None
                return site.render_for(request, f"_{name}.html", tenant=tenant, **values(picture))

            return site.stream(request, view)

        return stream

    def _book(self, request: Request) -> Values:
        wanted = BookFilter.of(request.query_params)

        def values(picture: Picture | None) -> dict[str, Any]:
            now = self._site.now(picture)
            if picture is None:
                return {"filter": wanted, "book": None, "tasks": [], "now": now}
            whose = wanted.owner or session_of(request).person
            tasks = open_tasks(picture.accounts.values(), whose)
            return {"filter": wanted, "book": book(picture, wanted, now), "tasks": tasks, "now": now}

        return values

    def _alerts(self, request: Request) -> Values:
        wanted = InboxFilter.of(request.query_params)

        def values(picture: Picture | None) -> dict[str, Any]:
            now = self._site.now(picture)
            if picture is None:
                return {"filter": wanted, "inbox": None, "pending": {}, "accounts": {}, "now": now}
            return {
                "filter": wanted,
                "inbox": inbox(picture, wanted, now),
                "pending": self._site.acts.pending(picture),
                "accounts": picture.accounts,
                "now": now,
            }

        return values

    def _segments(self, _request: Request) -> Values:
        def values(picture: Picture | None) -> dict[str, Any]:
            return {"segments": None if picture is None else segments(picture, self._site.now(picture))}

        return values

    def _team(self, _request: Request) -> Values:
        def values(picture: Picture | None) -> dict[str, Any]:
            now = self._site.now(picture)
            return {"loads": None if picture is None else owner_loads(picture, now), "now": now}

        return values
