"""The compose file: valid, and the same topology as the command's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from bellbuoy.cli.app import app
from bellbuoy.local.environment import variables
from bellbuoy.operations.roles import ROLES
from bellbuoy.settings import Settings, load

ROOT = Path(__file__).parents[3]
ONCE = {"topics", "schema"}
OURS = (*sorted(ONCE), *ROLES, "console", "poll")
PASSED_ON = {
    "BELLBUOY_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
    "BELLBUOY_KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
    "BELLBUOY_KAFKA__USERNAME": "bellbuoy",
    "BELLBUOY_KAFKA__PASSWORD": "a-long-random-password",
    "BELLBUOY_GATEWAY__TENANTS": '{"acme":{"write_keys":["a-long-random-key"]}}',
    "BELLBUOY_CONSOLE__PERSON": "Kim",
    "BELLBUOY_CONSOLE__OIDC": '{"issuer":"https://login.example.com","client_id":"bellbuoy",'
    '"grants":{"success":{"roles":["csm"]}}}',
    "BELLBUOY_CONSOLE__TOKENS": "{}",
    "BELLBUOY_POLL__TENANTS": '{"acme":{"ewebinar":{"token":"a-token"}}}',
}
"""What the shell may say where the file says nothing."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def test_it_is_what_the_compose_specification_allows() -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    assert uv, "run the tests with `uv run` (or `make test`), which says where uv is"
    # In an environment of its own: it wants another click than Faust does.
    command = ["tool", "run", "--from", "check-jsonschema==0.39.0", "check-jsonschema"]

    done = subprocess.run(
        [uv, *command, "--builtin-schema", "vendor.compose-spec", str(ROOT / "docker-compose.yml")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_role_runs_and_by_a_command_that_exists(services: dict[str, Any]) -> None:
    for name in OURS:
        command = services[name]["command"]
        assert command[0] == {"schema": "sinks"}.get(name, name)
        assert CliRunner().invoke(app, [*command, "--help"]).exit_code == 0


def test_topics_come_before_every_role(services: dict[str, Any]) -> None:
    assert services["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert services["topics"]["restart"] == "no"
    for role in ROLES:
        assert services[role]["depends_on"]["topics"] == {"condition": "service_completed_successfully"}


def test_everything_that_stays_up_is_checked(services: dict[str, Any]) -> None:
    for name in set(services) - ONCE:
        assert services[name]["healthcheck"]["test"][0] == "CMD", name
        assert services[name]["restart"] == "unless-stopped"


def test_checks_and_scrapes_ask_where_the_role_answers(services: dict[str, Any]) -> None:
    scraped = {
        job["job_name"]: job["dns_sd_configs"][0]
        for job in yaml.safe_load((ROOT / "ops" / "prometheus.yml").read_text())["scrape_configs"]
    }
    assert set(scraped) == {*ROLES, "console", "poll"}
    gateway = services["gateway"]
    assert scraped.pop("gateway")["port"] == gateway["environment"]["BELLBUOY_GATEWAY__METRICS_PORT"]
    assert "http://127.0.0.1:8080/readyz" in gateway["healthcheck"]["test"][-1]
    console = services["console"]
    assert scraped.pop("console")["port"] == console["environment"]["BELLBUOY_CONSOLE__PORT"]
    assert "http://127.0.0.1:8090/readyz" in console["healthcheck"]["test"][-1]
    areas = {
        role: (f"{area}__METRICS_HOST", f"{area}__METRICS_PORT")
        for role, area in (
            ("journal", "JOURNAL"),
            ("worker", "WORKER"),
            ("deliver", "DELIVERY"),
            ("poll", "POLL"),
        )
    }
    for role, (host, port) in areas.items():
        environment = services[role]["environment"]
        assert environment[f"BELLBUOY_{host}"] == "0.0.0.0"
        bound = environment[f"BELLBUOY_{port}"]
        assert f"http://127.0.0.1:{bound}/readyz" in services[role]["healthcheck"]["test"][-1]
        assert (scraped[role]["names"], scraped[role]["port"]) == ([role], bound)


@pytest.mark.parametrize("service", OURS)
def test_every_variable_is_a_setting(
    service: str, services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("BELLBUOY_")]:
        monkeypatch.delenv(name)
    plain = variables(Settings())

    for name, value in services[service]["environment"].items():
        default = PASSED_ON[name] if value is None else re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value))
        monkeypatch.setenv(name, default)

    assert variables(load()) != plain
    assert load().kafka.bootstrap == "kafka:19092"


def test_what_no_service_names_comes_from_a_file_and_its_example_is_a_setting(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("BELLBUOY_")]:
        monkeypatch.delenv(name)
    for service in OURS:
        assert services[service]["env_file"] == [{"path": "bellbuoy.env", "required": False}], service
    comment = (ROOT / "docker-compose.yml").read_text().partition("name: bellbuoy")[0]
    [(name, value)] = re.findall(r"^#   (BELLBUOY_NOTIFY__\w+)=(.+)$", comment, flags=re.MULTILINE)
    monkeypatch.setenv(name, value)

    assert [channel.type for channel in load().notify.channels.values()] == ["slack"]
    assert "deliver:/var/lib/bellbuoy" in services["deliver"]["volumes"], "an inbox stays"


def test_nothing_is_open_to_others_and_data_stays(compose: dict[str, Any]) -> None:
    mounted = set()
    for service in compose["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
        mounted |= {volume.split(":")[0] for volume in service.get("volumes", [])}
    assert {"kafka", "redis", "postgres", "prometheus"} <= set(compose["volumes"]) <= mounted


def test_metrics_are_not_published(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    metrics = {
        str(value)
        for role in ROLES
        for name, value in services[role]["environment"].items()
        if name.endswith("METRICS_PORT")
    }
    assert len(metrics) == len(ROLES)
    assert not metrics & {port.rpartition(":")[2] for port in published}


def test_memory_and_logs_are_bounded(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["logging"]["options"]["max-size"], name
        assert name in ONCE or service["mem_limit"], name


def test_compiled_code_is_in_the_image_and_where_the_journal_may_write(services: dict[str, Any]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "RUN python -m streams.journal.warm_up\nVOLUME /var/lib/bellbuoy\n" in dockerfile
    assert "NUMBA_CACHE_DIR=/var/lib/bellbuoy/compiled" in dockerfile
    assert "NUMBA_CPU_NAME=generic" in dockerfile
    assert services["journal"]["volumes"] == ["journal:/var/lib/bellbuoy"]


def test_kafka_makes_no_topic_by_accident_and_has_two_listeners(services: dict[str, Any]) -> None:
    environment = services["kafka"]["environment"]

    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert "INTERNAL://kafka:19092" in environment["KAFKA_ADVERTISED_LISTENERS"]
    assert "HOST://127.0.0.1:9092" in environment["KAFKA_ADVERTISED_LISTENERS"]


def test_the_image_is_locked_unprivileged_and_has_every_package() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert "uv sync --locked --no-dev" in dockerfile
    assert "USER 10001:10001" in dockerfile
    for package in packages:
        assert f"COPY {package} {package}\n" in dockerfile
        assert f"!{package}\n" in (ROOT / ".dockerignore").read_text()


def test_versions_agree() -> None:
    makefile, dockerfile = (ROOT / "Makefile").read_text(), (ROOT / "Dockerfile").read_text()
    lock = (ROOT / "bellbuoy" / "local" / "embedded" / "kafka.lock.json").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    uv = re.search(r"^UV_VERSION := (\S+)$", makefile, re.MULTILINE)
    kafka = re.search(r'"kafka-clients",\s+"version": "([^"]+)"', lock)
    compose = (ROOT / "docker-compose.yml").read_text()
    assert uv
    assert f"uv=={uv[1]}" in dockerfile
    assert kafka
    assert f"apache/kafka:{kafka[1]}\n" in compose
    assert f"bellbuoy:${{BELLBUOY_VERSION:-{project['version']}}}" in compose
