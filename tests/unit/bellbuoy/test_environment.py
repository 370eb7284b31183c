from __future__ import annotations

import os

import pytest

from bellbuoy.errors import ConfigError
from bellbuoy.local.environment import child_environment, variables
from bellbuoy.settings import load


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_child_reads_back_the_very_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        kafka={"bootstrap": "127.0.0.1:1234", "topic_prefix": "a-"},
        gateway={"port": 0, "tenants": {"acme": {"write_keys": ["s3cret"], "stripe_secrets": ["whsec_1"]}}},
        notify={
            "channels": {
                "inbox": {"type": "inbox", "folder": "/somewhere/inbox", "kinds": ["alert"]},
                "slack": {"type": "slack", "token": "xoxb-1", "to": "#cs", "signing_secret": "s3cret"},
            },
            "recipients": {"Ines Marrow": {"slack": "U0123456"}},
            "link_secret": "a-secret-of-links-1",
        },
        log_level="debug",
        data="/somewhere/else",
    )
    for name, value in variables(settings).items():
        monkeypatch.setenv(name, value)

    assert load() == settings
    assert load().gateway.tenants["acme"].write_keys[0].get_secret_value() == "s3cret"
    assert load().notify.links(None).secret == "a-secret-of-links-1"


def test_a_child_gets_none_of_the_parents_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load()
    monkeypatch.setenv("BELLBUOY_KAFKA__PARTITIONS", "64")

    env = child_environment(settings)

    assert "BELLBUOY_KAFKA__PARTITIONS" not in env
    assert env["PATH"] == os.environ["PATH"]


def test_a_slip_in_a_variables_name_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLBUOY_KAFKE__BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("BELLBUOY_KAFKA__BOOTSTRAPS", "127.0.0.1:1")

    with pytest.raises(ConfigError) as refused:
        load()

    assert "BELLBUOY_KAFKE__BOOTSTRAP: no such setting" in str(refused.value)
    assert "kafka.bootstraps" in str(refused.value)


@pytest.mark.parametrize("postgres", [None, False, {"url": "postgresql://h/d"}])
def test_a_section_that_may_be_absent_is_passed_on(postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(postgres=postgres)
    for name, value in variables(settings).items():
        monkeypatch.setenv(name, value)

    assert load() == settings
