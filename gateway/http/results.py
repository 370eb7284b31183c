"""The result of each event of a request, and the answer that tells them."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.errors import Fault

__all__ = ["Results", "dry_run_of", "is_dry_run"]


def is_dry_run(request: Request) -> bool:
    """Tell whether a request is only to be judged: nothing of it is kept."""
    return bool(request.scope["query_string"]) and request.query_params.get("dry_run", "").lower() in (
        "1",
        "true",
        "yes",
    )


def dry_run_of(request: Request) -> Results | None:
    """Return what takes the results of a request that is only to be judged, ``None`` for any other."""
    return Results() if is_dry_run(request) else None


class Results:
    """
    The results of a request, in the order of its events: 200 all accepted, 207 some, 400 none.

    ``rejected`` are the events that were rejected, by index, each with its fault.
    """

    def __init__(self) -> None:
        self._results: list[dict[str, Any]] = []
        self.rejected: list[tuple[int, Fault]] = []

    def accept(self, event_id: str) -> None:
        """Note that an event was accepted."""
        self._results.append({"status": "accepted", "event_id": event_id})

    def reject(self, fault: Fault, index: int | None) -> None:
        """Note that an event was rejected; ``index`` is its place in a list, ``None`` for the only one."""
        pointer = ("" if index is None else f"/{index}") + fault.pointer
        self.rejected.append((index or 0, fault))
        self._results.append({"status": "rejected", "message": fault.detail, "pointer": pointer})

    def ignore(self) -> None:
        """Note that an event was taken, and says nothing about health."""
        self._results.append({"status": "ignored"})

    @property
    def mixed(self) -> bool:
        """Whether some events were accepted and others weren't."""
        return 0 < len(self.rejected) < len(self._results)

    def answer(self, *, dry_run: bool = False) -> Response:
        """Return the answer; that of a ``dry_run`` says so."""
        rejected = [result for result in self._results if result["status"] == "rejected"]
        body: dict[str, Any] = {
            "accepted": sum(result["status"] == "accepted" for result in self._results),
            "rejected": len(rejected),
            "results": self._results,
        }
        if dry_run:
            body["dry_run"] = True
        status = 200
        if rejected:
            status = 400 if len(rejected) == len(self._results) else 207
            body |= {"code": "invalid", "message": rejected[0]["message"], "pointer": rejected[0]["pointer"]}
        return Response(msgspec.json.encode(body), status, media_type="application/json")
