"""Dead letters on the producers' page: one with its record, its correction, and sending many again."""

from __future__ import annotations

import asyncio

from confluent_kafka import KafkaException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bellbuoy.console.access import audit
from bellbuoy.console.pages.site import Site
from bellbuoy.console.request import form_of, session_of
from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import CONFIGURATION
from bellbuoy.operations.deadletters.correction import correct, correction_of
from bellbuoy.operations.deadletters.redrive import RedriveResult, redrive
from streams.deadletters.reader import DeadLetterFilter
from streams.kafka.errors import FencedError

__all__ = ["ProducerPages"]

_AWAY = "Nothing is known to be sent"


class ProducerPages:
    """The handlers of dead letters."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Return the routes."""
        one, route = "/deadletters/{tenant}/{letter_id}", self._site.route
        return [
            route("repair", one, self.show, name="dead_letter"),
            route("repair", one, self.correct, "POST", name="dead_letter"),
            route("repair", "/deadletters/{tenant}", self.redrive, "POST", name="redrive"),
        ]

    async def show(self, request: Request) -> Response:
        """Answer with the record of a dead letter, to be corrected, and what is wrong with it."""
        tenant, letter_id = request.path_params["tenant"], request.path_params["letter_id"]
        try:
            found = await asyncio.to_thread(correction_of, self._site.settings, tenant, letter_id)
        except (OperatorError, KafkaException) as error:
            return HTMLResponse(self._site.render("_trouble.html", trouble=_words(error)))
        token = self._site.access.token(session_of(request))
        return HTMLResponse(
            self._site.render("_dead_letter.html", tenant=tenant, correction=found, token=token)
        )

    async def correct(self, request: Request) -> Response:
        """Repair a dead letter with the record of a form, and send it again."""
        tenant, letter_id = request.path_params["tenant"], request.path_params["letter_id"]
        fields = await form_of(request, self._site.access)
        try:
            result = await asyncio.to_thread(
                correct, self._site.settings, tenant, letter_id, fields.get("record", "")
            )
        except (OperatorError, KafkaException, FencedError) as error:
            return self._failure(error)
        audit.acted(session_of(request).person, tenant, "repair", dead_letter=letter_id, sent=result.done)
        return self._answer(result)

    async def redrive(self, request: Request) -> Response:
        """Send every open dead letter of a topic, a reason and a producer again, as it is."""
        tenant, fields = request.path_params["tenant"], await form_of(request, self._site.access)
        wanted = DeadLetterFilter(
            tenant=tenant,
            topic=fields.get("topic", ""),
            reason=fields.get("reason", ""),
            producer=fields.get("producer") or None,
        )
        try:
            result = await asyncio.to_thread(
                redrive, self._site.settings, wanted, lambda _: None, dry_run=False
            )
        except (OperatorError, KafkaException, FencedError) as error:
            return self._failure(error)
        audit.acted(
            session_of(request).person,
            tenant,
            "redrive",
            topic=wanted.topic,
            reason=wanted.reason,
            producer=wanted.producer,
            sent=result.done,
        )
        return self._answer(result)

    def _answer(self, result: RedriveResult) -> Response:
        if not result.done and result.faulty:
            _, flaws = result.faulty[0]
            wrong = "; ".join(f"{flaw.pointer or 'the record'}: {flaw.what}" for flaw in flaws[:3])
            return self._site.toast("Nothing was sent", wrong, 422)
        left = f", {len(result.faulty):,} still have a fault" if result.faulty else ""
        already = ", sent before" if result.already and not result.done else ""
        return self._site.toast("Sent again", f"{result.done:,} of them{left}{already}")

    def _failure(self, error: Exception) -> Response:
        refused = isinstance(error, OperatorError) and error.exit_code == CONFIGURATION
        return self._site.toast(
            "Nothing was sent" if refused else _AWAY, _words(error), 422 if refused else 503
        )


def _words(error: Exception) -> str:
    if isinstance(error, FencedError):
        return "another redrive took over; look at what is open now"
    if isinstance(error, KafkaException):
        return f"Kafka doesn't answer: {error.args[0].str()}"
    return str(error)
