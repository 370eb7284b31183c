"""Rights: no page, stream or act answers without a session, nor to a role or a tenant that it is not for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from bellbuoy.console.access.access import Access
from bellbuoy.console.app import build_app
from bellbuoy.console.request import API
from bellbuoy.console_settings import Role
from bellbuoy.settings import Settings, load
from sinks.memory import MemorySink
from tests.support.output_records import alert, health

ISSUER = "https://login.example.com"
URL = "https://console.example.com"
OPEN = {"/sign-in", "/oidc", "/livez", "/readyz", "/metrics", "/assets/{name}"}
SUCCESS = {"csm", "lead", "cs_ops"}
ALLOWED = {
    "book": SUCCESS,
    "alerts": SUCCESS,
    "segments": SUCCESS,
    "accounts": SUCCESS,
    "then": SUCCESS,
    "why": SUCCESS,
    "timeline": SUCCESS,
    "overrides": SUCCESS,
    "touchpoints": SUCCESS,
    "notes": SUCCESS,
    "tasks": SUCCESS,
    "team": {"lead", "cs_ops"},
    "outcomes": {"lead", "cs_ops"},
    "model": {"cs_ops"},
    "trials": {"cs_ops"},
    "deadletters": {"cs_ops", "producer", "sre"},
    "producers": {"cs_ops", "producer", "sre"},
    "pipeline": {"sre"},
}
"""Which roles each address is for, by the first part of it that isn't the kind of answer."""


def _settings(data: Path) -> Settings:
    grants = {role: {"roles": [role], "tenants": ["acme"]} for role in get_args(Role)}
    oidc = {"issuer": ISSUER, "client_id": "bellbuoy", "grants": grants}
    return load(data=data, kafka={"bootstrap": "127.0.0.1:9"}, console={"url": URL, "oidc": oidc, "port": 0})


@pytest.fixture
def console(tmp_path: Path) -> Iterator[tuple[Starlette, TestClient, Access]]:
    sink = MemorySink()
    sink.write([health("a1", 1, 20.0, tenant="acme"), alert("x1", tenant="acme", account_id="a1")])
    app = build_app(_settings(tmp_path), ("acme", "other"), URL, lambda: sink)
    app.state.stopping.set()  # a stream that answers ends at once
    with TestClient(app, base_url=URL, follow_redirects=False) as client:
        yield app, client, Access(tmp_path, ISSUER)


def _addresses(app: Starlette, tenant: str) -> Iterator[tuple[str, str]]:
    """Yield the method and the address of every page, stream and act of a tenant."""
    for route in app.routes:
        if isinstance(route, Route) and "{tenant}" in route.path and not route.path.startswith(API):
            path = route.path.replace("{tenant}", tenant).replace("{account_id:path}", "a1")
            yield (
                min((route.methods or {"GET"}) - {"HEAD"}),
                path.replace("{alert_id}", "x1").replace("{letter_id}", "d1"),
            )


def test_nothing_answers_without_a_session(console: tuple[Starlette, TestClient, Access]) -> None:
    app, client, _ = console
    for route in app.routes:
        assert isinstance(route, Route | Mount)
        if route.path in OPEN or "{tenant}" in route.path or route.path.startswith(API):
            continue
        assert route.path in ("/", "/sign-out", "/sessions"), "a new address is open, or a tenant's"
    for method, path in _addresses(app, "acme"):
        answer = client.request(method, path)
        assert answer.status_code == (303 if method == "GET" else 401), path
        assert client.request(method, path, headers={"sec-fetch-mode": "cors"}).status_code == 401, path
        assert "a1" not in answer.text


@pytest.mark.parametrize("role", get_args(Role))
def test_each_role_sees_what_is_for_it_and_of_its_tenants_alone(
    console: tuple[Starlette, TestClient, Access], role: Role
) -> None:
    app, client, access = console
    client.cookies.set("__Host-bellbuoy_session", access.cookie("Kim", (role,)))
    seen = set()
    for method, path in _addresses(app, "acme"):
        parts = [part for part in path.split("/") if part and part not in ("live", "reports")]
        status = client.request(method, path).status_code
        allowed = role in ALLOWED[parts[0]]
        seen.add(parts[0])
        if not allowed:
            assert status == 403, path
        elif method == "POST":
            assert status == 403, f"{path} takes a form without the session's token"
        else:
            assert status in (200, 422), path
    assert seen == ALLOWED.keys()
    for method, path in _addresses(app, "other"):
        assert client.request(method, path).status_code == 404, "another tenant is as if it were none"
    assert client.get("/").headers["location"].endswith("/acme")


def test_who_has_no_grant_gets_nowhere(console: tuple[Starlette, TestClient, Access]) -> None:
    app, client, access = console
    client.cookies.set("__Host-bellbuoy_session", access.cookie("Kim", ()))
    assert client.get("/").status_code == 403
    assert {client.request(*address).status_code for address in _addresses(app, "acme")} == {404}


def test_somebody_ends_their_own_sessions_and_nobody_elses(
    console: tuple[Starlette, TestClient, Access],
) -> None:
    _, client, access = console
    here, there = access.cookie("Kim", ("lead",), "Firefox"), access.cookie("Kim", ("lead",), "Chrome")
    others = access.cookie("Ines", ("lead",), "Safari")
    session, other, stranger = access.session(here), access.session(there), access.session(others)
    assert session is not None
    assert other is not None
    assert stranger is not None
    client.cookies.set("__Host-bellbuoy_session", here)
    page = client.get("/sessions").text
    assert "Firefox" in page
    assert "Chrome" in page
    assert "Ines" not in page

    def end(**fields: str) -> int:
        body = {"token": access.token(session), **fields}  # type: ignore[arg-type]
        return client.post("/sessions", data=body).status_code

    assert client.post("/sessions", data={"whose": "Kim"}).status_code == 403, "no token of the session"
    assert end(key=access.key_of(stranger)) == 303
    assert end(whose="Ines") == 303
    assert access.session(others) is not None
    assert end(key=access.key_of(other)) == 303
    assert access.session(there) is None
    assert access.session(here) is not None
    assert end(whose="Kim") == 303
    assert client.get("/alerts/acme").status_code == 303, "signed out everywhere"


def test_a_session_does_not_open_the_api(console: tuple[Starlette, TestClient, Access]) -> None:
    _, client, access = console
    client.cookies.set("__Host-bellbuoy_session", access.cookie("Kim", ("lead",)))
    assert client.get("/alerts/acme").status_code == 200
    assert client.get("/api/v1/tenants/acme/alerts").status_code == 401
    assert client.get("/api/v1/openapi.json").status_code == 401


def test_a_link_opens_nothing_where_people_sign_in_with_a_provider(
    console: tuple[Starlette, TestClient, Access], tmp_path: Path
) -> None:
    _, client, access = console
    assert client.get(f"/sign-in?link={access.new_link()}").status_code == 401
    by_link = Access(tmp_path)
    cookie = by_link.sign_in(by_link.new_link(), "Kim")
    assert cookie is not None
    client.cookies.set("__Host-bellbuoy_session", cookie)
    assert client.get("/book/acme").status_code == 303


def test_browsers_are_told_to_keep_the_session_to_themselves(
    console: tuple[Starlette, TestClient, Access],
) -> None:
    _, client, _ = console
    headers = client.get("/sign-in").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "max-age" in headers["strict-transport-security"]
    assert client.get("/sign-in", headers={"host": "evil.example"}).status_code == 421
    assert client.get("/metrics", headers={"host": "172.18.0.9"}).status_code == 200
