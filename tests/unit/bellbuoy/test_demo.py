"""The demo's parts that need no server: its texts, its screen, its report, its home."""

import io
from collections import Counter

import msgspec
import orjson
import pytest
from rich.console import Console

from bellbuoy.demo.home import DemoCompany, clear_demo_data, demo_company, demo_settings
from bellbuoy.demo.report import DemoReport, _contradictions, report_lines
from bellbuoy.demo.run import _hint
from bellbuoy.demo.screen import DemoSnapshot, alert_line, render_screen, snapshot_line
from bellbuoy.demo.watch import UpdateWatcher, percentile
from bellbuoy.errors import ConfigError
from bellbuoy.local.data_dir import DataDir
from bellbuoy.local.embedded.errors import EmbeddedError
from bellbuoy.local.stack import Addresses
from bellbuoy.operations.kafka.ledger import InputCounts, Ledger
from bellbuoy.query.account import Explanation, as_data
from bellbuoy.render.explanation import render_explanation as explained
from bellbuoy.render.formats import change, duration, money
from bellbuoy.settings import Settings
from bellbuoy.simulator.run.plan import SimulationPlan, parse_start, plan_simulation
from processors.state.position import Position
from schemas.connection import Connection
from schemas.records import AccountHealth, Cap, Measure, RiskAlert
from schemas.times import DAY
from sinks.serving import HistoryEntry, Update

HEALTH = AccountHealth(
    tenant="demo",
    account_id="amber-mill",
    name="Amber [Mill]",
    owner=None,
    arr_minor=1_234_500,
    currency="EUR",
    score=31.5,
    band="at_risk",
    previous_score=40.0,
    coverage=0.8,
    measures=[
        Measure(
            name="usage.drop",
            value=0.4,
            unit="ratio",
            score=20.0,
            weight=40.0,
            contribution=8.0,
            reason="Down 60 %",
        ),
        Measure(
            name="tickets",
            value=None,
            unit="count",
            score=None,
            weight=20.0,
            contribution=0.0,
            reason="Not known",
        ),
        Measure(
            name="billing",
            value=0,
            unit="days",
            score=100.0,
            weight=40.0,
            contribution=40.0,
            reason="All paid",
        ),
    ],
    caps=[Cap(name="cancel", limit=31.5, contribution=-16.5, until=5 * DAY, reason="Cancellation scheduled")],
    reasons=["Down 60 %"],
    open_alerts=["a1"],
    model="default",
    model_version="1",
    as_of=1_000_000,
    received_at=999_000,
    partition=2,
    sequence=17,
)
ALERT = RiskAlert(
    alert_id="a1",
    tenant="demo",
    account_id="amber-mill",
    rule="cancel",
    episode=1,
    change="opened",
    severity="critical",
    title="Cancellation scheduled",
    reasons=["said so"],
    action="Call them today",
    score=31.5,
    band="at_risk",
    opened_at=900_000,
    changed_at=900_000,
    acknowledged_by="Ines",
    received_at=None,
    model="default",
    model_version="1",
    partition=2,
    sequence=17,
)


def update(number, received_at=None, **more):
    given = {"kind": "health", "tenant": "demo", "account_id": "a", "score": 1.0, "band": "watch"} | more
    return Update(id=f"{number}-0", as_of=0, received_at=received_at, version=number, **given)


def shown(renderable, width=160):
    console = Console(width=width, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def moment(**more):
    given = {
        "now": 20_000 * DAY,
        "live": False,
        "delivered": 1_234,
        "per_second": 99.6,
        "p50": 80,
        "p99": None,
        "names": {"a": "Amber [Mill]"},
        "riskiest": [HEALTH],
        "alerts": [update(5, kind="alert", change="opened", title="Cancellation scheduled", owner="Ines")],
        "open_alerts": 3,
    }
    return DemoSnapshot(**(given | more))


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ({}, 0.5, None),
        ({7: 1}, 0.99, 7),
        ({1: 50, 9: 50}, 0.5, 1),
        ({1: 98, 9: 2}, 0.99, 9),
        ({1: 99, 9: 1}, 0.99, 1),
    ],
)
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(counts, share, expected):
    assert percentile(Counter(counts), share) == expected


