"""Notes and tasks in the JSON API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bellbuoy.console.access import audit
from bellbuoy.console.api.messages import (
    NoteRequest,
    TaskActRequest,
    TaskEntry,
    TaskQuery,
    TaskRequest,
    TaskResponse,
    TasksResponse,
)
from bellbuoy.console.api.requests import (
    act_response,
    first_picture,
    message_of,
    query_of,
    refusals,
    response,
)
from bellbuoy.console.pages.site import Site
from bellbuoy.console.request import API, session_of
from bellbuoy.operations.acts.accounts import open_tasks, write_note, write_task, write_task_end
from schemas.records import AccountHealth, AlertAction

__all__ = ["AccountActRoutes"]


class AccountActRoutes:
    """The handlers of notes and tasks in the JSON API of one console."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Return the routes."""
        base, route = f"{API}v1/tenants/{{tenant}}", self._site.route
        account = f"{base}/accounts/{{account_id:path}}"
        return [
            route("accounts", f"{base}/tasks", self.tasks, name="api_tasks"),
            route("act", f"{account}/notes", self.note, "POST", name="api_note"),
            route("act", f"{account}/tasks", self.task, "POST", name="api_task"),
            route("act", f"{account}/tasks/{{task_id}}/acts", self.task_act, "POST", name="api_task_act"),
        ]

    async def tasks(self, request: Request) -> Response:
        """Answer with a part of a tenant's open tasks."""
        asked, picture = query_of(request, TaskQuery), await first_picture(request, self._site)
        found = open_tasks(picture.accounts.values(), asked.assignee or None)
        entries = [
            TaskEntry(account_id=account.account_id, name=account.name, owner=account.owner, task=task)
            for account, task in found[asked.offset : asked.offset + asked.n]
        ]
        return response(TasksResponse(tasks=entries, found=len(found)))

    async def note(self, request: Request) -> Response:
        """Write a note on an account to Kafka."""
        asked = await message_of(request, NoteRequest)
        action = await self._write(
            request, lambda health, author: write_note(
                self._site.settings, health.tenant, health.account_id, asked.text, author=author,
                act_id=asked.act_id or "",
            ),
        )  # fmt: skip
        return response(act_response(action), 202)

    async def task(self, request: Request) -> Response:
        """Write a task of an account to Kafka."""
        asked = await message_of(request, TaskRequest)
        action = await self._write(
            request, lambda health, author: write_task(
                self._site.settings, health.tenant, health.account_id, asked.title, author=author,
                due_at=asked.due_at, assignee=asked.assignee, task_id=asked.task_id or "",
                act_id=asked.act_id or "",
            ),
        )  # fmt: skip
        made = TaskResponse(**msgspec.structs.asdict(act_response(action)), task_id=action.alert_id)
        return response(made, 202)

    async def task_act(self, request: Request) -> Response:
        """Write to Kafka that a task is done, or open again."""
        asked, task_id = await message_of(request, TaskActRequest), request.path_params["task_id"]

        def write(health: AccountHealth, author: str) -> AlertAction:
            known = [task for task in health.tasks if task.task_id == task_id]
            if not known:
                raise HTTPException(404, "there is no such task")
            return write_task_end(
                self._site.settings, health.tenant, health.account_id, known[0],
                done=asked.kind == "done", author=author, act_id=asked.act_id or "",
            )  # fmt: skip

        return response(act_response(await self._write(request, write)), 202)

    async def _write(
        self, request: Request, write: Callable[[AccountHealth, str], AlertAction]
    ) -> AlertAction:
        """Write an act on the account in a request's path; raise HTTPException where that can't be."""
        tenant, account_id = request.path_params["tenant"], request.path_params["account_id"]
        author = session_of(request).person
        with refusals():
            health = await asyncio.to_thread(self._site.reader.account, tenant, account_id)
            if health is None:
                raise HTTPException(404, "there is no such account")
            action = await asyncio.to_thread(write, health, author)
        audit.acted(author, tenant, action.kind, account=account_id)
        return action
