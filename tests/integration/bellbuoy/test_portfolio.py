"""`bellbuoy portfolio` and what `explain` says of an account among others, from a real Redis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from typing import Any

import pytest
from typer.testing import CliRunner

from bellbuoy.cli.app import app, main
from bellbuoy.local.embedded.ports import free_port
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from tests.support.output_records import health, kpis

pytestmark = pytest.mark.services


class Shop:
    """A Redis with a prefix of this test's own, and the command beside it."""

    def __init__(self, url: str) -> None:
        self.settings = RedisSettings(url=url, prefix=f"t{uuid.uuid4().hex[:8]}")

    def write(self, *records: Any) -> None:
        sink = RedisSink(self.settings)
        sink.open()
        sink.write(records)
        sink.close()

    def run(self, *arguments: str, code: int = 0) -> Any:
        environment = {
            "BELLBUOY_REDIS__URL": self.settings.url,
            "BELLBUOY_REDIS__PREFIX": self.settings.prefix,
            "COLUMNS": "100",
        }
        answer = CliRunner().invoke(app, [*arguments], env=environment, catch_exceptions=False)
        assert answer.exit_code == code, answer.output
        return answer

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)


@pytest.fixture
def shop(redis_url: str) -> Shop:
    shop = Shop(redis_url)
    group = [
        health("holding", score=90.0, segment="enterprise", arr_minor=None),
        health("north", score=40.0, segment="enterprise", parent_id="holding", arr_minor=900_00),
        health("oslo", score=60.0, parent_id="north", arr_minor=100_00, owner="ben"),
        health("new", score=0.0, band="unknown", parent_id="holding"),
        health("gone", score=5.0, stage="churned", parent_id="holding"),
    ]
    others = [health(f"smb-{n}", score=10.0 * n, arr_minor=100_00, currency="JPY") for n in range(1, 6)]
    shop.write(*group, *others, health("foreign", tenant="acme"))
    return shop


def test_the_portfolio_of_a_tenant(shop: Shop) -> None:
    found = shop.json("portfolio")

    assert (found["accounts"], found["churned"]) == (9, 1)
    assert found["bands"] == {"critical": 2, "at_risk": 3, "watch": 2, "healthy": 1, "unknown": 1}
    assert found["score"] == found["mean"] == 42.5  # (90 + 40 + 60 + 10 + 20 + 30 + 40 + 50) / 8
    assert found["without_arr"] == 1
    assert found["arr_at_risk"] == {"EUR": 90_000, "JPY": 40_000}
    assert [(one["id"], one["score"], one["accounts"], one["worst"]) for one in found["parents"]] == [
        ("north", 50.0, 2, "north"),
        ("holding", 63.33, 4, "north"),
    ]
    assert [(one["id"], one["quartiles"]) for one in found["segments"]] == [
        ("smb", [22.5, 35.0, 47.5]),
        ("enterprise", [52.5, 65.0, 77.5]),
    ]
    assert [one["account_id"] for one in found["worst_accounts"][:3]] == ["smb-1", "smb-2", "smb-3"]


def test_by_arr(shop: Shop) -> None:
    found = shop.json("portfolio", "--by", "arr", "--parent", "holding")

    assert (found["by"], found["only"]) == ("arr", {"parent": "holding"})
    assert (found["mean"], found["by_arr"], found["score"]) == (63.33, 42.0, 42.0)
    assert [one["id"] for one in found["parents"]] == ["north"]
    assert [one["account_id"] for one in found["worst_accounts"]] == ["north", "oslo"]


def test_some_accounts(shop: Shop) -> None:
    owner, segment = (
        shop.json("portfolio", "--owner", "ben"),
        shop.json("portfolio", "--segment", "enterprise"),
    )

    assert [one["account_id"] for one in owner["worst_accounts"]] == ["oslo"]
    assert [(one["id"], one["accounts"]) for one in owner["parents"]] == [("holding", 1), ("north", 1)]
    assert [one["account_id"] for one in segment["worst_accounts"]] == ["north", "holding"]


