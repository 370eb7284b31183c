"""CRMs and customer success platforms that answer as their makers document, and misbehave as scripted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from tests.support.http_receiver import Behaviour, ScriptedServer

Answer = Callable[[Any], tuple[int, Any]]
"""Status and JSON of the answer to a body."""

UPDATES = ("POST", "PUT", "PATCH")


class CrmServer(ScriptedServer):
    """A CRM; ``requests`` are the bodies of its writes, also refused ones, ``checks`` its other requests."""

    def __init__(self, answered: Answer, token: str | None = None) -> None:
        super().__init__()
        self.requests: list[Any] = []
        self.paths: list[str] = []
        self.checks: list[tuple[str, str]] = []
        self.secrets: set[str] = set()
        self.sessions = 0
        self.token = token
        self._answered = answered

    @property
    def base(self) -> str:
        """Scheme and host, as in the settings."""
        return f"http://127.0.0.1:{self.port}"

    def arrived(self, handler: Any) -> None:
        """Note a request of a write; one for a session is answered at once."""
        super().arrived(handler)
        if handler.path.endswith("/oauth2/token"):
            return
        if handler.command not in UPDATES:
            self.checks.append((handler.command, handler.path))
            return
        self.paths.append(handler.path)
        self.requests.append(body_of(handler))
        self.secrets |= {
            value for name, value in handler.headers.items() if name.lower() in ("authorization", "accesskey")
        }

    def keep(self, handler: Any) -> None:
        """Take nothing more than ``arrived`` has."""

    def answer(self, handler: Any) -> None:
        """Answer as documented."""
        if handler.path.endswith("/oauth2/token"):
            self._session(handler)
        elif handler.command not in UPDATES:
            handler.reply(200, {})
        elif self.token and handler.headers.get("authorization") != f"Bearer {self.token}":
            handler.reply(401, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])
        else:
            handler.reply(*self._answered(body_of(handler)))

    def _session(self, handler: Any) -> None:
        form = {name: values[0] for name, values in parse_qs(handler.body.decode()).items()}
        expected = {"grant_type": "client_credentials", "client_id": "app", "client_secret": "t0ken"}
        if form != expected:
            return handler.reply(
                400, {"error": "invalid_client", "error_description": "invalid client credentials"}
            )
        self.sessions += 1
        self.token = f"session{self.sessions}"
        return handler.reply(
            200, {"access_token": self.token, "token_type": "Bearer", "instance_url": self.base}
        )


def body_of(handler: Any) -> Any:
    """Return the body of a request: JSON, or a form."""
    if "json" in handler.headers.get("content-type", ""):
        return json.loads(handler.body)
    return {name: values[0] for name, values in parse_qs(handler.body.decode()).items()}


def replies(status: int, content: Any, **headers: str) -> Behaviour:
    """Don't take it; answer with a status, JSON, and headers such as ``retry_after``."""

    def behave(handler: Any) -> None:
        raw = json.dumps(content).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    return behave


def hubspot(body: Any) -> tuple[int, Any]:
    """Answer as the batch upsert of companies does; "never" is refused by a validation rule."""
    bad = [one["id"] for one in body["inputs"] if one["id"].startswith("never")]
    results = [one for one in body["inputs"] if one["id"] not in bad]
    if not bad:
        return 200, {"status": "COMPLETE", "results": results}
    message = 'Property values were not valid: "x" was not one of the allowed options'
    error = {"status": "error", "category": "VALIDATION_ERROR", "message": message, "context": {"ids": bad}}
    return 207, {"status": "COMPLETE", "results": results, "numErrors": 1, "errors": [error]}


def salesforce(body: Any) -> tuple[int, Any]:
    """Answer as the collections upsert does: one result for each record, in order, always with status 200."""

    def result(record: Any) -> Any:
        name = record["Bellbuoy_Id__c"]
        code = {"never": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "locked": "UNABLE_TO_LOCK_ROW"}.get(name)
        errors = [] if code is None else [{"statusCode": code, "message": f"{name}: no", "fields": []}]
        return {"id": f"001{name}", "success": not errors, "errors": errors, "created": False}

    return 200, [result(record) for record in body["records"]]


def gainsight(body: Any) -> tuple[int, Any]:
    """Answer as the update of companies does: all records, or none and why."""
    if any(record["Bellbuoy_Id__gc"] == "never" for record in body["records"]):
        words = "Invalid field value (Bellbuoy_Band__gc = null)"
        refusal = {"errorCode": "GSOBJ_1007", "errorDesc": words, "requestId": "r1", "data": None}
        return 400, {"result": False, **refusal, "message": None}
    data = {"count": len(body["records"]), "errors": None, "records": body["records"]}
    return 200, {"result": True, "errorCode": None, "errorDesc": None, "requestId": "r1", "data": data}


def totango(body: Any) -> tuple[int, Any]:
    """Answer as the collection gateway does: nothing but that the request arrived."""
    assert body["sdr_s"] == "t0ken"
    return 200, None


def planhat(body: Any) -> tuple[int, Any]:
    """Answer as the bulk upsert of companies does: 206 where some could not be written."""
    bad = [one["externalId"] for one in body if one["externalId"] == "never"]
    answer = {
        "created": 0, "createdErrors": [], "insertsKeys": [], "updated": len(body) - len(bad),
        "updatedErrors": [{"message": "invalid value"} for _ in bad], "updatesKeys": [], "nonupdates": 0,
        "modified": [], "upsertedIds": [], "permissionErrors": [],
    }  # fmt: skip
    return (206 if bad else 200), answer


def vitally(body: Any) -> tuple[int, Any]:
    """Answer as the Analytics API does."""
    if body["accountId"] == "never":
        return 400, {"message": "accountId is not valid"}
    return 200, {"message": "Success."}


def custify(body: Any) -> tuple[int, Any]:
    """Answer as the update of a company does: with the company."""
    return (400, {"error": "no"}) if body["company_id"] == "never" else (200, body)


def userpilot(body: Any) -> tuple[int, Any]:
    """Answer as the bulk update of companies does: with a job."""
    assert body["companies"]
    return 202, {"job_id": "f47ac10b", "status": "queued", "submitted_at": "2025-02-02T12:35:10Z"}


ANSWERS: dict[str, Answer] = {
    "custify": custify,
    "gainsight": gainsight,
    "hubspot": hubspot,
    "planhat": planhat,
    "salesforce": salesforce,
    "totango": totango,
    "userpilot": userpilot,
    "vitally": vitally,
}
"""The answers of each vendor, by the name of its mapping file."""