def test_figures_are_words_a_csm_uses():
    assert money(1_234_500, "EUR") == "12,345 EUR"
    assert money(500, "JPY") == "500 JPY"
    assert money(None, "EUR") == "-"
    assert change(HEALTH) == "-8.5"
    assert change(msgspec.structs.replace(HEALTH, previous_score=None)) == "new"
    assert change(msgspec.structs.replace(HEALTH, previous_score=31.5)) == "="
    assert [duration(ms) for ms in (-5, 80, 1_500, 60_000, 7_200_000, 2 * DAY)] == [
        "0 ms",
        "80 ms",
        "1.5 s",
        "1 minute",
        "2 hours",
        "2 days",
    ]


def test_the_screen_says_who_why_whose_and_how_much():
    screen = shown(render_screen(moment(), "the hint", 40))

    for said in (
        "Amber [Mill]",
        "-8.5",
        "at risk",
        "Down 60 %",
        "nobody",
        "12,345 EUR",
        "the hint",
        "1,234 events",
    ):
        assert said in screen
    assert "▲ opened Amber [Mill]: Cancellation scheduled → Ines" in screen
    assert "catching up" in screen
    assert "live" in shown(render_screen(moment(live=True, riskiest=[], alerts=[]), "", 10))


def test_without_a_terminal_a_moment_is_one_line():
    assert snapshot_line(moment()).count("\n") == 0
    assert "riskiest Amber [Mill] 32: Down 60 %" in snapshot_line(moment())
    assert "riskiest" not in snapshot_line(moment(riskiest=[]))
    paid = update(1, change="resolved", severity="warning", title="Paid")
    assert "▼ resolved [warning] a: Paid" in alert_line(paid, {})


def test_a_report_has_exactly_the_fields_it_promises():
    said = orjson.loads(orjson.dumps(DemoReport(3, 1, 1, {"invalid": 1})))

    assert list(said) == [
        "events_in",
        "applied",
        "duplicates",
        "dead_letters",
        "accounts_scored",
        "alerts_opened",
        "alerts_resolved",
        "latency_p50_ms",
        "latency_p99_ms",
    ]
    assert (
        "3 events in = 1 applied + 1 duplicates + 1 dead letters (1 invalid)"
        in report_lines(DemoReport(3, 1, 1, {"invalid": 1}))[0]
    )


def test_totals_that_agree_hold_no_contradiction_and_each_kind_of_contradiction_is_named():
    before, after = (
        Ledger(),
        Ledger({("demo", "a"): 7}, {0: Position(applied=7, duplicates=2, dead_letters=1)}),
    )
    report = DemoReport(events_in=11, applied=7, duplicates=2, dead_letters={"invalid": 2})
    found = InputCounts(events=10, refused=1)

    def faults(report=report, after=after, found=found, acknowledged=11, repeated=0):
        return " ".join(_contradictions(report, before, after, found, acknowledged, repeated))

    assert faults() == ""
    assert "12 events came in, but 11 are accounted for" in faults(
        report=DemoReport(12, 7, 2, {"invalid": 2}), acknowledged=12
    )
    assert "the positions say 7" in faults(report=DemoReport(11, 8, 2, {"invalid": 1}))
    assert "the journal made 1 dead letters, but 2 are on the topic" in faults(found=InputCounts(events=10))
    assert "12 events were acknowledged, but only 11" in faults(acknowledged=12)
    assert "1 more events" in faults(acknowledged=10)
    assert faults(acknowledged=10, repeated=1) == ""


class Stream:
    """The update stream of a reader, as a list that grows."""

    def __init__(self, updates):
        self.known = updates

    def updates(self, after, count, block_ms=0):
        return [u for u in self.known if int(u.id[:-2]) > int(after.partition("-")[0])][:count]


def test_a_watch_counts_only_what_comes_after_it_began_and_reads_to_the_end():
    stream = Stream([update(1, received_at=1)])
    watch = UpdateWatcher(stream)
    stream.known += [
        update(105, received_at=100),
        update(110),
        update(120, received_at=130),
        update(125, kind="alert", title="x"),
    ]
    watch.start()
    watch.stop()

    assert watch.latencies == {5: 1, 0: 1}
    assert watch.seen == 4
    assert [alert.title for alert in watch.alerts] == ["x"]


def test_time_never_goes_back_and_the_operator_is_told():
    assert plan_simulation(3 * DAY + 5, None) == SimulationPlan(3 * DAY, 3 * DAY)
    assert plan_simulation(3 * DAY, 2 * DAY) == SimulationPlan(3 * DAY, 3 * DAY)
    later = plan_simulation(3 * DAY, 5 * DAY + 7)
    assert (later.start, later.begin) == (5 * DAY, 5 * DAY + 7)
    assert "time never goes back" in later.note
    assert plan_simulation(3 * DAY, 5 * DAY + 7, same_company=True).start == 3 * DAY


