"""Access to the console: links that work once, sessions that can't be forged, tokens of one session."""

from __future__ import annotations

import stat
import time
from pathlib import Path
from typing import Any

import pytest
from itsdangerous import TimestampSigner

from bellbuoy.console.access.access import SESSION_SECONDS, Access
from bellbuoy.console.access.oidc import NotSignedInError, person_of
from bellbuoy.console_settings import OidcSettings, is_loopback
from bellbuoy.errors import ConfigError
from bellbuoy.settings import load


def test_a_link_signs_in_once_and_whoever_made_it(tmp_path: Path) -> None:
    link = Access(tmp_path).new_link()
    access = Access(tmp_path)
    assert access.sign_in("x" * 32, "kim") is None
    cookie = access.sign_in(link, "kim")
    session = access.session(cookie)
    assert session is not None
    assert session.person == "kim"
    assert access.sign_in(link, "kim") is None
    assert Access(tmp_path).session(cookie) == session, "a restart signs nobody out"


def test_a_session_that_is_forged_or_too_old_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    access = Access(tmp_path / "a")
    cookie = access.sign_in(access.new_link(), "kim")
    assert cookie is not None
    elsewhere = Access(tmp_path / "b")
    other = elsewhere.sign_in(elsewhere.new_link(), "kim")
    for forged in (None, "", "x", cookie[:-1], f"{cookie}x", cookie.swapcase(), other):
        assert access.session(forged) is None
    now = TimestampSigner.get_timestamp
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: now(self) + SESSION_SECONDS - 5)
    assert access.session(cookie) is not None
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: now(self) + SESSION_SECONDS + 5)
    assert access.session(cookie) is None


def test_a_session_is_over_once_it_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    access = Access(tmp_path)
    one = access.sign_in(access.new_link(), "kim", "Firefox")
    other = access.sign_in(access.new_link(), "kim", "Chrome")
    assert {each.agent for each in access.sessions()} == {"Firefox", "Chrome"}
    assert Access(tmp_path, "https://login.example.com").sessions() == [], "another way to sign in"
    session = access.session(one)
    assert session is not None
    for unknown in ("", "../key", "x"):
        access.end(unknown)
    access.end(access.key_of(session))
    assert (access.session(one), Access(tmp_path).session(one)) == (None, None)
    assert access.session(other) is not None
    later = time.time() + SESSION_SECONDS + 5
    monkeypatch.setattr(time, "time", lambda: later)
    assert access.sessions() == []
    assert list((tmp_path / "console/sessions").iterdir()) == []


def test_a_token_is_of_one_session(tmp_path: Path) -> None:
    access = Access(tmp_path)
    one = access.session(access.sign_in(access.new_link(), "kim"))
    other = access.session(access.sign_in(access.new_link(), "kim"))
    assert one is not None
    assert other is not None
    assert access.is_token(one, access.token(one))
    assert not access.is_token(one, access.token(other))
    assert not access.is_token(one, "")
    assert not access.is_token(one, "é")


def test_nobody_else_reads_the_keys(tmp_path: Path) -> None:
    access = Access(tmp_path)
    access.session(access.sign_in(access.new_link(), "kim"))
    assert stat.S_IMODE((tmp_path / "console").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "console/key").stat().st_mode) == 0o600


def test_loopback_is_this_machine_alone() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "example.com", "")] == [False] * 5


def _oidc(**settings: Any) -> dict[str, Any]:
    base = {"issuer": "https://login.example.com", "client_id": "b", "grants": {"leads": {"roles": ["lead"]}}}
    return base | settings


@pytest.mark.parametrize(
    ("claim", "claims"),
    [
        ("groups", {"groups": ["everybody", "leads"]}),
        ("groups", {"groups": "leads"}),
        ("realm_access.roles", {"realm_access": {"roles": ["leads"]}}),
        ("https://example.com/groups", {"https://example.com/groups": ["leads"]}),
    ],
)
def test_a_claim_gives_rights_wherever_the_provider_puts_it(claim: str, claims: dict[str, Any]) -> None:
    settings = OidcSettings(**_oidc(roles_claim=claim))
    person = person_of(claims | {"sub": "1", "email": "kim@example.com"}, settings)
    assert (person.name, person.values) == ("kim@example.com", ("leads",))


@pytest.mark.parametrize(
    "claims", [{}, {"email": ""}, {"email": 7}, {"email": "k@e", "email_verified": False}]
)
def test_who_has_no_name_is_nobody(claims: dict[str, Any]) -> None:
    with pytest.raises(NotSignedInError):
        person_of(claims | {"sub": "1"}, OidcSettings(**_oidc()))


@pytest.mark.parametrize("groups", [None, 7, {"leads": True}, ["leader"], [["leads"]]])
def test_a_claim_of_another_shape_gives_nothing(groups: object) -> None:
    claims = {"sub": "1", "email": "kim@example.com", "groups": groups}
    assert person_of(claims, OidcSettings(**_oidc())).values == ()


@pytest.mark.parametrize(
    ("console", "said"),
    [
        ({"host": "0.0.0.0"}, "which others can reach"),
        ({"host": "0.0.0.0", "url": "http://console.example.com"}, "neither https"),
        ({"host": "0.0.0.0", "url": "https://console.example.com"}, "one person signs in"),
        ({"oidc": _oidc(issuer="http://login.example.com")}, "must begin with https"),
        ({"oidc": _oidc(grants={})}, "nobody could see anything"),
        ({"oidc": _oidc(scopes=["email"])}, "must have `openid`"),
        ({"oidc": _oidc(grants={"x": {"roles": ["boss"]}})}, "'csm'"),
        ({"tokens": {"a": {"sha256": "secret-itself", "tenants": ["demo"]}}}, "should match pattern"),
    ],
)
def test_settings_that_would_let_in_the_wrong_people_are_refused(console: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        load(console=console)
    assert "secret-itself" not in str(refused.value)


def test_settings_that_keep_them_out_are_not() -> None:
    load(console={"host": "0.0.0.0", "url": "https://console.example.com", "oidc": _oidc()})
    load(console={"host": "0.0.0.0", "url": "http://127.0.0.1:8090"})
    load(console={"url": "https://console.example.com"})
