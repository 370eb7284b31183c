"""Tokens of action links: whole, signed, in time, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identity.action_tokens import ActionToken, BadTokenError, read, sign

TOKEN = ActionToken(
    tenant="demo", account_id="acme", alert_id="a1", kind="snoozed", author="Zoë", expires_at=1_000
)
SIGNED = sign(TOKEN, "secret")


def test_what_was_signed_is_read() -> None:
    assert read(SIGNED, ["new", "secret"], 999) == TOKEN


@pytest.mark.parametrize(
    ("text", "secrets", "now", "why"),
    [
        (SIGNED, ["other"], 0, "not made here"),
        (SIGNED, [], 0, "not made here"),
        (SIGNED, ["secret"], 1_000, "too old"),
        ("", ["secret"], 0, "not made here"),
        ("a", ["secret"], 0, "not whole"),
        ("ü.ü", ["secret"], 0, "not whole"),
        (SIGNED * 100, ["secret"], 0, "not whole"),
        (SIGNED.partition(".")[0] + ".", ["secret"], 0, "not made here"),
    ],
)
def test_other_text_is_refused_with_the_reason(text: str, secrets: list[str], now: int, why: str) -> None:
    with pytest.raises(BadTokenError, match=why):
        read(text, secrets, now)


@given(at=st.integers(0, len(SIGNED) - 1), character=st.sampled_from("abcXYZ019-_."))
def test_any_other_character_is_refused_or_means_the_same(at: int, character: str) -> None:
    forged = SIGNED[:at] + character + SIGNED[at + 1 :]
    try:
        assert read(forged, ["secret"], 0) == TOKEN
    except BadTokenError:
        assert forged != SIGNED