def test_a_start_is_a_date_or_a_time():
    assert parse_start("1970-01-02") == DAY
    assert parse_start("1970-01-02T01:00+01:00") == DAY
    for wrong in ("soon", "1960-01-01"):
        with pytest.raises(ConfigError, match="--start"):
            parse_start(wrong)


def test_a_demo_goes_on_with_its_company_and_refuses_another(tmp_path):
    assert demo_company(tmp_path, DemoCompany(7, 200, 5)) == DemoCompany(7, 200, 5)
    assert demo_company(tmp_path, DemoCompany(7, 200, 99)) == DemoCompany(7, 200, 5)
    with pytest.raises(ConfigError, match=r"--seed 7 --accounts 200: .* --fresh"):
        demo_company(tmp_path, DemoCompany(8, 200, 5))
    (tmp_path / "company.json").write_text("{")
    with pytest.raises(ConfigError, match="--fresh"):
        demo_company(tmp_path, DemoCompany(7, 200, 5))


def test_fresh_removes_only_what_demos_leave_and_never_under_a_running_one(tmp_path):
    (tmp_path / "kafka" / "logs").mkdir(parents=True)
    (tmp_path / "company.json").write_text("{}")
    (tmp_path / "thesis.txt").write_text("mine")
    running = DataDir(tmp_path)
    running.lock()
    with pytest.raises(EmbeddedError):
        clear_demo_data(tmp_path)
    running.unlock()
    clear_demo_data(tmp_path)

    assert (tmp_path / "thesis.txt").exists()
    assert not (tmp_path / "kafka").exists()
    assert not (tmp_path / "company.json").exists()


def test_a_demo_s_settings_keep_the_rest_and_own_the_time(tmp_path):
    settings = demo_settings(Settings(), tmp_path)

    assert settings.data == tmp_path
    assert settings.journal.clock == "simulated"
    assert settings.journal.future_minutes == 2_880
    assert settings.journal.horizon_days == Settings().journal.horizon_days
    assert settings.gateway.tenants == Settings().gateway.tenants


def test_an_explanation_shows_everything_and_sums_to_the_score():
    history = [
        HistoryEntry(as_of=2, version=2, score=31.5, band="at_risk"),
        HistoryEntry(as_of=1, version=1, score=100, band="healthy"),
    ]
    said = shown(explained(Explanation(HEALTH, [ALERT], history), 1_060_000))

    for fact in (
        "Amber [Mill]",
        "31.5 of 100, at risk",
        "-8.5 since yesterday  █▃",
        "80% of the weights",
        "usage.drop",
        "not known",
        "cap cancel",
        "until 1970-01-06",
        "-16.5",
        "default 1",
        "1 minute ago",
        "partition 2, batch 17",
        "Cancellation scheduled",
        "Call them today",
        "Ines is on it",
        "open for 2 minutes",
    ):
        assert fact in said, fact


def test_an_explanation_for_programs_is_the_record_and_more():
    said = as_data(Explanation(HEALTH, [ALERT], []), 1_060_000)

    assert said["score"] == 31.5
    assert said["measures"][0]["name"] == "usage.drop"
    assert said["alerts"][0]["alert_id"] == "a1"
    assert said["history"] == []


def test_an_account_without_alerts_says_so():
    calm = msgspec.structs.replace(HEALTH, open_alerts=[], arr_minor=None, reasons=[])

    assert "No alert is open." in shown(explained(Explanation(calm, [], []), 1_000_000))


CONSOLE = "http://127.0.0.1:8090/sign-in?link=" + "x" * 32


def test_the_demo_s_commands_can_be_pasted_as_they_stand() -> None:
    hint = _hint(
        Addresses(Connection("127.0.0.1:9092"), {}, "http://127.0.0.1:8080", {}), "demo-write-key", CONSOLE
    )
    console = Console(width=80, height=40, record=True, file=io.StringIO())

    console.print(render_screen(moment(), hint, 40))

    assert max(map(len, hint.splitlines())) <= 100
    screen = [line.rstrip() for line in console.export_text().splitlines()]
    for line in hint.splitlines():
        if line.startswith("  "):
            assert line in screen
