"""The pages: what each shows, from the live pictures and a reader, and the acts that they send."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from getpass import getuser
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bellbuoy.console.access import SESSION_SECONDS, Access
from bellbuoy.console.account import (
    AccountPage,
    account_page,
    cost_of,
    parse_moment,
    score_at,
    why_it_changed,
)
from bellbuoy.console.acts import ActsOnTheirWay
from bellbuoy.console.assets import Assets
from bellbuoy.console.book import BANDS, SORTS, BookFilter, book
from bellbuoy.console.inbox import VIEWS, InboxFilter, inbox
from bellbuoy.console.live import LivePictures, Picture
from bellbuoy.console.request import COOKIE, form_of, session_of
from bellbuoy.console.status import dead_letters, live_models, pipeline_report
from bellbuoy.console.streams import live_response
from bellbuoy.console.team import owner_loads, segments
from bellbuoy.console.words import FILTERS
from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import AWAY, CONFIGURATION
from bellbuoy.operations.alert_actions import FEEDBACK, NoSuchAlertError, find_alert
from bellbuoy.operations.changes import write_override
from bellbuoy.operations.topics import require_topics
from bellbuoy.query.alerts import SEVERITIES
from bellbuoy.settings import Settings
from bellbuoy.times import now as wall_clock
from processors.measures import MEASURES
from processors.observe.override import is_target
from schemas.times import DAY, HOUR
from sinks.serving import Reader, ReadError

__all__ = ["Pages"]

_TEMPLATES = Path(__file__).with_name("templates")
_SNOOZES = {"4h": 4 * HOUR, "1d": DAY, "3d": 3 * DAY, "7d": 7 * DAY, "30d": 30 * DAY}
_MOST_OVERRIDE_DAYS = 365
_DONE = {
    "acknowledged": "You are on it",
    "snoozed": "Snoozed",
    "assigned": "Assigned",
    "dismissed": "Dismissed",
    "resolved": "Resolved",
    "reviewed": "Feedback given",
}

_REPORTS = {
    "model": ("Model", "What makes the scores, and since when."),
    "producers": ("Producers", "Records that could not be used, and why."),
    "pipeline": ("Pipeline", "How far everything has come, and how fast it is."),
}

Handler = Callable[[Request], Awaitable[Response]]
Values = Callable[[Picture | None], dict[str, Any]]


class Pages:
    """The handlers of every page of one console; ``stopping`` ends their live streams."""

    def __init__(
        self,
        settings: Settings,
        tenants: tuple[str, ...],
        access: Access,
        reader: Reader,
        pictures: LivePictures,
    ) -> None:
        self.stopping = asyncio.Event()
        self.assets = Assets()
        self._settings, self._tenants, self._access = settings, tenants, access
        self._reader, self._pictures = reader, pictures
        self._acts = ActsOnTheirWay(settings)
        self._folding = asyncio.Semaphore(1)
        self._environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= FILTERS | {"cost": cost_of}
        self._environment.globals |= {
            "asset": self.assets.url,
            "bands": BANDS,
            "sorts": SORTS,
            "views": VIEWS,
            "severities": SEVERITIES,
            "feedback_words": FEEDBACK,
        }

    # Signing in

    async def sign_in(self, request: Request) -> Response:
        """Sign in by a link, or say how."""
        link, target = request.query_params.get("link", ""), request.query_params.get("next", "/")
        if link and request.method == "GET":  # a HEAD, as of a preview, must not use it up
            person = self._settings.console.person or getuser()
            cookie = await asyncio.to_thread(self._access.sign_in, link, person)
            if cookie is not None:
                answer = RedirectResponse(target if _is_path(target) else "/", 303)
                answer.set_cookie(
                    COOKIE,
                    cookie,
                    max_age=SESSION_SECONDS,
                    httponly=True,
                    samesite="lax",
                    secure=(self._settings.console.url or "").startswith("https:"),
                )
                return answer
        return HTMLResponse(self._render("sign_in.html", used=bool(link)), 401)

    async def sign_out(self, request: Request) -> Response:
        """Forget the session in this browser."""
        await form_of(request, self._access)
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(COOKIE)
        return answer

    async def home(self, _request: Request) -> Response:
        """Lead to the book of the first tenant."""
        return RedirectResponse(f"/book/{self._tenants[0]}", 303)

    # The book

    async def book(self, request: Request) -> Response:
        """Answer with a tenant's accounts, those that need somebody first."""
        return await self._overview(request, "book", self._book(request))

    async def book_live(self, request: Request) -> Response:
        """Stream a book."""
        return self._overview_live(request, "book", self._book(request))

    def _book(self, request: Request) -> Values:
        wanted = BookFilter.of(request.query_params)

        def values(picture: Picture | None) -> dict[str, Any]:
            now = self._now(picture)
            found = None if picture is None else book(picture, wanted, now)
            return {"filter": wanted, "book": found, "now": now}

        return values

    # Alerts

    async def alerts(self, request: Request) -> Response:
        """Answer with a tenant's open alerts."""
        return await self._overview(request, "alerts", self._inbox(request))

    async def alerts_live(self, request: Request) -> Response:
        """Stream an inbox."""
        return self._overview_live(request, "alerts", self._inbox(request))

    def _inbox(self, request: Request) -> Values:
        wanted = InboxFilter.of(request.query_params)

        def values(picture: Picture | None) -> dict[str, Any]:
            now = self._now(picture)
            if picture is None:
                return {"filter": wanted, "inbox": None, "pending": {}, "now": now}
            found, pending = inbox(picture, wanted, now), self._acts.pending(picture)
            return {"filter": wanted, "inbox": found, "pending": pending, "now": now}

        return values

    async def act(self, request: Request) -> Response:
        """Write what a person did with an alert, and answer with a word on it."""
        tenant, alert_id = self._tenant(request), request.path_params["alert_id"]
        fields = await form_of(request, self._access)
        kind = fields.get("kind", "")
        try:
            alert = await asyncio.to_thread(find_alert, self._reader, tenant, alert_id)
            await asyncio.to_thread(
                self._acts.act,
                alert,
                kind,
                author=session_of(request).person,
                note=fields.get("note", "").strip() or None,
                until=self._until(fields, self._pictures.picture(tenant)),
                assignee=fields.get("assignee", "").strip() or None,
                feedback=fields.get("feedback") or None,
                action_id=_event_id(fields),
            )
        except (OperatorError, ReadError) as error:
            return self._failure(error, request, fields)
        self._pictures.announce()
        return HTMLResponse(
            self._render("_toast.html", ok=True, said=_DONE.get(kind, kind), about=alert.title, retry=None)
        )

    def _until(self, fields: Mapping[str, str], picture: Picture | None) -> int | None:
        if fields.get("kind") != "snoozed":
            return None
        date, length = fields.get("date", "").strip(), fields.get("for", "")
        if date:
            return parse_moment(date)
        return self._now(picture) + _SNOOZES[length] if length in _SNOOZES else None

    def _failure(self, error: Exception, request: Request, fields: Mapping[str, str]) -> Response:
        code = getattr(error, "exit_code", AWAY)
        status = 409 if isinstance(error, NoSuchAlertError) else 422 if code == CONFIGURATION else 503
        retry = {"path": request.url.path, "fields": fields} if status == 503 else None
        html = self._render(
            "_toast.html",
            ok=False,
            said="This was not recorded" if status != 503 else "Nothing is known to be recorded",
            about=_for_people(str(error)),
            retry=retry,
            token=self._access.token(session_of(request)),
        )
        return HTMLResponse(html, status)

    # One account

    async def account(self, request: Request) -> Response:
        """Answer with one account."""
        tenant, account_id = self._tenant(request), request.path_params["account_id"]
        picture = await self._pictures.first_picture(tenant)
        try:
            page = await self._account_page(tenant, account_id, picture)
        except ReadError:
            return self._page(
                request, "away.html", picture, 503, tenant=tenant, here="book", now=self._now(picture)
            )
        if page is None:
            similar = await asyncio.to_thread(self._reader.find, tenant, account_id)
            return self._page(
                request,
                "no_account.html",
                picture,
                404,
                tenant=tenant,
                here="book",
                account_id=account_id,
                similar=similar,
            )
        at = request.query_params.get("at", "")
        return self._page(
            request,
            "account.html",
            picture,
            tenant=tenant,
            here="book",
            page=page,
            at=at,
            targets=[name for name, measure in MEASURES.items() if measure.name],
            **self._of_account(page, picture),
        )

    async def account_live(self, request: Request) -> Response:
        """Stream one account."""
        tenant, account_id = self._tenant(request), request.path_params["account_id"]
        seen: list[Any] = []
        html: str | None = None

        async def view() -> str | None:
            nonlocal seen, html
            picture = self._pictures.picture(tenant)
            if picture is None:
                return html
            shown = self._of_account(None, picture)
            alerts = [alert for alert in picture.alerts.values() if alert.account_id == account_id]
            acts = {one.alert_id: shown["pending"].get(one.alert_id) for one in alerts}
            now = [picture.accounts.get(account_id), alerts, acts, shown["now"] // 60_000]
            if now != seen:
                with suppress(ReadError):
                    page = await self._account_page(tenant, account_id, picture)
                    if page is not None:
                        seen = now
                        html = self._render("_account.html", tenant=tenant, page=page, **shown)
            return html

        return live_response(self._pictures, view, self.stopping)

    async def _account_page(
        self, tenant: str, account_id: str, picture: Picture | None
    ) -> AccountPage | None:
        accounts = {} if picture is None else picture.accounts
        return await asyncio.to_thread(account_page, self._reader, tenant, account_id, accounts)

    def _of_account(self, _page: AccountPage | None, picture: Picture | None) -> dict[str, Any]:
        pending = {} if picture is None else self._acts.pending(picture)
        return {"pending": pending, "now": self._now(picture)}

    async def then(self, request: Request) -> Response:
        """Answer with what made an account's score at a past time, as ``explain --at`` says it."""
        tenant, account_id = self._tenant(request), request.path_params["account_id"]
        at = parse_moment(request.query_params.get("at", ""))
        if at is None:
            raise HTTPException(422, "no time is given")
        async with self._folding:
            past = await asyncio.to_thread(score_at, self._settings, tenant, account_id, at)
        return HTMLResponse(self._render("_then.html", past=past, at=at))

    async def why(self, request: Request) -> Response:
        """Answer with what changed an account's score in the last days."""
        tenant, account_id = self._tenant(request), request.path_params["account_id"]
        days = request.query_params.get("days", "7")
        since = self._now(self._pictures.picture(tenant)) - int(days if days in ("1", "7", "30") else 7) * DAY
        async with self._folding:
            past = await asyncio.to_thread(why_it_changed, self._settings, tenant, account_id, since)
        return HTMLResponse(self._render("_why.html", past=past, since=since, days=days))

    async def override(self, request: Request) -> Response:
        """Set a score by hand, or take that back, and answer with a word on it."""
        tenant, account_id = self._tenant(request), request.path_params["account_id"]
        fields = await form_of(request, self._access)
        target, reason = fields.get("target", "score"), fields.get("reason", "").strip()
        withdrawn = fields.get("withdraw") == "1"
        value, days = _score(fields.get("value", "")), _days(fields.get("days", ""))
        if not is_target(target) or (not withdrawn and (value is None or days is None)):
            wrong = (
                "give a score of 0 to 100 and an end within a year"
                if is_target(target)
                else "no such measure"
            )
            return self._failure(ChangeRefusedError(wrong), request, fields)
        at = self._now(self._pictures.picture(tenant))
        try:
            await asyncio.to_thread(
                write_override,
                self._settings,
                tenant,
                account_id,
                target=target,
                value=None if withdrawn else value,
                reason=reason or ("Withdrawn" if withdrawn else ""),
                author=session_of(request).person,
                until=None if withdrawn or days is None else at + days * DAY,
            )
        except OperatorError as error:
            return self._failure(error, request, fields)
        said = "Override withdrawn" if withdrawn else f"{target} set to {value:g} for {days} days"
        return HTMLResponse(
            self._render("_toast.html", ok=True, said=said, about="it counts in a moment", retry=None)
        )

    # Segments and team

    async def segments(self, request: Request) -> Response:
        """Answer with a tenant's segments."""
        return await self._overview(request, "segments", self._segments)

    async def segments_live(self, request: Request) -> Response:
        """Stream a tenant's segments."""
        return self._overview_live(request, "segments", self._segments)

    def _segments(self, picture: Picture | None) -> dict[str, Any]:
        return {"segments": None if picture is None else segments(picture, self._now(picture))}

    async def team(self, request: Request) -> Response:
        """Answer with the load of every owner."""
        return await self._overview(request, "team", self._team)

    async def team_live(self, request: Request) -> Response:
        """Stream the load of every owner."""
        return self._overview_live(request, "team", self._team)

    def _team(self, picture: Picture | None) -> dict[str, Any]:
        now = self._now(picture)
        return {"loads": None if picture is None else owner_loads(picture, now), "now": now}

    async def _overview(self, request: Request, name: str, values: Values) -> Response:
        tenant = self._tenant(request)
        picture = await self._pictures.first_picture(tenant)
        return self._page(request, f"{name}.html", picture, tenant=tenant, here=name, **values(picture))

    def _overview_live(self, request: Request, name: str, values: Values) -> Response:
        tenant = self._tenant(request)

        async def view() -> str | None:
            picture = self._pictures.picture(tenant)
            return (
                None if picture is None else self._render(f"_{name}.html", tenant=tenant, **values(picture))
            )

        return live_response(self._pictures, view, self.stopping)

    # Reports from Kafka

    async def report(self, request: Request) -> Response:
        """Answer with the frame of a report, which then asks for its content."""
        tenant, name = self._tenant(request), request.url.path.split("/")[1]
        title, about = _REPORTS[name]
        return self._page(
            request,
            "report.html",
            self._pictures.picture(tenant),
            tenant=tenant,
            here=name,
            title=title,
            about=about,
            report=f"/reports/{name}/{tenant}",
            often=name == "pipeline",
        )

    async def report_content(self, request: Request) -> Response:
        """Answer with the content of a report."""
        tenant, name = self._tenant(request), request.path_params["name"]
        if name not in _REPORTS:
            raise HTTPException(404)
        try:
            values = await asyncio.to_thread(self._report, name, tenant)
        except KafkaException as error:
            return HTMLResponse(self._render("_trouble.html", trouble=error.args[0].str()))
        except (OperatorError, ReadError) as error:
            return HTMLResponse(self._render("_trouble.html", trouble=str(error)))
        return HTMLResponse(self._render(f"_{name}.html", tenant=tenant, **values))

    def _report(self, name: str, tenant: str) -> dict[str, Any]:
        require_topics(self._settings)  # says soon that Kafka is away
        if name == "model":
            entries, default = live_models(self._settings, tenant)
            return {"entries": entries, "default": default}
        if name == "producers":
            return {"letters": dead_letters(self._settings, tenant)}
        picture = self._pictures.picture(tenant)
        accounts = [] if picture is None else picture.accounts.values()
        return {
            "report": pipeline_report(self._settings, self._reader),
            "newest": 0 if picture is None else picture.journal_time,
            "now": wall_clock(),
            "silent": sorted({source for account in accounts for source in account.silent_sources}),
        }

    # Common

    def _tenant(self, request: Request) -> str:
        tenant: str = request.path_params["tenant"]
        if tenant not in self._tenants:
            raise HTTPException(404)
        return tenant

    def _now(self, picture: Picture | None) -> int:
        """Return the journal's time: this machine's clock, or the newest record's where time is simulated."""
        if self._settings.journal.clock == "wall" or picture is None:
            return wall_clock()
        return picture.journal_time

    def _page(
        self, request: Request, template: str, picture: Picture | None, status: int = 200, **values: Any
    ) -> Response:
        session = session_of(request)
        html = self._render(
            template,
            session=session,
            token=self._access.token(session),
            tenants=self._tenants,
            away=self._pictures.away,
            query=request.url.query,
            open_alerts=0 if picture is None else len(picture.alerts),
            **values,
        )
        return HTMLResponse(html, status)

    def _render(self, template: str, **values: Any) -> str:
        return self._environment.get_template(template).render(**values)

    async def error(self, request: Request, error: Exception) -> Response:
        """Answer with an error in words."""
        assert isinstance(error, HTTPException)
        if request.headers.get("hx-request") or request.method != "GET":
            html = self._render(
                "_toast.html", ok=False, said="This was not done", about=error.detail, retry=None
            )
            return HTMLResponse(html, error.status_code)
        return HTMLResponse(
            self._render("error.html", status=error.status_code, detail=error.detail), error.status_code
        )


class ChangeRefusedError(OperatorError):
    """A form asks for what can't be; the message says what to give instead."""

    exit_code = CONFIGURATION


def _event_id(fields: Mapping[str, str]) -> str:
    """Return the id that the page gave an act, so that sending it twice counts once."""
    given = fields.get("action_id", "")
    return given if given.isalnum() and given.isascii() and len(given) <= 64 else ""


def _for_people(text: str) -> str:
    """Return a message of the command without what only the command line has."""
    return text.partition("; `bellbuoy")[0].partition(": `bellbuoy")[0].partition(" (--")[0]


def _is_path(target: str) -> bool:
    return target.startswith("/") and not target.startswith(("//", "/\\"))


def _score(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 100 else None


def _days(text: str) -> int | None:
    return (
        int(text) if text.isascii() and text.isdigit() and 0 < int(text[:6]) <= _MOST_OVERRIDE_DAYS else None
    )
