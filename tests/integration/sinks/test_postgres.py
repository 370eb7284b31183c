"""The Postgres sink against a real Postgres: its schema, faults, positions, and what analysts read."""

from __future__ import annotations

import base64
import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from iso4217 import Currency

from bellbuoy.local.embedded import Postgres
from schemas.money import places
from schemas.records import AccountKpis
from schemas.times import DAY
from sinks.port import Rejected, SetBackError, SinkError, SinkSettingsError
from sinks.postgres import client
from sinks.postgres.migrate import MIGRATIONS
from sinks.postgres.settings import PostgresSettings
from sinks.postgres.sink import PostgresSink
from tests.support.kernel_processes import suspend
from tests.support.output_records import AT, alert, health, kpis, story
from tests.support.postgres_server import content, database, migrated, query, server

pytestmark = pytest.mark.services


@pytest.fixture
def settings() -> PostgresSettings:
    return migrated()


@pytest.fixture
def sink(settings: PostgresSettings) -> Iterator[PostgresSink]:
    with closing(PostgresSink(settings)) as sink:
        sink.open()
        yield sink


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Postgres]:
    """Run a server of this test's own, to be broken."""
    server = Postgres(tmp_path / "postgres")
    server.start()
    yield server
    server.stop()


def scalar(settings: PostgresSettings, statement: str) -> Any:
    ((value,),) = query(settings, statement)
    return value


# The schema


def test_without_tables_it_waits_and_names_the_command_that_makes_them() -> None:
    settings = PostgresSettings(url=database())
    with closing(PostgresSink(settings)) as sink:
        for attempt in (sink.open, lambda: sink.write([health()])):
            with pytest.raises(SinkError, match="bellbuoy sinks migrate"):
                attempt()
        assert sink.pending() == [each.name for each in MIGRATIONS]
        applied: list[str] = []
        sink.migrate(applied.append)
        assert applied == [each.name for each in MIGRATIONS]
        assert sink.pending() == []
        sink.open()
        sink.write([health()])

    assert scalar(settings, "SELECT count(*) FROM accounts") == 1


def test_two_migrations_at_once_apply_each_once() -> None:
    settings = PostgresSettings(url=database())
    PostgresSink(settings).migrate(lambda _: None)
    query(settings, "DROP SCHEMA bellbuoy CASCADE")
    applied: list[str] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            PostgresSink(settings).migrate(applied.append)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failures == []
    assert applied == [each.name for each in MIGRATIONS]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("INSERT INTO migrations VALUES (9999, 'later', '')", "which this release doesn't know"),
        ("UPDATE migrations SET digest = 'x' WHERE version = 1", "0001_tables was applied .* another text"),
    ],
)
def test_a_schema_of_another_release_is_refused(settings: PostgresSettings, change: str, words: str) -> None:
    query(settings, change)
    with closing(PostgresSink(settings)) as sink:
        for attempt in (sink.open, sink.pending, lambda: sink.migrate(print)):
            with pytest.raises(SinkSettingsError, match=words):
                attempt()


def test_a_migration_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = PostgresSettings(url=database())
    broken = MIGRATIONS[1].__class__(
        2, "0002_broken", "CREATE TABLE half (x int); SELECT no_such_function();"
    )
    monkeypatch.setattr("sinks.postgres.migrate.MIGRATIONS", (MIGRATIONS[0], broken))

    with pytest.raises(SinkError, match="no_such_function"):
        PostgresSink(settings).migrate(lambda _: None)

    assert scalar(settings, "SELECT to_regclass('half')") is None
    assert query(settings, "SELECT version FROM migrations") == [(1,)]


