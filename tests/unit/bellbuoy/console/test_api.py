"""The JSON API: what its document says holds for whatever is sent, and a token opens what it is for alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as limits
from schemathesis import GenerationMode
from starlette.applications import Starlette
from starlette.testclient import TestClient
from typer.testing import CliRunner

from bellbuoy.cli.app import app as command
from bellbuoy.console.access.tokens import new_token
from bellbuoy.console.api.messages import AccountResponse
from bellbuoy.console.app import build_app
from bellbuoy.exit_codes import CONFIGURATION
from bellbuoy.settings import load
from schemas.records import Task
from sinks.memory import MemorySink
from tests.support.output_records import alert, health, kpis

URL = "http://127.0.0.1:8090"
READ, ACT, OTHER = new_token(), new_token(), new_token()
TOKENS = {
    "reader": {"sha256": READ.sha256, "tenants": ["demo"]},
    "actor": {"sha256": ACT.sha256, "scopes": ["act"], "tenants": ["demo"]},
    "other": {"sha256": OTHER.sha256, "scopes": ["read", "act"], "tenants": ["other"]},
}
TASKS = [Task(task_id="k1", title="Call", author="kim", assignee="Ines")]
UNPAID = {"involuntary_score": 41.5, "involuntary_reasons": ["Two payments failed"]}
BASE = "/api/v1/tenants/demo"


def _app(data: Path, url: str = URL) -> Starlette:
    sink = MemorySink()
    sink.write(
        [
            health("a1", 1, 89.0, tasks=TASKS, **UNPAID),
            *(health(f"a{n}", 1, 90.0 - n) for n in range(2, 31)),
            kpis("a1", {"usage.depth": 3.0}),
            alert("x1", account_id="a1"),
            alert("x2", account_id="a2", severity="critical"),
            alert("old", account_id="a2", change="resolved", resolution="cleared"),
        ]
    )
    settings = load(data=data, kafka={"bootstrap": "127.0.0.1:9"}, console={"tokens": TOKENS, "port": 0})
    return build_app(settings, ("demo", "other"), url, lambda: sink)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(_app(tmp_path), base_url=URL) as running:
        yield running


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_a_program_reads_what_the_pages_show(client: TestClient) -> None:
    client.headers.update(_bearer(READ.token))
    book = client.get(f"{BASE}/accounts?n=2&offset=1&sort=name").json()
    assert [one["account"]["account_id"] for one in book["accounts"]] == ["a10", "a11"]
    assert (book["found"], book["total"]) == (30, 30)
    assert client.get(f"{BASE}/accounts?q=a1&sort=name").json()["accounts"][0]["alert_ids"] == ["x1"]
    account = client.get(f"{BASE}/accounts/a1").json()
    assert (account["account_id"], account["score"]) == ("a1", 89.0)
    assert account["measures"]
    assert (account["involuntary_score"], account["involuntary_reasons"]) == (41.5, ["Two payments failed"])
    msgspec.convert(account, AccountResponse)
    unpaid = client.get(f"{BASE}/accounts?payment_risk=1&sort=payment_risk").json()["accounts"]
    assert [one["account"]["involuntary_score"] for one in unpaid] == [41.5]
    alerts = client.get(f"{BASE}/alerts").json()
    assert [one["alert_id"] for one in alerts["alerts"]] == ["x2", "x1"]
    assert client.get(f"{BASE}/alerts?severity=warning").json()["found"] == 1
    assert client.get(f"{BASE}/alerts/old").json()["resolution"] == "cleared"


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/accounts?colour=red", 400, "'colour'"),
        ("/accounts?band=purple", 422, "$.band"),
        ("/accounts?n=0", 422, "$.n"),
        ("/accounts?n=5&n=6", 422, "more than once"),
        ("/accounts/a1x", 404, "a1"),
        ("/alerts/nothing", 404, "no such alert"),
    ],
)
def test_a_request_that_makes_no_sense_is_told_so(
    client: TestClient, path: str, status: int, said: str
) -> None:
    answer = client.get(BASE + path, headers=_bearer(READ.token))
    assert answer.status_code == status
    assert said in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("{}", 422),
        ('{"kind": "loved"}', 422),
        ('{"kind": "acknowledged", "until": "tomorrow"}', 422),
        ('{"kind": "acknowledged", "act_id": "a b"}', 422),
        ('{"kind": "snoozed"}', 422),
        ('{"kind": "acknowledged", "note": "' + "x" * 40_000 + '"}', 413),
    ],
)
def test_an_act_that_makes_no_sense_is_refused(client: TestClient, body: str, status: int) -> None:
    headers = _bearer(ACT.token) | {"content-type": "application/json"}
    answer = client.post(f"{BASE}/alerts/x1/acts", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_an_act_on_what_is_not_open_is_refused(client: TestClient) -> None:
    headers = _bearer(ACT.token) | {"content-type": "application/json"}
    for alert_id, status in (("old", 409), ("nothing", 404)):
        answer = client.post(f"{BASE}/alerts/{alert_id}/acts", content='{"kind":"resolved"}', headers=headers)
        assert answer.status_code == status
    assert client.post(f"{BASE}/alerts/x1/acts", headers=_bearer(ACT.token)).status_code == 415


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/accounts/a1/notes", '{"text": ""}', 422),
        ("/accounts/a1/notes", '{"text": " "}', 422),
        ("/accounts/nobody/notes", '{"text": "x"}', 404),
        ("/accounts/a1/tasks", '{"title": "x", "due_at": "soon"}', 422),
        ("/accounts/a1/tasks/k1/acts", '{"kind": "forgotten"}', 422),
        ("/accounts/a1/tasks/none/acts", '{"kind": "done"}', 404),
    ],
)
def test_a_note_or_a_task_that_is_not_written_is_told_so(
    client: TestClient, path: str, body: str, status: int
) -> None:
    headers = _bearer(ACT.token) | {"content-type": "application/json"}
    answer = client.post(BASE + path, content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]
    assert client.post(BASE + path, content=body, headers=_bearer(READ.token)).status_code == 403


def test_the_open_tasks_are_listed_by_whose_they_are(client: TestClient) -> None:
    client.headers.update(_bearer(READ.token))
    found = client.get(f"{BASE}/tasks").json()
    assert [(one["account_id"], one["task"]["title"]) for one in found["tasks"]] == [("a1", "Call")]
    assert client.get(f"{BASE}/tasks?assignee=ines").json()["found"] == 1
    assert client.get(f"{BASE}/tasks?assignee=kim").json()["found"] == 0
    assert client.get(f"{BASE}/accounts/a1").json()["tasks"][0]["title"] == "Call"


def test_a_token_opens_what_it_is_for_alone(client: TestClient) -> None:
    act: dict[str, Any] = {"content": '{"kind":"resolved"}'}
    for headers in ({}, _bearer("bbt_guessed"), _bearer(READ.sha256), {"authorization": READ.token}):
        for path in ("/accounts", "/accounts/a1", "/alerts", "/alerts/x1"):
            assert client.get(BASE + path, headers=headers).status_code == 401
        assert client.get("/api/v1/openapi.json", headers=headers).status_code == 401
        assert client.post(f"{BASE}/alerts/x1/acts", headers=headers, **act).status_code == 401
    assert client.post(f"{BASE}/alerts/x1/acts", headers=_bearer(READ.token), **act).status_code == 403
    assert client.get(f"{BASE}/accounts", headers=_bearer(ACT.token)).status_code == 403
    assert client.get(f"{BASE}/accounts", headers=_bearer(OTHER.token)).status_code == 404
    other = "/api/v1/tenants/other"
    assert client.get(f"{other}/alerts/x1", headers=_bearer(OTHER.token)).status_code == 404
    assert client.get(f"{other}/accounts/a1", headers=_bearer(OTHER.token)).status_code == 404
    assert (
        client.get("/book/demo", headers=_bearer(READ.token)).status_code == 401
        or client.get("/book/demo", headers=_bearer(READ.token), follow_redirects=False).is_redirect
    )


def test_a_token_is_made_once_and_kept_as_its_hash() -> None:
    made = CliRunner().invoke(
        command, ["tokens", "new", "crm", "--tenant", "demo", "--scope", "act", "--json"]
    )
    answer = json.loads(made.stdout)
    load(console={"tokens": {"crm": {name: answer[name] for name in ("sha256", "scopes", "tenants")}}})
    assert hashlib.sha256(answer["token"].encode()).hexdigest() == answer["sha256"]
    refused = CliRunner().invoke(command, ["tokens", "new", "crm", "--tenant", "demo", "--scope", "all"])
    assert refused.exit_code == CONFIGURATION


def test_whatever_is_sent_is_answered_as_the_document_says(tmp_path: Path) -> None:
    app = _app(tmp_path, "http://testserver")
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers=_bearer(READ.token))
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 9
    for operation in operations:
        token = ACT if operation.method == "post" else READ
        for mode in GenerationMode:
            _fuzz(operation.as_strategy(generation_mode=mode), _bearer(token.token))


def _fuzz(cases: Any, headers: dict[str, str]) -> None:
    @given(case=cases)
    @limits(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    def holds(case: Any) -> None:
        case.call_and_validate(headers=headers)

    holds()
