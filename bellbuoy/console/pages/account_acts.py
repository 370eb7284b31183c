"""Notes and tasks of people on an account."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bellbuoy.console.access import audit
from bellbuoy.console.pages.forms import ChangeRefusedError, act_id, date_of, failure
from bellbuoy.console.pages.site import Site
from bellbuoy.console.request import form_of, session_of
from bellbuoy.errors import OperatorError
from bellbuoy.operations.acts.accounts import NoSuchTaskError, write_note, write_task, write_task_end
from sinks.serving import ReadError

__all__ = ["AccountActPages"]

_Fields = Mapping[str, str]
_DONE = {"done": True, "reopened": False}


class AccountActPages:
    """The handlers of notes and tasks, each of which answers with a word on what became of it."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Return the routes."""
        route, account = self._site.route, "{tenant}/{account_id:path}"
        return [
            route("act", f"/notes/{account}", self._handler(self._note), "POST", name="note"),
            route("act", f"/tasks/{account}", self._handler(self._task), "POST", name="task"),
        ]

    def _handler(
        self, write: Callable[[Request, _Fields], Awaitable[tuple[str, str]]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return the handler of a form, which audits and tells what ``write`` says of what it has written."""

        async def handle(request: Request) -> Response:
            site, fields = self._site, await form_of(request, self._site.access)
            tenant, account_id = request.path_params["tenant"], request.path_params["account_id"]
            try:
                kind, said = await write(request, fields)
            except (OperatorError, ReadError) as error:
                return failure(site, error, request, fields)
            audit.acted(session_of(request).person, tenant, kind, account=account_id)
            return site.toast(said, "it shows in a moment")

        return handle

    async def _note(self, request: Request, fields: _Fields) -> tuple[str, str]:
        path = request.path_params
        await asyncio.to_thread(
            write_note,
            self._site.settings,
            path["tenant"],
            path["account_id"],
            fields.get("text", ""),
            author=session_of(request).person,
            act_id=act_id(fields),
        )
        return "noted", "Noted"

    async def _task(self, request: Request, fields: _Fields) -> tuple[str, str]:
        if fields.get("task_id"):
            return await self._end(request, fields)
        path = request.path_params
        await asyncio.to_thread(
            write_task,
            self._site.settings,
            path["tenant"],
            path["account_id"],
            fields.get("title", ""),
            author=session_of(request).person,
            due_at=date_of(fields),
            assignee=fields.get("assignee") or None,
            act_id=act_id(fields),
        )
        return "task_set", "Task added"

    async def _end(self, request: Request, fields: _Fields) -> tuple[str, str]:
        path, kind = request.path_params, fields.get("kind", "")
        if kind not in _DONE:
            raise ChangeRefusedError("a task is done or reopened")
        health = await asyncio.to_thread(self._site.reader.account, path["tenant"], path["account_id"])
        known = [] if health is None else [one for one in health.tasks if one.task_id == fields["task_id"]]
        if not known:
            raise NoSuchTaskError("there is no such task any more")
        await asyncio.to_thread(
            write_task_end,
            self._site.settings,
            path["tenant"],
            path["account_id"],
            known[0],
            done=_DONE[kind],
            author=session_of(request).person,
            act_id=act_id(fields),
        )
        return f"task_{kind}", "Done" if _DONE[kind] else "Open again"
