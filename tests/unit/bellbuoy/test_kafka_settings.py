from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from bellbuoy.cli.terminal.errors import report_error
from bellbuoy.errors import ConfigError
from bellbuoy.exit_codes import CONFIGURATION
from bellbuoy.local.environment import variables
from bellbuoy.local.ports import plan_ports
from bellbuoy.operations.kafka.errors import kafka_away
from bellbuoy.settings import Settings, load
from schemas.connection import Connection, Login, Tls
from streams.kafka.aiokafka_connection import aiokafka_options
from streams.worker.faust_transport import credentials
from tests.support.secured_kafka import KEY_PASSWORD, Authority

SECRET = "hunter2"
LOGIN = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "SCRAM-SHA-512",
    "username": "kim",
    "password": SECRET,
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def refused(**kafka: Any) -> str:
    with pytest.raises(ConfigError) as error:
        load(kafka=kafka)
    return str(error.value)


def test_every_client_is_told_the_same() -> None:
    connection = Connection("b:1", Tls(), Login("PLAIN", "kim", SECRET))
    assert connection.librdkafka() == {
        "bootstrap.servers": "b:1",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "kim",
        "sasl.password": SECRET,
    }
    options = aiokafka_options(connection)
    assert options.pop("ssl_context").check_hostname
    assert options == {
        "bootstrap_servers": "b:1",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "kim",
        "sasl_plain_password": SECRET,
    }


@pytest.mark.parametrize("login", [None, Login("SCRAM-SHA-256", "kim", SECRET)])
@pytest.mark.parametrize("tls", [None, Tls()])
def test_fausts_clients_use_the_same_protocol(tls: Tls | None, login: Login | None) -> None:
    connection, shown = Connection("b:1", tls, login), credentials(Connection("b:1", tls, login))
    protocol = "PLAINTEXT" if shown is None else shown.protocol.value
    assert protocol == connection.security_protocol == aiokafka_options(connection)["security_protocol"]


def test_a_secret_is_in_no_text() -> None:
    registry = {"registry_url": "http://r", "registry_username": "kim", "registry_password": SECRET}
    settings = load(kafka=LOGIN | registry)
    texts = [repr(settings), str(settings), settings.model_dump_json(), repr(settings.kafka.connection())]
    assert SECRET not in "".join(texts)
    assert SECRET not in refused(**LOGIN | {"password": [SECRET]})
    assert SECRET not in refused(**LOGIN | {"username": None})


def test_a_child_process_gets_them(monkeypatch: pytest.MonkeyPatch, authority: Authority) -> None:
    settings = load(kafka=LOGIN | {"ca_file": str(authority.ca_file)})
    for name, value in variables(settings).items():
        monkeypatch.setenv(name, value)
    assert load().kafka.connection() == settings.kafka.connection()


def test_a_password_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f" {SECRET}\r\n")
    connection = load(kafka=LOGIN | {"password": None, "password_file": str(file)}).kafka.connection()
    assert connection.login == Login("SCRAM-SHA-512", "kim", f" {SECRET}")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"username": None}, "kafka.username is missing"),
        ({"password": None}, "kafka.password is missing"),
        ({"sasl_mechanism": None}, "kafka.sasl_mechanism is missing"),
        ({"sasl_mechanism": "GSSAPI"}, "kafka.sasl_mechanism"),
        (
            {"security_protocol": "SSL"},
            "kafka.security_protocol SSL asks for no login",
        ),
        (
            {"security_protocol": "SASL_PLAINTEXT", "ca_file": __file__},
            "or leave kafka.ca_file out",
        ),
        ({"password_file": __file__}, "kafka.password and kafka.password_file are both set"),
        (
            {"password": None, "password_file": "/no/such"},
            "kafka.password_file: /no/such can't be read",
        ),
        ({"password": None, "password_file": "/dev/null"}, "kafka.password_file: /dev/null is empty"),
        ({"ca_file": "/no/such"}, "kafka.ca_file: /no/such can't be read"),
        ({"ca_file": __file__}, "has no certificate in PEM form"),
        ({"certificate_file": __file__}, "kafka.certificate_file is set without kafka.key_file"),
        ({"key_password": "x"}, "kafka.key_password is set without kafka.key_file"),
        ({"registry_username": "kim"}, "kafka.registry_username is set without kafka.registry_url"),
        ({"registry_url": "http://r", "registry_username": "kim"}, "without kafka.registry_password"),
        ({"registry_url": "http://r", "registry_password": "x"}, "without kafka.registry_username"),
        ({"registry_url": "http://r", "registry_ca_file": __file__}, "kafka.registry_url is not https"),
        (
            {"registry_url": "http://a:b@r", "registry_username": "kim", "registry_password": "x"},
            "kafka.registry_url has a user name",
        ),
    ],
)
def test_a_wrong_combination_is_refused_with_its_key(changes: dict[str, Any], told: str) -> None:
    assert told in refused(**LOGIN | changes)


def test_a_certificate_and_its_key_belong_together(authority: Authority) -> None:
    tls = {"security_protocol": "SSL", "ca_file": str(authority.ca_file)}
    certificate, key = map(str, authority.issue("client", KEY_PASSWORD))
    other, _ = map(str, authority.issue("other"))
    own = tls | {"certificate_file": certificate, "key_file": key, "key_password": KEY_PASSWORD}
    assert load(kafka=own).kafka.connection().tls == Tls(
        str(authority.ca_file), certificate, key, KEY_PASSWORD
    )
    assert "kafka.key_password where the key has one" in refused(**own | {"key_password": None})
    assert "kafka.certificate_file, kafka.key_file" in refused(**own | {"key_password": "wrong"})
    assert "kafka.certificate_file, kafka.key_file" in refused(**own | {"certificate_file": other})


def test_up_starts_no_secured_kafka() -> None:
    with pytest.raises(ConfigError, match=r"kafka\.security_protocol: must be PLAINTEXT"):
        plan_ports(Settings(kafka=LOGIN))


def test_what_acls_forbid_is_not_taken_for_a_kafka_that_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    forbidden = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    refused = kafka_away(Connection("127.0.0.1:1"), forbidden)
    for error in (refused, KafkaException(forbidden)):
        assert report_error(error) == CONFIGURATION
        assert "allow it in the cluster's ACLs" in capsys.readouterr().err
