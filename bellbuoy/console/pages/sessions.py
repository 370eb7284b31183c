"""The sessions that are open: one's own, and for those who run the console everybody's."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bellbuoy.console.access import audit
from bellbuoy.console.access.access import OpenSession
from bellbuoy.console.pages.site import Site
from bellbuoy.console.request import form_of, rights_of, session_of

__all__ = ["SessionPages"]


class SessionPages:
    """The handlers of the list of sessions, and of ending some."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/sessions", self.show), Route("/sessions", self.end, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        """Answer with the sessions that one may end."""
        site, tenants = self._site, rights_of(request).tenants
        if not tenants:
            raise HTTPException(403)
        return site.page(
            request,
            "sessions.html",
            None,
            tenant=tenants[0],
            here="",
            sessions=await self._sessions(request),
            own=site.access.key_of(session_of(request)),
            everybody=self._everybody(request),
        )

    async def end(self, request: Request) -> Response:
        """End one session, or all of a person's; who ends the present one has to sign in again."""
        site, person = self._site, session_of(request).person
        fields = await form_of(request, site.access)
        known = await self._sessions(request)
        key, whose = fields.get("key", ""), fields.get("whose", "")
        chosen = [one for one in known if one.key == key or (whose and one.person == whose)]
        for one in chosen:
            await asyncio.to_thread(site.access.end, one.key)
        for name in {one.person for one in chosen}:
            audit.ended(person, name, sum(one.person == name for one in chosen))
        site.pictures.announce()  # streams look whether their session is still open
        return RedirectResponse("/sessions", 303)

    async def _sessions(self, request: Request) -> list[OpenSession]:
        """Return the sessions that one may see: one's own, or all."""
        known = await asyncio.to_thread(self._site.access.sessions)
        person, everybody = session_of(request).person, self._everybody(request)
        return [one for one in known if everybody or one.person == person]

    def _everybody(self, request: Request) -> bool:
        rights = rights_of(request)
        return all(rights.may("pipeline", tenant) for tenant in self._site.tenants)
