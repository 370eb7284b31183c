"""The acts of people: what they do with alerts, and the scores that they set by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bellbuoy.console.access import audit
from bellbuoy.console.account import parse_moment
from bellbuoy.console.live import Picture
from bellbuoy.console.pages.forms import ChangeRefusedError, act_id, date_of, failure
from bellbuoy.console.pages.site import Site
from bellbuoy.console.request import form_of, session_of
from bellbuoy.errors import OperatorError
from bellbuoy.operations.acts.alerts import find_alert
from bellbuoy.operations.acts.touchpoints import TOUCHPOINTS, write_touchpoint
from bellbuoy.operations.changes.overrides import write_override
from processors.measures.formats import count
from processors.observe.override import is_target
from schemas.times import DAY, HOUR
from sinks.serving import ReadError

__all__ = ["ActPages"]

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


class ActPages:
    """The handlers of acts, each of which answers with a word on what became of it."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            self._site.route("act", "/alerts/{tenant}/{alert_id}", self.act, "POST", name="act"),
            self._site.route(
                "act", "/overrides/{tenant}/{account_id:path}", self.override, "POST", name="override"
            ),
            self._site.route(
                "act", "/touchpoints/{tenant}/{account_id:path}", self.touchpoint, "POST", name="touchpoint"
            ),
        ]

    async def act(self, request: Request) -> Response:
        """Write what a person did with an alert."""
        site, tenant, alert_id = self._site, request.path_params["tenant"], request.path_params["alert_id"]
        fields = await form_of(request, site.access)
        kind = fields.get("kind", "")
        try:
            alert = await asyncio.to_thread(find_alert, site.reader, tenant, alert_id)
            await asyncio.to_thread(
                site.acts.act,
                alert,
                kind,
                author=session_of(request).person,
                note=fields.get("note", "").strip() or None,
                until=self._until(fields, site.pictures.picture(tenant)),
                assignee=fields.get("assignee", "").strip() or None,
                feedback=fields.get("feedback") or None,
                action_id=act_id(fields),
            )
        except (OperatorError, ReadError) as error:
            return failure(site, error, request, fields)
        audit.acted(session_of(request).person, tenant, kind, account=alert.account_id, alert=alert.alert_id)
        site.pictures.announce()
        return site.toast(_DONE.get(kind, kind), f"{alert.name or alert.account_id}: {alert.title}")

    async def override(self, request: Request) -> Response:
        """Set a score by hand, or take that back."""
        site, tenant = self._site, request.path_params["tenant"]
        fields = await form_of(request, site.access)
        target, reason = fields.get("target", "score"), fields.get("reason", "").strip()
        withdrawn = fields.get("withdraw") == "1"
        value, days = _score(fields.get("value", "")), _days(fields.get("days", ""))
        try:
            if not is_target(target):
                raise ChangeRefusedError("no such measure")
            if not withdrawn and (value is None or days is None):
                raise ChangeRefusedError("give a score of 0 to 100 and an end within a year")
            at = site.now(site.pictures.picture(tenant))
            await asyncio.to_thread(
                write_override,
                site.settings,
                tenant,
                request.path_params["account_id"],
                target=target,
                value=None if withdrawn else value,
                reason=reason or ("Withdrawn" if withdrawn else ""),
                author=session_of(request).person,
                until=None if withdrawn or days is None else at + days * DAY,
            )
        except OperatorError as error:
            return failure(site, error, request, fields)
        audit.acted(
            session_of(request).person,
            tenant,
            "override",
            account=request.path_params["account_id"],
            target=target,
            value=None if withdrawn else value,
        )
        ends = f" for {count(days, 'day')}" if days else ""
        said = "Override withdrawn" if withdrawn else f"{target} set to {value:g}{ends}"
        return site.toast(said, "it counts in a moment")

    async def touchpoint(self, request: Request) -> Response:
        """Write a contact that somebody of the team had with the customer."""
        site, tenant = self._site, request.path_params["tenant"]
        fields = await form_of(request, site.access)
        person = session_of(request).person
        account_id, kind = request.path_params["account_id"], fields.get("kind", "")
        try:
            await asyncio.to_thread(
                write_touchpoint,
                site.settings,
                tenant,
                account_id,
                kind,
                author=person,
                about=fields.get("about", ""),
                at=date_of(fields),
                contact=fields.get("contact", "").strip() or None,
                event_id=act_id(fields),
            )
        except OperatorError as error:
            return failure(site, error, request, fields)
        audit.acted(person, tenant, "touchpoint", account=account_id, kind=kind)
        return site.toast(f"{TOUCHPOINTS[kind]} logged", "it counts in a moment")

    def _until(self, fields: Mapping[str, str], picture: Picture | None) -> int | None:
        if fields.get("kind") != "snoozed":
            return None
        date, length = fields.get("date", "").strip(), fields.get("for", "")
        if date:
            return parse_moment(date)
        return self._site.now(picture) + _SNOOZES[length] if length in _SNOOZES else None


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