def test_an_existing_table_gets_the_columns_of_a_release(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = PostgresSettings(url=database())
    monkeypatch.setattr("sinks.postgres.migrate.MIGRATIONS", MIGRATIONS[:4])
    PostgresSink(settings).migrate(lambda _: None)
    query(
        settings,
        "INSERT INTO accounts (tenant, account_id, score, band, label, coverage, reasons, caps, adjustments, "
        "overrides, open_alerts, silent_sources, model, model_version, as_of, partition, sequence) "
        "SELECT 'demo', each, 50, 'watch', '', 1, '[]', '[]', '[]', '[]', '[]', '[]', 'm', '1', now(), 0, 1 "
        "FROM unnest(ARRAY['acme', 'before']) AS each",
    )
    monkeypatch.undo()
    applied: list[str] = []

    with closing(PostgresSink(settings)) as sink:
        sink.migrate(applied.append)
        sink.open()
        unpaid = {
            "involuntary_score": 41.5,
            "involuntary_reasons": ["Two payments failed"],
            "churn_probability": 0.25,
        }
        sink.write([health("acme", 1, as_of=2**41, **unpaid)])

    assert applied == [each.name for each in MIGRATIONS[4:]]
    assert query(
        settings,
        "SELECT account_id, involuntary_score, involuntary_reasons, churn_probability FROM accounts"
        " ORDER BY account_id",
    ) == [("acme", 41.5, ["Two payments failed"], 0.25), ("before", None, [], None)]
    assert query(settings, "SELECT account_id, risk, first_reason, arr FROM payment_risks") == [
        ("acme", 58.5, "Two payments failed", 12_000)
    ]
    assert query(settings, "SELECT involuntary_score FROM score_history") == [(41.5,)]


# What is kept


def test_history_lies_in_the_partition_of_its_month(sink: PostgresSink, settings: PostgresSettings) -> None:
    months = [health("a1", 1, as_of=AT + n * 31 * DAY) for n in range(3)]
    sink.write(months)

    parts = query(settings, "SELECT tableoid::regclass::text, account_id FROM score_history ORDER BY as_of")
    assert parts == [(f"score_history_2025_{month:02}", "a1") for month in (6, 7, 8)]


def test_two_writers_add_the_partition_of_a_month_at_once(settings: PostgresSettings) -> None:
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            with closing(PostgresSink(settings)) as sink:
                sink.open()
                sink.write([health(f"a{number}", 1, as_of=AT + n * 31 * DAY) for n in range(12)])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failures == []
    assert scalar(settings, "SELECT count(*) FROM score_history") == 36


def test_an_alert_keeps_its_life(sink: PostgresSink, settings: PostgresSettings) -> None:
    sink.write(
        [
            alert("al1", 1),
            alert("al1", 2, "updated", acknowledged_by="ann", note="on it"),
            alert("al1", 3, "resolved", resolution="recovered", feedback="useful"),
        ]
    )

    assert query(settings, "SELECT change, resolution FROM alerts") == [("resolved", "recovered")]
    assert query(
        settings, "SELECT change, acknowledged_by, note, feedback FROM alert_changes ORDER BY changed_at"
    ) == [("opened", None, None, None), ("updated", "ann", "on it", None), ("resolved", None, None, "useful")]


def test_a_deleted_account_leaves_nothing_and_does_not_come_back(
    sink: PostgresSink, settings: PostgresSettings
) -> None:
    def of(account: str, first: int) -> list[Any]:
        return [
            health(account, first),
            kpis(account, {"usage.depth": 3.0}, first),
            alert(f"al-{account}", first, account_id=account),
            alert(f"al-{account}", first + 1, "resolved", account_id=account),
        ]

    sink.write([*of("acme", 1), *of("other", 1)])
    sink.write([health("acme", 5, deleted=True)])
    sink.write(of("acme", 1))  # late
    assert "acme" not in str(content(settings)).replace("Acme GmbH", "")
    assert scalar(settings, "SELECT count(*) FROM score_history") == 1
    assert scalar(settings, "SELECT count(*) FROM alerts") == 1

    sink.write(of("acme", 6))  # it is a customer again
    assert scalar(settings, "SELECT count(*) FROM accounts") == 2
    assert scalar(settings, "SELECT count(*) FROM alert_changes WHERE account_id = 'acme'") == 2


def test_deleted_kpis_leave_the_account_and_its_history(
    sink: PostgresSink, settings: PostgresSettings
) -> None:
    deleted = AccountKpis(
        tenant="demo",
        account_id="acme",
        measures=[],
        model="",
        model_version="",
        as_of=AT + 5,
        partition=0,
        sequence=5,
        deleted=True,
    )
    sink.write([health("acme"), kpis("acme", {"usage.depth": 3.0}, 1), deleted])
    sink.write([kpis("acme", {"usage.depth": 3.0}, 2)])

    assert scalar(settings, "SELECT count(*) FROM kpis") == 0
    assert scalar(settings, "SELECT count(*) FROM accounts") == 1
    assert scalar(settings, "SELECT count(*) FROM measure_history") == 2


# Records that it never takes


@pytest.mark.parametrize(
    "record",
    [
        health("bad", name="a\0b"),
        health(base64.b64encode(random.Random(1).randbytes(9_000)).decode()),
        health("bad", sequence=2**63),
        health("bad", as_of=-1),
        health("bad", as_of=10**15),
        alert("bad", renewal_at=10**18),
        kpis("bad", {"usage\0depth": 1.0}),
    ],
)
def test_a_record_that_it_refuses_is_named_and_nothing_is_written(
    sink: PostgresSink, settings: PostgresSettings, record: Any
) -> None:
    batch = [*story()[:100], record, *story()[100:130]]

    with pytest.raises(Rejected) as rejected:
        sink.write(batch)

    assert rejected.value.index == 100
    assert scalar(settings, "SELECT count(*) FROM score_history") == 0
    sink.write([each for each in batch if each is not record])
    assert scalar(settings, "SELECT count(*) FROM score_history") > 50


# Positions


def test_positions_lie_with_the_content(sink: PostgresSink, settings: PostgresSettings) -> None:
    parts = ["account.health/0", "risk.alerts/0"]
    assert sink.resume(parts) == dict.fromkeys(parts, 0)
    sink.write([health()])
    sink.reached({"account.health/0": 1})

    with closing(PostgresSink(settings)) as later:
        assert later.resume(parts) == {"account.health/0": 1, "risk.alerts/0": 0}
        assert later.positions() == {"account.health/0": 1, "risk.alerts/0": 0}


@pytest.mark.parametrize(
    "loss", ["DELETE FROM positions", "UPDATE positions SET next_offset = 4", "TRUNCATE positions"]
)
def test_lost_positions_are_noticed_before_anything_is_written(
    sink: PostgresSink, settings: PostgresSettings, loss: str
) -> None:
    sink.resume(["account.health/0"])
    sink.reached({"account.health/0": 7})
    query(settings, loss)

    with pytest.raises(SetBackError, match="lost what it held"):
        sink.write([health()])
    with pytest.raises(SetBackError):
        sink.reached({"account.health/0": 8})
    assert scalar(settings, "SELECT count(*) FROM accounts") == 0
    sink.resume(["account.health/0"])
    sink.write([health()])


def test_a_lost_answer_to_a_commit_of_positions_is_no_loss(
    sink: PostgresSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.resume(["account.health/0"])
    sink.reached({"account.health/0": 7})
    transaction = psycopg.Connection.transaction

    class Lost:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __enter__(self) -> Any:
            return self.inner.__enter__()

        def __exit__(self, *error: object) -> None:
            self.inner.__exit__(*error)
            raise psycopg.OperationalError("the answer was lost")

    monkeypatch.setattr(psycopg.Connection, "transaction", lambda self: Lost(transaction(self)))
    with pytest.raises(SinkError, match="the answer was lost"):
        sink.reached({"account.health/0": 9})
    monkeypatch.setattr(psycopg.Connection, "transaction", transaction)

    sink.write([health()])
    sink.reached({"account.health/0": 11})
    assert sink.positions() == {"account.health/0": 11}


def test_clearing_keeps_what_kafka_may_not_have_any_more(
    sink: PostgresSink, settings: PostgresSettings
) -> None:
    sink.resume(["account.health/0"])
    sink.write(story())
    before = content(settings)
    query(settings, "UPDATE alerts SET title = 'wrong'")
    entries = sink.entries()
    counted: list[int] = []

    sink.clear(counted.append)

    assert counted == [entries]
    assert entries == sum(len(before[table]) for table in ("accounts", "kpis", "alerts"))
    assert content(settings)["score_history"] == before["score_history"]
    assert content(settings)["accounts"] == []
    assert sink.positions() == {}
    with pytest.raises(SetBackError):
        sink.write(story())
    sink.resume(["account.health/0"])
    sink.write(story())
    assert content(settings) == before


# A server that misbehaves


@pytest.mark.conformance("reset", sink="postgres")
def test_a_server_killed_in_the_middle_loses_nothing(own: Postgres) -> None:
    settings = migrated(own)
    untouched = migrated()
    batches = [story()[start : start + 40] for start in range(0, len(story()), 40)]
    with closing(PostgresSink(untouched)) as reference:
        reference.write(story())

    with closing(PostgresSink(settings)) as sink:
        sink.open()
        for number, batch in enumerate(batches):
            if number % 3 == 1:
                own.child.kill()
                with pytest.raises(SinkError, match="is away"):
                    sink.write(batch)
                own = Postgres(own.folder, port=own.port)
                own.start()
            sink.write(batch)
        assert content(settings) == content(untouched)
    own.stop()


def test_a_lock_file_whose_number_is_another_programs_stops_no_start(own: Postgres) -> None:
    own.child.kill()
    lock = own.folder / "data" / "postmaster.pid"
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    again = Postgres(own.folder)
    again.start()
    again.stop()


@pytest.mark.conformance("hang", sink="postgres")
def test_a_server_that_hangs_is_given_up(own: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = migrated(own)
    monkeypatch.setattr(client, "_ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(client, "_CONNECT_SECONDS", 2)
    with closing(PostgresSink(settings)) as sink:
        sink.open()
        assert sink._connection is not None
        processes = (own.child.pid, sink._connection.info.backend_pid)
        for process in processes:
            suspend(process)
        try:
            for _ in range(2):
                with pytest.raises(SinkError, match="is away"):
                    sink.write([health()])
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)
        sink.write([health()])

    assert scalar(settings, "SELECT count(*) FROM accounts") == 1


def test_a_database_that_is_read_only_is_waited_for(sink: PostgresSink, settings: PostgresSettings) -> None:
    name = settings.url.rpartition("/")[2]
    query(settings, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    sink.close()

    for attempt in (sink.open, lambda: sink.write([health()])):
        with pytest.raises(SinkError, match="name the primary"):
            attempt()
    query(PostgresSettings(url=server().url), f"ALTER DATABASE {name} RESET ALL")
    sink.open()


def test_a_user_without_rights_is_told_at_the_start(settings: PostgresSettings) -> None:
    name = f"u{settings.url.rpartition('/')[2]}"
    query(settings, f"CREATE ROLE {name} LOGIN; GRANT bellbuoy_reader TO {name}")
    restricted = settings.model_copy(update={"url": settings.url.replace("//bellbuoy@", f"//{name}:pw@")})

    with closing(PostgresSink(restricted)) as sink, pytest.raises(SinkError, match="lacks a right") as error:
        sink.open()
    assert "pw@" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    ["", "no url", "postgresql://ann:s3cret@host:port/db", "postgresql://ann:s3cret@host/db?no_such=1"],
)
def test_a_bad_address_is_the_settings_fault_and_shows_no_password(url: str) -> None:
    sink = PostgresSink(PostgresSettings(url=url))

    with pytest.raises((SinkSettingsError, SinkError)) as error:
        sink.open()

    assert "BELLBUOY_POSTGRES__URL" in str(error.value)
    assert "s3cret" not in str(error.value)


def test_a_server_that_is_away_is_named_without_the_password() -> None:
    sink = PostgresSink(PostgresSettings(url="postgresql://ann:s3cret@127.0.0.1:1/db"))

    with pytest.raises(SinkError, match=r"postgresql://127\.0\.0\.1:1/db is away") as error:
        sink.open()

    assert "s3cret" not in str(error.value)


# What analysts read


def test_a_reader_reads_every_view_and_changes_nothing(
    sink: PostgresSink, settings: PostgresSettings
) -> None:
    sink.write(story())
    name = f"r{settings.url.rpartition('/')[2]}"
    query(settings, f"CREATE ROLE {name} LOGIN IN ROLE bellbuoy_reader")
    reader = settings.model_copy(update={"url": settings.url.replace("//bellbuoy@", f"//{name}@")})
    views = query(
        settings,
        "SELECT relname FROM pg_class "
        "WHERE relnamespace = 'bellbuoy'::regnamespace AND relkind IN ('r', 'p', 'v')",
    )
    for (view,) in views:
        query(reader, f"SELECT * FROM {view} LIMIT 1")

    assert len(views) > 12
    for change in ("DELETE FROM accounts", "UPDATE alerts SET title = ''", "DROP VIEW movers"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            query(reader, change)


def test_movers_compare_with_the_score_of_a_week_and_four_weeks_ago(
    sink: PostgresSink, settings: PostgresSettings
) -> None:
    days = [(0, 80.0), (10, 75.0), (23, 60.0), (30, 41.0)]
    sink.write([health("acme", n + 1, score, as_of=AT + day * DAY) for n, (day, score) in enumerate(days)])
    sink.write([health("new", 1, 90.0, as_of=AT + 30 * DAY)])
    sink.write([health("gone", 1, 20.0, merged_into="acme", as_of=AT + 30 * DAY)])

    assert query(
        settings,
        "SELECT account_id, arr, score, score_7d, change_7d, change_28d, first_reason "
        "FROM movers ORDER BY change_7d",
    ) == [
        ("acme", 12_000, 41.0, 60.0, -19.0, -39.0, "Active users fell by 40 %"),
        ("new", 12_000, 90.0, None, None, None, "Active users fell by 40 %"),
    ]


def test_revenue_at_risk_is_summed_by_owner_and_currency(
    sink: PostgresSink, settings: PostgresSettings
) -> None:
    sink.write(
        [
            health("a", 1, 20.0, owner="ann", arr_minor=100_00),
            health("b", 1, 90.0, owner="ann", arr_minor=300_00),
            health("c", 1, 20.0, owner="ann", arr_minor=500, currency="JPY"),
            health("d", 1, 90.0, owner=None, arr_minor=None, currency=None),
        ]
    )

    assert query(
        settings,
        "SELECT owner, currency, accounts, accounts_at_risk, arr, arr_at_risk, share_at_risk::float "
        "FROM arr_at_risk_by_owner ORDER BY owner, currency",
    ) == [
        ("(nobody)", None, 1, 0, None, 0, None),
        ("ann", "EUR", 2, 1, 400, 100, 0.25),
        ("ann", "JPY", 1, 1, 500, 500, 1.0),
    ]


def test_retention_is_told_by_the_month_in_which_customers_came(
    sink: PostgresSink, settings: PostgresSettings
) -> None:
    def customer(name: str, months: float, ended: bool, before: float, gross: float) -> list[Any]:
        values = {
            "revenue.tenure": months,
            "revenue.before": before,
            "revenue.gross_retention": gross,
            "revenue.net_retention": gross,
            "billing.cancellation": 2.0 if ended else 0.0,
        }
        return [health(name), kpis(name, values)]

    sink.write(
        [
            *customer("a", 12.0, False, 100_00, 1.0),
            *customer("b", 12.1, True, 300_00, 0.0),
            *customer("c", 5.0, False, 50_00, 0.5),
            health("unknown"),
            kpis("unknown", {}),
        ]
    )

    assert query(
        settings,
        "SELECT cohort::text, accounts, active, logo_retention::float, mrr_before, gross_retention::float "
        "FROM retention_by_cohort ORDER BY cohort",
    ) == [("2024-06-01", 2, 1, 0.5, 400, 0.25), ("2025-01-01", 1, 1, 1.0, 50, 0.5)]


def test_measures_are_rows(sink: PostgresSink, settings: PostgresSettings) -> None:
    sink.write([kpis("acme", {"usage.depth": 3.0, "usage.drop": 0.5}, n) for n in (1, 2)])

    assert query(settings, "SELECT name, value FROM measures ORDER BY name") == [
        ("usage.depth", 3.0),
        ("usage.drop", 0.5),
    ]
    assert scalar(settings, "SELECT count(*) FROM measure_values WHERE name = 'usage.depth'") == 2


def test_amounts_have_the_places_of_their_currency(settings: PostgresSettings) -> None:
    for currency in Currency:
        wanted = 10 ** places(currency.code)
        assert scalar(settings, f"SELECT amount({wanted}, '{currency.code}')") == 1, currency.code


def test_open_alerts_leave_out_those_that_are_only_counted(
    sink: PostgresSink, settings: PostgresSettings
) -> None:
    sink.write([alert("a", severity="warning"), alert("b", severity="critical"), alert("c", shadow=True)])
    sink.write([alert("d"), alert("d", 2, "resolved")])

    assert query(settings, "SELECT alert_id FROM open_alerts") == [("b",), ("a",)]
