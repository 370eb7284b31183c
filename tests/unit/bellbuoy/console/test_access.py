"""Access to the console: links that work once, sessions that can't be forged, tokens of one session."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from itsdangerous import TimestampSigner

from bellbuoy.console.access import SESSION_SECONDS, Access
from bellbuoy.console.request import is_loopback


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