def test_for_people_it_fits_a_hundred_columns(shop: Shop) -> None:
    said = shop.run("portfolio").stdout

    for fact in (
        "9 accounts, 1 churned left out",
        "42.5 by mean",
        "1 account without ARR weigh",
        "critical 2",
        "900 EUR + 40,000 JPY of",
        "Lower quart.",
        "holding",
        "smb-1",
    ):
        assert fact in said, said
    assert max(map(len, said.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--parent", "hold"], "no parent 'hold'; did you mean holding?"),
        (["--owner", "Anm"], "no owner 'Anm'; did you mean ann"),
        (["--segment", "zzz"], "no segment 'zzz'; did you mean enterprise, smb?"),
        (["--tenant", "nobody"], "tenant nobody has no scored account"),
    ],
)
def test_what_is_not_there_is_named_with_what_is_near(shop: Shop, arguments: list[str], hint: str) -> None:
    assert hint in shop.run("portfolio", *arguments, code=1).stderr


def test_only_one_choice_is_taken(shop: Shop) -> None:
    assert "give one of" in shop.run("portfolio", "--owner", "a", "--parent", "b", code=2).stderr


@pytest.mark.parametrize("arguments", [["portfolio"], ["explain", "acme"]])
def test_without_redis_it_exits_69(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BELLBUOY_REDIS__URL", f"redis://user:hunter2@127.0.0.1:{free_port()}/0")
    monkeypatch.setattr(sys, "argv", ["bellbuoy", *arguments])

    with pytest.raises(SystemExit) as ended:
        main()

    said = capsys.readouterr().err
    assert ended.value.code == 69
    assert "Redis doesn't answer on redis://127.0.0.1" in said
    assert "hunter2" not in said


def test_an_explanation_places_the_account_among_others(shop: Shop) -> None:
    oslo, north, holding = (shop.json("explain", one) for one in ("oslo", "north", "holding"))

    assert oslo["standing"] == {"segment": "smb", "peers": 5, "percentile": 100.0}
    assert (oslo["parent"]["id"], oslo["parent"]["rolled"]["mean"], oslo["group"]) == ("north", 50.0, None)
    assert north["standing"] == {"segment": "enterprise", "peers": 1, "percentile": None}
    assert (north["parent"]["name"], north["group"]["mean"]) == ("Holding GmbH", 50.0)
    assert (holding["parent"], holding["group"]["accounts"]) == (None, 4)
    assert oslo["measures"][0]["window"] == "7 days against the 8 weeks before"

    said = shop.run("explain", "oslo").stdout
    assert "better than 100 % of 5 others in smb" in said
    assert "North GmbH north: 50.0 by mean, 42.0 by ARR; at risk 1 · watch 1; worst north" in said
    assert "0.4 ratio · 7 days against the 8 weeks before" in said
    assert max(map(len, said.splitlines())) <= 100
    assert "too few to compare with" in shop.run("explain", "north").stdout


def test_an_account_that_is_not_there_is_named_with_what_is_near(shop: Shop) -> None:
    assert "did you mean oslo?" in shop.run("explain", "osl", code=1).stderr


def test_retention_is_read_back_as_numbers(shop: Shop) -> None:
    values = {"revenue.before": 50_000.0, "revenue.gross_retention": 0.8, "revenue.net_retention": 1.2}
    shop.write(kpis("north", values), kpis("smb-1", values | {"revenue.net_retention": 1.0}))

    found = shop.json("portfolio")

    assert found["retention"] == {
        "EUR": {"accounts": 1, "before": 50_000, "gross": 0.8, "net": 1.2},
        "JPY": {"accounts": 1, "before": 50_000, "gross": 0.8, "net": 1.0},
    }
    assert "12 months ago or at the start" in shop.run("portfolio").stdout
    assert shop.json("explain", "north")["kpis_as_of"] == kpis("north", values).as_of


@pytest.mark.parametrize("command", [["explain", "north"], ["portfolio"], ["alerts", "list"]])
def test_what_reads_a_sink_alone_loads_nothing_that_only_the_engine_needs(
    command: list[str], shop: Shop
) -> None:
    script = (
        "import atexit, sys; from bellbuoy.cli.app import main;"
        "atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr));"
        f"sys.argv = ['bellbuoy', *{command!r}]; main()"
    )
    settings = {"BELLBUOY_REDIS__URL": shop.settings.url, "BELLBUOY_REDIS__PREFIX": shop.settings.prefix}

    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = set(done.stderr.split())
    assert "redis" in loaded
    assert "bellbuoy.cli.deployment.replay" not in loaded, "a command loads only its own module"
    engine = {"numpy", "numba", "structlog", "pygments", "confluent_kafka", "fastavro", "faust", "starlette"}
    assert engine & loaded == set()
