"""
The connection to HubSpot: searches in the order of change, exact where objects change meanwhile.

A search has one order only, so that objects of one millisecond have none. A full page is therefore taken up
to its last millisecond, whose objects follow by their ids. What changed within the last minute is left for
the next round: the index of the search lags behind the objects.

Source: https://developers.hubspot.com/docs/api-reference/crm-search/guide
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from gateway.http.errors import Fault
from gateway.http.times import milliseconds
from gateway.pulls.http import HttpClient
from gateway.pulls.hubspot_crm.objects import STREAMS, HubSpotStream
from gateway.pulls.hubspot_crm.settings import HubSpotSettings
from gateway.pulls.pull import HISTORY_MS, Cursor, Item, Page, PullError

__all__ = ["HubSpotConnection"]

_PAGE = 100
_REQUESTS_PER_SECOND = 4.0
"""HubSpot allows five searches a second to all apps of an account together."""


class HubSpotConnection:
    """A connection by the token of a private app."""

    def __init__(self, settings: HubSpotSettings) -> None:
        self._settings = settings
        self._http = HttpClient(
            settings.url, timeout_seconds=settings.timeout_seconds, requests_per_second=_REQUESTS_PER_SECOND
        )
        self._http.headers["authorization"] = f"Bearer {settings.token.get_secret_value()}"
        self._owners: dict[str, str] = {}
        self._closed_stages: dict[str, bool] = {}

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def page(self, name: str, cursor: Cursor, now: int, /) -> Page:
        """
        Return the next objects of a stream.

        The cursor is ``at``, the last change that is taken whole; with ``id`` the objects of ``at`` are taken
        up to that id.
        """
        stream = STREAMS[name]
        at = cursor.get("at", 0 if stream.whole else now - HISTORY_MS)
        if "id" in cursor:
            return self._rest_of_a_millisecond(name, stream, at, cursor["id"])
        settled = now - int(self._settings.settle_seconds * 1000)
        results = self._search(
            name,
            stream,
            [_filter(stream.modified, "GT", at), _filter(stream.modified, "LTE", settled)],
            stream.modified,
        )
        if not results:
            return Page((), {"at": at}, more=False)
        times = [_modified(each, stream) for each in results]
        last = max(times)
        if len(results) < _PAGE:
            return Page(self._items(name, stream, results), {"at": last}, more=False)
        whole = [each for each, time in zip(results, times, strict=True) if time < last]
        return Page(self._items(name, stream, whole), {"at": last, "id": 0}, more=True)

    def _rest_of_a_millisecond(self, name: str, stream: HubSpotStream, at: int, after: int) -> Page:
        filters = [
            _filter(stream.modified, "GTE", at),
            _filter(stream.modified, "LTE", at),
            _filter("hs_object_id", "GT", after),
        ]
        results = self._search(name, stream, filters, "hs_object_id")
        cursor: dict[str, Any] = {"at": at}
        if len(results) == _PAGE:
            cursor["id"] = max(int(each["id"]) for each in results)
        return Page(self._items(name, stream, results), cursor, more=True)

    def _search(self, name: str, stream: HubSpotStream, filters: list[Any], order: str) -> list[Any]:
        """Return the first objects that fit."""
        own = self._settings.fields.values() if name == "companies" else ()
        answer = self._http.post(
            f"/crm/v3/objects/{name}/search",
            {
                "filterGroups": [{"filters": filters}],
                "sorts": [{"propertyName": order, "direction": "ASCENDING"}],
                "properties": [*stream.properties, stream.modified, *own],
                "limit": _PAGE,
            },
        )
        return _list(answer, "results")

    def _items(self, name: str, stream: HubSpotStream, results: list[Any]) -> list[Item]:
        once = {each["id"]: each for each in results}  # the index may have one twice
        if once and stream.associated:
            self._add_companies(name, once)
        if once and name == "companies":
            self._add_owners(once)
        if once and name == "tickets":
            self._add_stages(once)
        return [Item(kind, msgspec.json.encode(each)) for each in once.values() for kind in stream.kinds]

    def _add_companies(self, name: str, objects: Mapping[str, Any]) -> None:
        answer = self._http.post(
            f"/crm/v4/associations/{name}/companies/batch/read",
            {"inputs": [{"id": each} for each in objects]},
        )
        for each in _list(answer, "results"):
            companies = sorted(each["to"], key=_not_primary)
            if companies:
                objects[str(each["from"]["id"])]["company"] = str(companies[0]["toObjectId"])

    def _add_owners(self, companies: Mapping[str, Any]) -> None:
        wanted = {each["properties"].get("hubspot_owner_id") for each in companies.values()} - {None, ""}
        if not wanted <= self._owners.keys():
            self._owners = dict(self._every_owner())
        for each in companies.values():
            each["owner"] = self._owners.get(each["properties"].get("hubspot_owner_id") or "")
            each["fields"] = {
                field: each["properties"].get(own) for field, own in self._settings.fields.items()
            }

    def _every_owner(self) -> Iterator[tuple[str, str]]:
        params = {"limit": "500"}
        while True:
            answer = self._http.get("/crm/v3/owners", params)
            for each in _list(answer, "results"):
                name = f"{each.get('firstName') or ''} {each.get('lastName') or ''}".strip()
                yield str(each["id"]), name or each.get("email") or ""
            after = ((answer.get("paging") or {}).get("next") or {}).get("after")
            if not after:
                return
            params["after"] = str(after)

    def _add_stages(self, tickets: Mapping[str, Any]) -> None:
        stages = {each["properties"].get("hs_pipeline_stage") for each in tickets.values()} - {None}
        if not stages <= self._closed_stages.keys():
            self._closed_stages = {
                stage["id"]: (stage.get("metadata") or {}).get("ticketState") == "CLOSED"
                for pipeline in _list(self._http.get("/crm/v3/pipelines/tickets"), "results")
                for stage in pipeline["stages"]
            }
        for each in tickets.values():
            each["closed"] = self._closed_stages.get(each["properties"].get("hs_pipeline_stage"))


def _filter(name: str, operator: str, value: int) -> dict[str, str]:
    return {"propertyName": name, "operator": operator, "value": str(value)}


def _list(answer: Any, name: str) -> list[Any]:
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise PullError(f"HubSpot's answer has no list {name!r}")
    return found


def _modified(thing: Any, stream: HubSpotStream) -> int:
    value = thing["properties"].get(stream.modified) or ""
    try:
        return milliseconds(int(value) if value.isdecimal() else value, "")
    except Fault:
        raise PullError(f"HubSpot's object {thing['id']} has no time in {stream.modified}") from None


def _not_primary(association: Any) -> bool:
    return all(each.get("label") != "Primary" for each in association.get("associationTypes", ()))
