"""Trials on the model's page: a changed model held against the journal, with its progress."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bellbuoy.console.access import audit
from bellbuoy.console.pages.site import Site
from bellbuoy.console.request import form_of, session_of
from processors.model import ModelError, load_model
from schemas.times import DAY

__all__ = ["ModelPages"]

_DAYS = {"7": 7, "30": 30, "90": 90}


class ModelPages:
    """The handlers of trials."""

    def __init__(self, site: Site) -> None:
        self._site, self._trials = site, site.trials

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            self._site.route("model", "/trials/{tenant}", self.show, name="trial"),
            self._site.route("model", "/trials/{tenant}", self.begin, "POST", name="trial"),
        ]

    async def show(self, request: Request) -> Response:
        """Answer with the newest trial, which asks again while it runs."""
        tenant = request.path_params["tenant"]
        html = self._site.render("_trial.html", tenant=tenant, trial=self._trials.newest(tenant))
        return HTMLResponse(html)

    async def begin(self, request: Request) -> Response:
        """Begin a trial of the model in a form."""
        site, tenant = self._site, request.path_params["tenant"]
        fields = await form_of(request, site.access)
        try:
            model = load_model(fields.get("text", "").replace("\r\n", "\n"))
        except ModelError as error:
            return site.toast("This model has faults", str(error), 422)
        days, person = _DAYS.get(fields.get("days", ""), 30), session_of(request).person
        since = site.now(site.pictures.picture(tenant)) - days * DAY
        if not self._trials.begin(tenant, model, since, person):
            return site.toast("Another trial is running", "wait until it has ended", 409)
        audit.acted(person, tenant, "trial", model=model.name, version=model.version, days=days)
        return site.toast("The trial has begun", f"{model.name} {model.version} over {days} days")
