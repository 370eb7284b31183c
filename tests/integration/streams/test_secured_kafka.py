"""The pipeline against a broker that asks for TLS, a login and permissions, and what it says without."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)
from typer.testing import CliRunner

from bellbuoy.cli.app import app
from bellbuoy.cli.terminal.errors import report_error
from bellbuoy.exit_codes import AWAY, CONFIGURATION
from bellbuoy.local.environment import variables
from bellbuoy.local.role_process import RoleProcess
from bellbuoy.operations.kafka.errors import KafkaAwayError, KafkaRefusedError
from bellbuoy.operations.kafka.topics import create_topics, topic_faults
from bellbuoy.operations.roles import run_role
from bellbuoy.settings import Settings, load
from schemas.inputs import INPUT_TOPICS
from schemas.topics import KEYS_TOPIC, PRODUCERS_TOPIC, RAW_TOPIC, Topics
from sinks.redis.reader import RedisReader
from sinks.redis.settings import RedisSettings
from streams.kafka.log_inspector import LogInspector
from tests.support.secured_kafka import KEY_PASSWORD, PASSWORD, USER, Authority, SecuredKafka, secured_kafka
from tests.support.waiting import until

pytestmark = pytest.mark.services

TOPICS = Topics("secured-", partitions=2)
ROLES = ("gateway", "journal", "worker", "deliver")
OUTPUTS = ("account.health", "account.kpis", "risk.alerts", "alert.notifications")


def permissions(role: str) -> Iterator[tuple[ResourceType, str, ResourcePatternType, str]]:
    """Yield what docs/operations.md says that a role must be allowed."""
    literal, prefixed = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
    topic, group, transactional = ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID
    yield topic, TOPICS.prefix, prefixed, "DESCRIBE DESCRIBE_CONFIGS"
    journal, changelog, letters = (
        TOPICS.name("account.journal"),
        TOPICS.changelog,
        TOPICS.name("events.deadletter"),
    )
    inputs, outputs = [TOPICS.name(t) for t in INPUT_TOPICS], [TOPICS.name(t) for t in OUTPUTS]
    erased, deliveries = TOPICS.name("erased.subjects"), TOPICS.name("alert.deliveries")
    read, written = {
        "gateway": (
            [TOPICS.name(KEYS_TOPIC)],
            [*inputs, letters, *map(TOPICS.name, (RAW_TOPIC, PRODUCERS_TOPIC))],
        ),
        "journal": ([*inputs, journal, changelog, letters, erased], [*inputs, journal, letters]),
        "worker": ([journal, changelog], [*inputs, *outputs, changelog]),
        "deliver": ([*outputs, erased, deliveries], [letters, deliveries]),
    }[role]
    for name in read:
        yield topic, name, literal, "READ"
    for name in written:
        yield topic, name, literal, "WRITE"
    yield group, "bellbuoy-reader", literal, "READ"
    if role != "gateway":
        own = "deliver-" if role == "deliver" else "bellbuoy"
        yield group, f"{TOPICS.prefix}{own}", prefixed, "READ"
    if role in ("journal", "worker"):
        yield transactional, f"{TOPICS.prefix}bellbuoy", prefixed, "WRITE DESCRIBE"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured"), users=(USER, *ROLES)) as kafka:
        bindings = [
            AclBinding(
                kind, name, pattern, f"User:{role}", "*", AclOperation[operation], AclPermissionType.ALLOW
            )
            for role in ROLES
            for kind, name, pattern, operations in permissions(role)
            for operation in operations.split()
        ]
        for done in kafka.admin.create_acls(bindings).values():
            done.result(30)
        yield kafka


def connecting(secured: SecuredKafka, folder: Path, user: str = USER, **changes: Any) -> dict[str, Any]:
    """Return the settings by which a user connects, with the password in a file."""
    file = folder / "password"
    file.write_text(f"{PASSWORD}\n")
    return {
        "bootstrap": secured.login,
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "username": user,
        "password_file": str(file),
        "ca_file": str(secured.authority.ca_file),
        "topic_prefix": TOPICS.prefix,
        "partitions": TOPICS.partitions,
    } | changes


def checked(settings: Settings) -> Result:
    return CliRunner().invoke(app, ["check", "--json"], env=variables(settings))


def test_an_event_passes_and_each_role_may_do_no_more_than_it_needs(
    secured: SecuredKafka, redis_url: str, tmp_path: Path
) -> None:
    redis = {"url": redis_url, "prefix": "secured:"}
    create_topics(secured.inner, TOPICS)

    def settings(user: str) -> Settings:
        stages = {area: {"metrics_port": 0} for area in ("journal", "worker", "delivery")}
        kafka = connecting(secured, tmp_path, user)
        return load(kafka=kafka, gateway={"port": 0}, redis=redis, **stages, data=tmp_path)

    roles = [RoleProcess(role, settings(role), tmp_path / f"{role}.log") for role in ROLES]
    try:
        for role in roles:
            role.start()
        for role in roles:
            role.wait_ready()
        call = {"userId": "kim", "event": "Export", "context": {"groupId": "acme"}}
        request = urllib.request.Request(
            f"{roles[0].url}/v1/track",
            json.dumps(call | {"writeKey": "demo-write-key"}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        reader = RedisReader(RedisSettings.model_validate(redis))
        health = until(lambda: reader.account("demo", "acme"), what="the score in Redis")
        assert health.account_id == "acme"
        assert checked(settings(USER)).exit_code == 0
        for role in roles:
            said = role.log.read_text()
            assert PASSWORD not in said
            assert "uthorization" not in said
    finally:
        for role in roles:
            role.kill()
            print(f"{role.log.name}:\n{role.log.read_text()}")  # noqa: T201 - shown of a failed test


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"sasl_mechanism": "PLAIN", "password": "wrong", "password_file": None}, "kafka.password"),
        ({"password": "wrong", "password_file": None}, "kafka.password"),
        ({"ca_file": None}, "kafka.ca_file"),
    ],
)
def test_who_is_not_let_in_is_told_which_setting_to_correct(
    secured: SecuredKafka,
    redis_url: str,
    tmp_path: Path,
    changes: dict[str, Any],
    names: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = load(kafka=connecting(secured, tmp_path, **changes), redis={"url": redis_url})
    answer = checked(settings)
    assert answer.exit_code == CONFIGURATION
    [fault] = [fault["message"] for fault in json.loads(answer.stdout)["faults"] if fault["area"] == "kafka"]
    assert names in fault
    assert "wrong" not in fault
    with pytest.raises(KafkaRefusedError) as refused:
        run_role("worker", settings)
    assert report_error(refused.value) == CONFIGURATION
    assert names in capsys.readouterr().err


def test_another_protocol_than_the_listeners_is_told(secured: SecuredKafka, tmp_path: Path) -> None:
    for protocol, bootstrap in (("PLAINTEXT", secured.login), ("SSL", str(secured.inner))):
        settings = load(kafka={"bootstrap": bootstrap, "security_protocol": protocol})
        with pytest.raises(KafkaAwayError, match=rf"kafka\.security_protocol, which is {protocol}") as away:
            topic_faults(settings.kafka.connection(), TOPICS)
        assert away.value.exit_code == AWAY


def test_a_client_is_known_by_its_certificate(secured: SecuredKafka) -> None:
    certificate, key = secured.authority.issue("client", KEY_PASSWORD)
    kafka = {
        "bootstrap": secured.certificate,
        "security_protocol": "SSL",
        "ca_file": str(secured.authority.ca_file),
    }
    own = {"certificate_file": str(certificate), "key_file": str(key), "key_password": KEY_PASSWORD}
    inspector = LogInspector(load(kafka=kafka | own).kafka.connection())
    assert inspector.topics(["nobody-made-this"]) == {}
    with pytest.raises(KafkaAwayError, match="certificate required"):
        topic_faults(load(kafka=kafka).kafka.connection(), TOPICS)


def test_a_broker_of_another_authority_is_not_trusted(secured: SecuredKafka, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    settings = load(kafka=connecting(secured, tmp_path, ca_file=str(other.ca_file)))
    with pytest.raises(KafkaRefusedError, match=r"isn't trusted.*kafka\.ca_file"):
        topic_faults(settings.kafka.connection(), TOPICS)
