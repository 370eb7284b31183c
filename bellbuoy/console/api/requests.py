"""Requests to the JSON API as messages, and messages as responses."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bellbuoy.console.api.messages import encoded
from bellbuoy.console.live import Picture
from bellbuoy.console.pages.site import Site
from bellbuoy.console.request import body_of

__all__ = ["NoQuery", "first_picture", "message_of", "query_of", "response"]

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


def response(message: Struct | dict[str, object], status: int = 200) -> Response:
    """Return a message as a response."""
    return Response(encoded(message), status, media_type="application/json")
