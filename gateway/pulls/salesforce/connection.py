"""
The connection to Salesforce: queries in the order of SystemModstamp and id, each page after the last record.

A record that changes meanwhile moves to the end and is read again; none is passed over. What changed within
the last minutes is left for the next round: a long transaction shows its records after their time.

Source: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_query.htm and
https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.http.errors import Fault
from gateway.http.times import milliseconds
from gateway.pulls.http import HttpClient
from gateway.pulls.pull import HISTORY_MS, Cursor, Item, Page, PullError, PullRefusedError
from gateway.pulls.salesforce.objects import STREAMS, SalesforceStream
from gateway.pulls.salesforce.settings import SalesforceSettings
from schemas.times import iso

__all__ = ["SalesforceConnection"]

_PAGE = 200
_REQUESTS_PER_SECOND = 5.0
_API = "/services/data/v61.0/query"


class SalesforceConnection:
    """A connection with a session that is opened by OAuth, and anew when it has run out."""

    def __init__(self, settings: SalesforceSettings) -> None:
        self._settings = settings
        self._http = HttpClient(
            settings.url,
            timeout_seconds=settings.timeout_seconds,
            requests_per_second=_REQUESTS_PER_SECOND,
            used_up=b"REQUEST_LIMIT_EXCEEDED",
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def page(self, name: str, cursor: Cursor, now: int, /) -> Page:
        """Return the next records of a stream; the cursor is SystemModstamp and id of the last one."""
        stream = STREAMS[name]
        at, last = cursor.get("at", 0 if stream.whole else now - HISTORY_MS), cursor.get("id")
        settled = now - int(self._settings.settle_seconds * 1000)
        after = f"SystemModstamp >= {iso(at)}"
        if last is not None:
            after = f"(SystemModstamp > {iso(at)} OR (SystemModstamp = {iso(at)} AND Id > '{last}'))"
        answer = self._query(
            f"SELECT {', '.join(self._fields(name, stream))} FROM {stream.name} "  # noqa: S608 - no input
            f"WHERE {after} AND SystemModstamp <= {iso(settled)} ORDER BY SystemModstamp, Id LIMIT {_PAGE}"
        )
        records = answer.get("records") if isinstance(answer, dict) else None
        if not isinstance(records, list):
            raise PullError("Salesforce's answer has no list of records")
        if not records:
            return Page((), cursor or {"at": at}, more=False)
        end = {"at": _modified(records[-1]), "id": str(records[-1]["Id"])}
        once = {each["Id"]: each for each in records}
        items = [Item(kind, self._raw(name, each)) for each in once.values() for kind in stream.kinds]
        return Page(items, end, more=len(records) == _PAGE)

    def _fields(self, name: str, stream: SalesforceStream) -> list[str]:
        own = self._settings.fields.values() if name == "accounts" else ()
        account = self._account_path(name, stream)
        return list(dict.fromkeys(["Id", "SystemModstamp", *stream.fields, account, *own]))

    def _account_path(self, name: str, stream: SalesforceStream) -> str:
        field = self._settings.account_field
        if name == "accounts":
            return field
        return "AccountId" if field == "Id" and "AccountId" in stream.fields else f"Account.{field}"

    def _raw(self, name: str, record: dict[str, Any]) -> bytes:
        """Return a record's JSON with the account's id, and the fields that the tenant named."""
        added: dict[str, Any] = {"account": _at(record, self._account_path(name, STREAMS[name]))}
        if name == "accounts":
            added["fields"] = {field: _at(record, own) for field, own in self._settings.fields.items()}
        record.pop("attributes", None)
        return msgspec.json.encode(record | added)

    def _query(self, soql: str) -> Any:
        if "authorization" not in self._http.headers:
            self._open_session()
            return self._http.get(_API, {"q": soql})
        try:
            return self._http.get(_API, {"q": soql})
        except PullRefusedError:
            self._open_session()
            return self._http.get(_API, {"q": soql})

    def _open_session(self) -> None:
        self._http.headers.pop("authorization", None)
        settings = self._settings
        form = {"client_id": settings.client_id, "client_secret": settings.client_secret.get_secret_value()}
        if settings.refresh_token is None:
            form["grant_type"] = "client_credentials"
        else:
            form |= {
                "grant_type": "refresh_token",
                "refresh_token": settings.refresh_token.get_secret_value(),
            }
        answer = self._http.post_form("/services/oauth2/token", form)
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise PullRefusedError("Salesforce's answer has no access_token")
        self._http.headers["authorization"] = f"Bearer {token}"


def _at(record: Mapping[str, Any], path: str) -> Any:
    value: Any = record
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _modified(record: Mapping[str, Any]) -> int:
    try:
        return milliseconds(str(record.get("SystemModstamp")), "")
    except Fault:
        raise PullError(f"Salesforce's record {record.get('Id')} has no SystemModstamp") from None
