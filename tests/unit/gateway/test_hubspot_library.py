"""HubSpot's own library takes what we sign, we take what it signs, and both refuse the same."""

from __future__ import annotations

import pytest
from hubspot.utils import signature as theirs
from hypothesis import given
from hypothesis import strategies as st

from bellbuoy.times import now
from gateway.sources.hubspot import SOURCE
from gateway.sources.signatures import BadSignatureError, SignedRequest

SECRET = "client-secret"
URL = "https://gateway.example/webhooks/hubspot/acme"
bodies = st.text(max_size=200)
urls = st.from_regex(r"https://[a-z]{1,12}\.example/[a-z0-9/_-]{0,30}(\?[a-z0-9=&]{1,20})?", fullmatch=True)


def their_headers(url: str, body: str, at: int, secret: str = SECRET) -> dict[str, str]:
    signed = theirs.Signature.get_signature(secret, body, "v3", url, "POST", str(at))
    return {"x-hubspot-signature-v3": signed, "x-hubspot-request-timestamp": str(at)}


def ours_takes(url: str, body: str, headers: dict[str, str], at: int) -> bool:
    try:
        SOURCE.signature_scheme().verify(SignedRequest(url, body.encode(), headers), [SECRET], at)
    except BadSignatureError:
        return False
    return True


def theirs_takes(url: str, body: str, headers: dict[str, str]) -> bool:
    return bool(
        theirs.Signature.is_valid(
            headers["x-hubspot-signature-v3"], SECRET, body, url, "POST", "v3",
            headers["x-hubspot-request-timestamp"],
        )
    )  # fmt: skip


@given(body=bodies, url=urls)
def test_each_takes_what_the_other_signs(body: str, url: str) -> None:
    at = now()
    ours = SOURCE.signature_scheme().sign(SECRET, SignedRequest(url, body.encode()), at)
    assert ours == their_headers(url, body, at)
    assert theirs_takes(url, body, ours)
    assert ours_takes(url, body, their_headers(url, body, at), at)


@given(body=bodies, other=bodies, url=urls)
def test_both_refuse_another_body_address_or_secret(body: str, other: str, url: str) -> None:
    at = now()
    headers = their_headers(url, body, at)
    assert ours_takes(url, other, headers, at) == theirs_takes(url, other, headers) == (body == other)
    assert ours_takes(url + "x", body, headers, at) == theirs_takes(url + "x", body, headers) is False
    forged = their_headers(url, body, at, "another")
    assert ours_takes(url, body, forged, at) == theirs_takes(url, body, forged) is False


def test_both_refuse_an_old_time_and_we_a_coming_one_too() -> None:
    """HubSpot's library takes any time in the future; a replay must not be prepared for later."""
    at = now()
    old = their_headers(URL, "[]", at - 301_000)
    assert not ours_takes(URL, "[]", old, at)
    with pytest.raises(theirs.InvalidSignatureTimestampError):
        theirs_takes(URL, "[]", old)
    coming = their_headers(URL, "[]", at + 301_000)
    assert theirs_takes(URL, "[]", coming)
    assert not ours_takes(URL, "[]", coming, at)
