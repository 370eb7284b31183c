"""Vendors that answer as their makers document: HubSpot's search, Salesforce's SOQL, eWebinar's list."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from schemas.times import iso
from tests.support.http_receiver import ScriptedServer


class VendorApi(ScriptedServer):
    """A vendor with a token; ``asked`` are the paths of its requests, also of those that met the script."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.token = "t0ken"

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def arrived(self, handler: Any) -> None:
        self.asked.append(handler.path)

    def allowed(self, handler: Any) -> bool:
        """Tell whether a request has the token, and refuse it otherwise."""
        if handler.headers.get("authorization") == f"Bearer {self.token}":
            return True
        handler.reply(401, {"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"})
        return False


class HubSpotApi(VendorApi):
    """
    HubSpot's CRM; ``objects`` are the objects of each kind by id.

    A search has one order only: objects of one time come in the order of ``shuffled``, which a test may
    change between pages.
    """

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, dict[int, dict[str, Any]]] = {}
        self.companies: dict[int, int] = {}
        self.shuffled = lambda number: -number
        self.twice: set[int] = set()

    def put(self, kind: str, number: int, changed_at: int, **properties: Any) -> None:
        """Create or change an object."""
        name = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
        said = {"hs_object_id": str(number), name: iso(changed_at)} | properties
        self.objects.setdefault(kind, {})[number] = {
            "id": str(number), "properties": said, "updatedAt": iso(changed_at), "archived": False
        }  # fmt: skip

    def answer(self, handler: Any) -> None:
        if not self.allowed(handler):
            return
        path = urlsplit(handler.path).path
        if found := re.fullmatch(r"/crm/v3/objects/(\w+)/search", path):
            handler.reply(200, self._search(found[1], json.loads(handler.body)))
        elif re.fullmatch(r"/crm/v4/associations/\w+/companies/batch/read", path):
            handler.reply(200, self._associations(json.loads(handler.body)["inputs"]))
        elif path == "/crm/v3/owners":
            owner = {"id": "77", "email": "ines@us.example", "firstName": "Ines", "lastName": "Marrow"}
            handler.reply(200, {"results": [owner]})
        elif path == "/crm/v3/pipelines/tickets":
            stages = [
                {"id": str(n), "metadata": {"ticketState": "CLOSED" if n == 4 else "OPEN"}}
                for n in range(1, 5)
            ]
            handler.reply(200, {"results": [{"id": "0", "stages": stages}]})
        else:
            handler.reply(404, {"message": path})

    def _search(self, kind: str, asked: Any) -> Any:
        (group,) = asked["filterGroups"]
        (order,) = asked["sorts"]
        assert order["direction"] == "ASCENDING"
        found = [
            each
            for number, each in sorted(
                self.objects.get(kind, {}).items(), key=lambda one: self.shuffled(one[0])
            )
            if all(_fits(each["properties"], one) for one in group["filters"])
        ]
        found.sort(key=lambda each: _number(each["properties"][order["propertyName"]]))
        found = [copy for each in found for copy in [each] * (2 if int(each["id"]) in self.twice else 1)]
        return {"total": len(found), "results": found[: asked["limit"]]}

    def _associations(self, inputs: list[Any]) -> Any:
        def company(number: int, label: str | None) -> Any:
            kind = {"category": "HUBSPOT_DEFINED", "typeId": 26, "label": label}
            return {"toObjectId": number, "associationTypes": [kind]}

        results = [
            {
                "from": {"id": each["id"]},
                "to": [company(1, None), company(self.companies[int(each["id"])], "Primary")],
            }
            for each in inputs
            if int(each["id"]) in self.companies
        ]
        return {"status": "COMPLETE", "results": results}


def _number(value: str) -> int:
    from gateway.http.times import milliseconds

    return int(value) if value.isdecimal() else milliseconds(value, "")


def _fits(properties: dict[str, str], wanted: Any) -> bool:
    value, bound = _number(properties[wanted["propertyName"]]), int(wanted["value"])
    return {"GT": value > bound, "GTE": value >= bound, "LTE": value <= bound}[wanted["operator"]]


class SalesforceApi(VendorApi):
    """Salesforce; ``records`` are the records of each object by id. A session is opened by OAuth."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, dict[str, dict[str, Any]]] = {}
        self.grants: list[dict[str, str]] = []

    def put(self, name: str, number: str, changed_at: int, **fields: Any) -> None:
        """Create or change a record."""
        stamp = iso(changed_at).replace("Z", "+0000")
        self.records.setdefault(name, {})[number] = {
            "attributes": {"type": name, "url": f"/services/data/v61.0/sobjects/{name}/{number}"},
            "Id": number, "SystemModstamp": stamp, **fields,
        }  # fmt: skip

    def expire(self) -> None:
        """Let the session run out."""
        self.token = "gone"

    def answer(self, handler: Any) -> None:
        address = urlsplit(handler.path)
        if address.path == "/services/oauth2/token":
            self.grants.append({name: each[0] for name, each in parse_qs(handler.body.decode()).items()})
            self.token = f"session{len(self.grants)}"
            handler.reply(200, {"access_token": self.token, "token_type": "Bearer"})
        elif self.allowed(handler):
            records = self._query(parse_qs(address.query)["q"][0])
            handler.reply(200, {"totalSize": len(records), "done": True, "records": records})

    def _query(self, soql: str) -> list[Any]:
        found = re.fullmatch(
            r"SELECT (?P<fields>[\w., ]+) FROM (?P<name>\w+) WHERE "
            r"(?:SystemModstamp >= (?P<first>\S+)|\(SystemModstamp > (?P<at>\S+) OR "
            r"\(SystemModstamp = (?P<same>\S+) AND Id > '(?P<id>\w+)'\)\)) "
            r"AND SystemModstamp <= (?P<until>\S+) ORDER BY SystemModstamp, Id LIMIT (?P<limit>\d+)",
            soql,
        )
        assert found, soql
        after = (_number(found["at"] or found["first"]), found["id"] or "")
        until = _number(found["until"])
        records = self.records.get(found["name"], {}).values()
        keyed = sorted(((_number(each["SystemModstamp"]), each["Id"]), each) for each in records)
        return [each for key, each in keyed if key > after and key[0] <= until][: int(found["limit"])]


class EWebinarApi(VendorApi):
    """eWebinar; ``registrants`` are listed in the order of their registration, in pages."""

    def __init__(self, page: int = 2) -> None:
        super().__init__()
        self.registrants: list[dict[str, Any]] = []
        self._page = page

    def answer(self, handler: Any) -> None:
        if not self.allowed(handler):
            return
        query = parse_qs(urlsplit(handler.path).query)
        start = int(query.get("nextCursor", ["0"])[0])
        listed = self.registrants[start : start + self._page]
        end = start + len(listed)
        answer: dict[str, Any] = {"registrants": listed}
        if end < len(self.registrants):
            answer["nextCursor"] = str(end)
        handler.reply(200, answer)
