"""The reports that ask Kafka each time: model, producers and pipeline."""

from __future__ import annotations

import asyncio
from typing import Any

from confluent_kafka import KafkaException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bellbuoy.console.access.access import Session
from bellbuoy.console.access.rights import Permission
from bellbuoy.console.pages.site import Site
from bellbuoy.console.request import session_of
from bellbuoy.console.status import dead_letters, live_models, pipeline_report
from bellbuoy.errors import OperatorError
from bellbuoy.operations.kafka.topics import require_topics
from bellbuoy.operations.producers import producers
from bellbuoy.operations.rule_outcomes import judged_outcomes, read_alerts, responses_of
from bellbuoy.times import now as wall_clock
from processors.fold.models_in_force import LIVE
from processors.model import default_text
from schemas.times import DAY
from sinks.serving import ReadError

__all__ = ["ReportPages"]

_REPORTS: dict[str, tuple[Permission, str, str]] = {
    "model": ("model", "Model", "What makes the scores, and since when."),
    "producers": (
        "producers",
        "Producers",
        "What arrives, from whom, how it changed, and what could not be used.",
    ),
    "pipeline": ("pipeline", "Pipeline", "How far everything has come, and how fast it is."),
}


_OUTCOME_DAYS = 90
"""Days back of the alerts whose outcome the team page sums up."""


class ReportPages:
    """The handlers of the reports: of each a frame, and the content for which the frame asks."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            route
            for name, (needs, _, _) in _REPORTS.items()
            for route in (
                self._site.route(needs, f"/{name}/{{tenant}}", self.frame, name=name),
                self._site.route(needs, f"/reports/{name}/{{tenant}}", self.content, name="report"),
            )
        ] + [self._site.route("team", "/reports/outcomes/{tenant}", self.content, name="report")]

    async def frame(self, request: Request) -> Response:
        """Answer with the frame of a report, which then asks for its content."""
        tenant, name = request.path_params["tenant"], request.url.path.split("/")[1]
        _, title, about = _REPORTS[name]
        return self._site.page(
            request,
            "report.html",
            self._site.pictures.picture(tenant),
            tenant=tenant,
            here=name,
            title=title,
            about=about,
            report=f"/reports/{name}/{tenant}",
            often=name == "pipeline",
        )

    async def content(self, request: Request) -> Response:
        """Answer with the content of a report."""
        site, tenant, name = self._site, request.path_params["tenant"], request.url.path.split("/")[2]
        try:
            values = await asyncio.to_thread(self._values, name, tenant, session_of(request))
        except KafkaException as error:
            return HTMLResponse(site.render("_trouble.html", trouble=error.args[0].str()))
        except (OperatorError, ReadError) as error:
            return HTMLResponse(site.render("_trouble.html", trouble=str(error)))
        return HTMLResponse(site.render_for(request, f"_{name}.html", tenant=tenant, **values))

    def _values(self, name: str, tenant: str, session: Session) -> dict[str, Any]:
        settings, reader = self._site.settings, self._site.reader
        require_topics(settings)  # says soon that Kafka is away
        if name == "model":
            entries, default = live_models(settings, tenant)
            return {
                "token": self._site.access.token(session),
                "entries": entries,
                "default": default,
                "text": next((one.text for one in entries if one.role == LIVE), None) or default_text(),
            }
        if name == "outcomes":
            since = self._site.now(self._site.pictures.picture(tenant)) - _OUTCOME_DAYS * DAY
            alerts = read_alerts(settings, tenant)
            return {
                "rules": judged_outcomes(settings, alerts, since),
                "owners": responses_of(alerts, since),
                "days": _OUTCOME_DAYS,
            }
        if name == "producers":
            return {
                "producers": producers(settings, tenant, wall_clock()),
                "letters": dead_letters(settings, tenant),
                "token": self._site.access.token(session),
                "now": wall_clock(),
            }
        picture = self._site.pictures.picture(tenant)
        accounts = [] if picture is None else picture.accounts.values()
        return {
            "report": pipeline_report(settings, reader),
            "newest": 0 if picture is None else picture.journal_time,
            "now": wall_clock(),
            "silent": sorted({source for account in accounts for source in account.silent_sources}),
        }
