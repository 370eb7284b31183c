"""The gateway's settings: tenants, write keys and secrets."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bellbuoy.errors import ConfigError
from bellbuoy.settings import load
from gateway.settings import GatewaySettings


@pytest.mark.parametrize(
    ("tenants", "message"),
    [
        ({"a": {"write_keys": [""]}}, "blank"),
        ({"a": {"stripe_secrets": ["  "]}}, "blank"),
        ({"a": {"write_keys": ["same"]}, "b": {"write_keys": ["x", "same"]}}, "share a key"),
        ({"a": {"write_keys": ["x"]}, "b": {"server_keys": ["x"]}}, "share a key"),
        ({"a": {"write_keys": ["x"], "server_keys": ["x"]}}, "stands in no page"),
        ({"Not A Name": {}}, "use 1-63"),
    ],
)
def test_tenants_that_would_let_strangers_in_are_refused(tenants: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GatewaySettings.model_validate({"tenants": tenants})


def test_a_tenant_may_name_its_own_key_twice() -> None:
    assert GatewaySettings.model_validate({"tenants": {"a": {"write_keys": ["k", "k"]}}})


@pytest.mark.parametrize(
    "tenants",
    [
        {"a": {"write_keys": ["hush"]}, "b": {"write_keys": ["hush"]}},
        {"A B": {"write_keys": ["hush"]}},
        {"a": {"write_key": "hush"}},
        {"a": {"write_keys": "hush"}},
    ],
)
def test_a_fault_never_shows_a_secret(tenants: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as fault:
        load(gateway={"tenants": tenants})
    assert "gateway.tenants" in str(fault.value)
    assert "hush" not in str(fault.value)


@pytest.mark.parametrize(
    ("counted", "message"),
    [
        ({"Posts": "Post"}, "'Posts' is no counter: use 1 to 64"),
        ({f"c{n}": "x" for n in range(33)}, "at most 32"),
    ],
)
def test_counters_that_no_model_could_read_are_refused(counted: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GatewaySettings.model_validate({"tenants": {"a": {"counted": counted}}})
