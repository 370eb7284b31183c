"""Times as senders write them."""

from __future__ import annotations

import pytest

from gateway.http.errors import Fault
from gateway.http.times import milliseconds
from tests.support.gateway_client import NOW


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-28T20:26:40Z",
        "2026-05-28T20:26:40.000000000Z",
        "2026-05-28T20:26:40",
        "2026-05-28t20:26:40z",
        "2026-05-28 20:26:40 UTC",
        "2026-05-28 20:26:40 GMT",
        "2026-05-28 20:26:40 +0000 UTC",
        "2026-05-28 13:26:40 -0700",
        "2026-05-28 13:26:40 -07:00",
        "2026-05-28T22:26:40+0200",
        " 2026-05-28T20:26:40Z\n",
    ],
)
def test_iso_8601_as_ruby_go_and_others_print_it(text: str) -> None:
    assert milliseconds(text, "") == NOW


@pytest.mark.parametrize(
    "text",
    [
        "",
        "never",
        "1780000000",
        "2026-05-28 20:26:40 CEST",
        "2026-05-28 25:26:40 UTC",
        "2026-02-30 00:00 UTC",
    ],
)
def test_no_time_is_guessed(text: str) -> None:
    with pytest.raises(Fault, match="not a time"):
        milliseconds(text, "/timestamp")
