"""The OpenAPI document of the JSON API, made from its messages."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import msgspec

from bellbuoy.console.api.messages import (
    AccountResponse,
    ActRequest,
    ActResponse,
    AlertQuery,
    AlertsResponse,
    BookQuery,
    BookResponse,
    ErrorResponse,
    NoteRequest,
    TaskActRequest,
    TaskQuery,
    TaskRequest,
    TaskResponse,
    TasksResponse,
)
from schemas.records import RiskAlert

__all__ = ["document"]

_ERRORS = {
    400: "The request is not JSON, or a parameter is none of this address.",
    401: "No token, or none that is known.",
    403: "The token does not allow it.",
    404: "There is no such tenant, account or alert, or it is not the token's to see.",
    409: "The alert is not open any more.",
    413: "The body is too long.",
    415: "The body is not sent as application/json.",
    422: "A value is not what the address takes; the message says which and why.",
    503: "The serving sink or Kafka does not answer, or nothing was read yet: try again.",
}
_TENANT = {"name": "tenant", "in": "path", "required": True, "schema": {"type": "string"}}


def document() -> dict[str, Any]:
    """Return the document."""
    messages = (
        AccountResponse,
        ActRequest,
        ActResponse,
        AlertQuery,
        AlertsResponse,
        BookQuery,
        BookResponse,
        ErrorResponse,
        NoteRequest,
        RiskAlert,
        TaskActRequest,
        TaskQuery,
        TaskRequest,
        TaskResponse,
        TasksResponse,
    )
    _, schemas = msgspec.json.schema_components(messages, ref_template="#/components/schemas/{name}")
    book, alerts = schemas.pop("BookQuery"), schemas.pop("AlertQuery")
    tasks = schemas.pop("TaskQuery")
    account = {"name": "account_id", "in": "path", "required": True, "schema": {"type": "string"}}
    task = {"name": "task_id", "in": "path", "required": True, "schema": {"type": "string"}}
    alert = {"name": "alert_id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Bellbuoy",
            "version": version("bellbuoy"),
            "description": "Accounts with their scores and reasons, open alerts, and acts on them. "
            "Times are UTC "
            "milliseconds; money is in minor units of its currency.",
        },
        "security": [{"token": []}],
        "paths": {
            "/api/v1/tenants/{tenant}/accounts": {
                "get": _operation(
                    "listAccounts",
                    "The accounts of a tenant, the most urgent first. Needs the scope `read`.",
                    _response("BookResponse", 400, 422, 503),
                    [_TENANT, *_parameters(book)],
                )
            },
            "/api/v1/tenants/{tenant}/accounts/{account_id}": {
                "get": _operation(
                    "getAccount",
                    "One account, as `bellbuoy explain --json` tells it: score, measures, payment risk, "
                    "alerts, history. Needs the scope `read`.",
                    _response("AccountResponse", 400, 503),
                    [_TENANT, account],
                )
            },
            "/api/v1/tenants/{tenant}/accounts/{account_id}/notes": {
                "post": _act_on_account(
                    "writeNote", "Write a note on an account.", "ActResponse", [account], "NoteRequest"
                )
            },
            "/api/v1/tenants/{tenant}/accounts/{account_id}/tasks": {
                "post": _act_on_account(
                    "setTask", "Add a task to an account.", "TaskResponse", [account], "TaskRequest"
                )
            },
            "/api/v1/tenants/{tenant}/accounts/{account_id}/tasks/{task_id}/acts": {
                "post": _act_on_account(
                    "actOnTask",
                    "Say that a task is done, or open again.",
                    "ActResponse",
                    [account, task],
                    "TaskActRequest",
                )
            },
            "/api/v1/tenants/{tenant}/tasks": {
                "get": _operation(
                    "listTasks",
                    "The open tasks of a tenant, those due first. Needs the scope `read`.",
                    _response("TasksResponse", 400, 422, 503),
                    [_TENANT, *_parameters(tasks)],
                )
            },
            "/api/v1/tenants/{tenant}/alerts": {
                "get": _operation(
                    "listAlerts",
                    "The open alerts of a tenant, the worst first. Needs the scope `read`.",
                    _response("AlertsResponse", 400, 422, 503),
                    [_TENANT, *_parameters(alerts)],
                )
            },
            "/api/v1/tenants/{tenant}/alerts/{alert_id}": {
                "get": _operation(
                    "getAlert",
                    "One alert, open or resolved. Needs the scope `read`.",
                    _response("RiskAlert", 400, 503),
                    [_TENANT, alert],
                )
            },
            "/api/v1/tenants/{tenant}/alerts/{alert_id}/acts": {
                "post": _operation(
                    "actOnAlert",
                    "Acknowledge, snooze, assign, dismiss, resolve or review an alert. Needs the scope "
                    "`act`.",
                    _content(202, "Kafka has the act.", "ActResponse")
                    | _errors(400, 409, 413, 415, 422, 503),
                    [_TENANT, alert],
                    {"required": True, "content": {"application/json": {"schema": _reference("ActRequest")}}},
                )
            },
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(
    name: str,
    about: str,
    responses: dict[str, Any],
    parameters: list[dict[str, Any]],
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    operation = {"operationId": name, "description": about, "parameters": parameters, "responses": responses}
    return operation if body is None else operation | {"requestBody": body}


def _act_on_account(
    name: str, about: str, answer: str, parameters: list[dict[str, Any]], body: str
) -> dict[str, Any]:
    return _operation(
        name,
        f"{about} Needs the scope `act`.",
        _content(202, "Kafka has it.", answer) | _errors(400, 413, 415, 422, 503),
        [_TENANT, *parameters],
        {"required": True, "content": {"application/json": {"schema": _reference(body)}}},
    )


def _parameters(query: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in query["properties"].items()
    ]


def _response(name: str, *errors: int) -> dict[str, Any]:
    return _content(200, "What was asked for.", name) | _errors(*errors)


def _errors(*codes: int) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for code in sorted({401, 403, 404, *codes}):
        responses |= _content(code, _ERRORS[code], "ErrorResponse")
    return responses


def _content(code: int, about: str, name: str) -> dict[str, Any]:
    return {str(code): {"description": about, "content": {"application/json": {"schema": _reference(name)}}}}


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
