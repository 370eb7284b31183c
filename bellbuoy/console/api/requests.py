"""Requests to the JSON API as messages, and messages as responses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bellbuoy.console.api.messages import ActResponse, encoded
from bellbuoy.console.live import Picture
from bellbuoy.console.pages.site import Site
from bellbuoy.console.request import body_of
from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import CONFIGURATION
from bellbuoy.operations.acts.alerts import NoSuchAlertError
from schemas.records import AlertAction
from sinks.serving import ReadError

__all__ = ["NoQuery", "act_response", "first_picture", "message_of", "query_of", "refusals", "response"]

_MOST_BYTES = 32_768
_FIRST_SECONDS = 10.0

Query = TypeVar("Query", bound=Struct)
Message = TypeVar("Message", bound=Struct)


class NoQuery(Struct, forbid_unknown_fields=True):
    """Query of an address that takes no parameters."""


def query_of(request: Request, kind: type[Query]) -> Query:
    """Return the parameters of an address; raise HTTPException for one that it doesn't take."""
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    for name in names:
        if name not in kind.__struct_fields__:
            raise HTTPException(400, f"{name!r:.80} is no parameter of this address")
        if names.count(name) > 1:
            raise HTTPException(422, f"{name} is given more than once")
    try:
        return msgspec.convert(dict(given), kind, strict=False)
    except msgspec.ValidationError as error:
        raise HTTPException(422, str(error)) from None


async def message_of(request: Request, kind: type[Message]) -> Message:
    """Return the message in a request's body; raise HTTPException for any other body."""
    query_of(request, NoQuery)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send the act as application/json")
    try:
        return msgspec.json.decode(await body_of(request, _MOST_BYTES), type=kind)
    except msgspec.ValidationError as error:
        raise HTTPException(422, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HTTPException(400, f"the body is not JSON: {error}") from None


async def first_picture(request: Request, site: Site) -> Picture:
    """Return the picture of the tenant in a request's path; raise HTTPException while there is none."""
    picture = await site.pictures.first_picture(request.path_params["tenant"], _FIRST_SECONDS)
    if picture is None:
        raise HTTPException(503, "the accounts are not read yet: try again in a moment")
    return picture


@contextmanager
def refusals() -> Iterator[None]:
    """Raise HTTPException for an act that can't be, or of which nobody knows whether it was written."""
    try:
        yield
    except NoSuchAlertError as error:
        raise HTTPException(409, str(error)) from None
    except OperatorError as error:
        raise HTTPException(422 if error.exit_code == CONFIGURATION else 503, str(error)) from None
    except ReadError as error:
        raise HTTPException(503, str(error)) from None


def act_response(action: AlertAction) -> ActResponse:
    """Return what is answered of an act that was written."""
    return ActResponse(act_id=action.event_id, occurred_at=action.occurred_at, author=action.author)


def response(message: Struct | dict[str, object], status: int = 200) -> Response:
    """Return a message as a response."""
    return Response(encoded(message), status, media_type="application/json")
