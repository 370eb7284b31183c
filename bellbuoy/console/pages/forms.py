"""The answers to the forms of acts, and what all of them say: an id, and why an act failed."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from starlette.requests import Request
from starlette.responses import Response

from bellbuoy.console.account import parse_moment
from bellbuoy.console.pages.site import Site
from bellbuoy.console.request import session_of
from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import AWAY, CONFIGURATION
from bellbuoy.operations.acts.accounts import NoSuchTaskError
from bellbuoy.operations.acts.alerts import NoSuchAlertError
from bellbuoy.operations.kafka.errors import KafkaAwayError

__all__ = ["ChangeRefusedError", "act_id", "date_of", "failure"]

log = structlog.get_logger(__name__)


class ChangeRefusedError(OperatorError):
    """A form asks for what can't be; the message says what to give instead."""

    exit_code = CONFIGURATION


def act_id(fields: Mapping[str, str]) -> str:
    """Return the id that the page gave an act, so that sending it twice counts once."""
    given = fields.get("action_id", "")
    return given if given.isalnum() and given.isascii() and len(given) <= 64 else ""


def date_of(fields: Mapping[str, str]) -> int | None:
    """Return the date of a form, UTC milliseconds, ``None`` where none is given; raise ChangeRefusedError."""
    text = fields.get("date", "").strip()
    date = parse_moment(text)
    if text and date is None:
        raise ChangeRefusedError(f"{text!r:.40} is no date")
    return date


def failure(site: Site, error: Exception, request: Request, fields: Mapping[str, str]) -> Response:
    """Answer that an act was not recorded, or that nobody knows; then it can be sent again as it was."""
    code = getattr(error, "exit_code", AWAY)
    gone = isinstance(error, NoSuchAlertError | NoSuchTaskError)
    status = 409 if gone else 422 if code == CONFIGURATION else 503
    return site.toast(
        "This was not recorded" if status != 503 else "Nothing is known to be recorded",
        _for_people(error),
        status,
        retry={"path": request.url.path, "fields": fields} if status == 503 else None,
        token=site.access.token(session_of(request)),
    )


def _for_people(error: Exception) -> str:
    """Return a message of the command without what only an operator or the command line can use."""
    text = str(error)
    if isinstance(error, KafkaAwayError):
        log.warning("An act could not be written.", error=text)
        return "Kafka doesn't answer. Send it again: it counts once."
    return text.partition("; `bellbuoy")[0].partition(": `bellbuoy")[0]
