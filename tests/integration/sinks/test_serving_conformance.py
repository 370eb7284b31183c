"""What every serving sink promises beside what every sink does: that it can be read (sinks/serving.py)."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.times import DAY
from sinks.memory import MemorySink
from sinks.port import Output, Sink
from sinks.redis.reader import RedisReader
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from sinks.serving import Reader, summary
from tests.support.output_records import AT, alert, health, kpis, story

Open = Callable[[], tuple[Sink, Reader]]


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.services)])
def fresh(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Open sinks that are empty and know nothing of each other."""
    opened: list[Any] = []

    def memory() -> tuple[Sink, Reader]:
        sink = MemorySink()
        return sink, sink

    def redis() -> tuple[Sink, Reader]:
        settings = RedisSettings(url=request.getfixturevalue("redis_url"), prefix=f"t{uuid.uuid4().hex[:8]}")
        sink, reader = RedisSink(settings), RedisReader(settings)
        opened.extend([sink, reader])
        return sink, reader

    def make() -> tuple[Sink, Reader]:
        sink, reader = memory() if request.param == "memory" else redis()
        sink.open()
        return sink, reader

    yield make
    for one in opened:
        one.close()


def content(reader: Reader) -> dict[str, Any]:
    """Everything readable except the update stream, whose ids are the destination's clock."""
    accounts = [f"a{i}" for i in range(6)] + ["acme"]
    return {
        "accounts": [reader.account("demo", a) for a in accounts],
        "history": [reader.history("demo", a, 1000) for a in accounts],
        "riskiest": reader.riskiest("demo", 100),
        "owners": [reader.riskiest("demo", 100, owner=owner) for owner in ("ann", "ben")],
        "unknown": reader.unknown("demo"),
        "summaries": sorted(reader.accounts("demo"), key=lambda a: a.account_id),
        "open": reader.open_alerts("demo", 100),
        "alerts": [reader.alert(f"al{i}") for i in range(3)],
    }


def test_what_was_written_is_read(fresh: Open) -> None:
    sink, reader = fresh()

    sink.write([health(), kpis("acme", {"usage.depth": 3.0}), alert()])

    assert reader.account("demo", "acme") == health()
    assert reader.kpis("demo", "acme") == kpis("acme", {"usage.depth": 3.0})
    assert reader.alert("a1") == alert()
    assert reader.open_alerts("demo", 10) == [alert()]
    assert [(u.kind, u.account_id, u.version) for u in reader.updates("0", 10)] == [
        ("health", "acme", 1),
        ("alert", "acme", 1),
    ]


def test_all_accounts_of_a_tenant_are_summed_up_once(fresh: Open) -> None:
    sink, reader = fresh()
    many = [health(f"a{n:04}", 1, float(n % 100), band="unknown" if n % 3 else "watch") for n in range(1_400)]
    bare = {"name": None, "owner": None, "segment": None, "arr_minor": None, "currency": None}
    some = [health("null", 1, **bare), health("zürich:1", 1, parent_id="group:a", previous_score=12.25)]

    for start in range(0, len(many), 500):
        sink.write(many[start : start + 500])
    sink.write([*some, health("other", tenant="acme")])

    found = {one.account_id: one for one in reader.accounts("demo")}
    assert found == {one.account_id: summary(one) for one in (*many, *some)}
    assert len(list(reader.accounts("demo"))) == len(found)


def test_some_accounts_are_summed_up_with_what_a_list_shows(fresh: Open) -> None:
    sink, reader = fresh()
    silent = health("a", 1, silent_sources=["usage.events"], reasons=["One", "Two"], coverage=0.65)
    merged = health("gone", 2, band="unknown", merged_into="a")
    sink.write([silent, kpis("a", {"billing.renewal": 12.0, "revenue.before": 5.0}, 3), health("b"), merged])
    sink.write([health("a", 4, 20.0, silent_sources=["usage.events"], reasons=["One", "Two"], coverage=0.65)])
    sink.write([health("c", involuntary_score=41.5, involuntary_reasons=["Two payments failed"])])
    (unpaid,) = reader.summaries("demo", ["c"])
    assert (unpaid.involuntary_score, unpaid.involuntary_reasons) == (41.5, ["Two payments failed"])

    first, second = reader.summaries("demo", ["b", "gone", "nobody", "a"])

    assert (first.account_id, first.renewal_at, first.silent_sources) == ("b", None, [])
    assert (second.account_id, second.reasons, second.coverage) == ("a", ["One", "Two"], 0.65)
    assert (second.score, second.silent_sources) == (20.0, ["usage.events"])
    assert second.renewal_at == (AT // DAY + 12) * DAY
    assert reader.histories("demo", ["a", "nobody", "b"], 9) == [
        reader.history("demo", "a", 9),
        [],
        reader.history("demo", "b", 9),
    ]
    assert [entry.score for entry in reader.history("demo", "a", 9)] == [20.0, 50.0]
    assert reader.updates(reader.newest_update(), 9) == []


def test_nothing_there_is_no_error(fresh: Open) -> None:
    sink, reader = fresh()

    sink.write([])

    assert reader.account("demo", "acme") is None
    assert reader.kpis("demo", "acme") is None
    assert reader.alert("a1") is None
    assert reader.riskiest("demo", 5) == []
    assert reader.riskiest("demo", 0) == []
    assert list(reader.accounts("demo")) == []
    assert reader.open_alerts("demo", 5) == []
    assert reader.history("demo", "acme", 5) == []
    assert reader.newest_update() == "0"
    assert reader.summaries("demo", []) == reader.histories("demo", [], 5) == []
    assert reader.updates("0", 5) == []
    assert reader.updates("$", 5, block_ms=20) == []
    assert reader.find("demo", "acme") == []


def test_redelivery_changes_nothing(fresh: Open) -> None:
    sink, reader = fresh()
    sink.write(story())
    once, updates = content(reader), reader.updates("0", 1000)

    sink.write(story())
    sink.write(story()[100:200])

    assert content(reader) == once
    assert reader.updates("0", 1000) == updates


def test_batching_changes_nothing(fresh: Open) -> None:
    (whole, read_whole), (parts, read_parts) = fresh(), fresh()

    whole.write(story())
    for record in story():
        parts.write([record])

    assert content(read_parts) == content(read_whole)
    assert [u.version for u in read_parts.updates("0", 1000)] == [
        u.version for u in read_whole.updates("0", 1000)
    ]


def test_the_newest_wins_in_any_order(fresh: Open) -> None:
    (ordered, read_ordered), (mixed, read_mixed) = fresh(), fresh()
    shuffled = random.Random(7).sample(story(), len(story()))

    ordered.write(story())
    mixed.write(shuffled)

    left, right = content(read_ordered), content(read_mixed)
    del left["history"], right["history"]  # what came late is not a change any more
    assert right == left


def test_a_stale_version_is_ignored(fresh: Open) -> None:
    sink, reader = fresh()
    sink.write([health(sequence=5, score=20.0)])

    sink.write([health(sequence=4, score=80.0), health(sequence=5, score=81.0)])

    assert reader.account("demo", "acme") == health(sequence=5, score=20.0)
    assert len(reader.updates("0", 10)) == 1


def test_journal_time_outranks_a_sequence_that_restarted(fresh: Open) -> None:
    sink, reader = fresh()
    sink.write([health(sequence=5_000)])

    sink.write([health(sequence=1, as_of=AT + 9_000, partition=3, score=10.0)])

    found = reader.account("demo", "acme")
    assert found is not None
    assert found.score == 10.0


def test_history_holds_changes_of_score_or_band_only(fresh: Open) -> None:
    sink, reader = fresh()

    sink.write([health(sequence=1), health(sequence=2), health(sequence=3, band="at_risk")])
    sink.write([health(sequence=4, score=10.0), health(sequence=5, score=10.0, owner="ben")])

    assert [(e.as_of - AT, e.version, e.score, e.band) for e in reader.history("demo", "acme", 10)] == [
        (4, 4, 10.0, "critical"),
        (3, 3, 50.0, "at_risk"),
        (1, 1, 50.0, "watch"),
    ]


def test_ranking_is_riskiest_first_without_unknown(fresh: Open) -> None:
    sink, reader = fresh()

    sink.write([health("a", 1, 70.0), health("b", 2, 10.0), health("c", 3, 40.0), health("d", 4, 5.0)])
    sink.write([health("d", 5, 5.0, band="unknown"), health("x", 6, 1.0, tenant="other")])

    assert [a.account_id for a in reader.riskiest("demo", 2)] == ["b", "c"]
    assert [a.account_id for a in reader.riskiest("demo", 9)] == ["b", "c", "a"]
    assert reader.unknown("demo") == ["d"]
    sink.write([health("d", 7, 6.0)])
    assert [a.account_id for a in reader.riskiest("demo", 1)] == ["d"]
    assert reader.unknown("demo") == []


def test_an_account_moves_with_its_owner(fresh: Open) -> None:
    sink, reader = fresh()
    sink.write([health("a", 1, 10.0), health("b", 1, 20.0, owner="o:ben")])

    sink.write([health("a", 2, 10.0, owner="o:ben")])
    assert reader.riskiest("demo", 9, owner="ann") == []
    assert [a.account_id for a in reader.riskiest("demo", 9, owner="o:ben")] == ["a", "b"]

    sink.write([health("a", 3, 10.0, owner=None)])
    assert [a.account_id for a in reader.riskiest("demo", 9, owner="o:ben")] == ["b"]


def test_alerts_open_change_and_end(fresh: Open) -> None:
    sink, reader = fresh()
    sink.write([alert("a1", 1, opened_at=AT), alert("a2", 2, opened_at=AT + 5)])
    assert [a.alert_id for a in reader.open_alerts("demo", 9)] == ["a2", "a1"]

    sink.write([alert("a2", 3, "updated", severity="critical"), alert("a1", 4, "resolved")])
    assert [(a.alert_id, a.severity) for a in reader.open_alerts("demo", 9)] == [("a2", "critical")]
    ended = reader.alert("a1")
    assert ended is not None
    assert ended.change == "resolved"


def test_one_batch_may_open_and_end_an_alert(fresh: Open) -> None:
    sink, reader = fresh()
    both = [alert(sequence=3), alert(sequence=3, change="resolved")]

    sink.write(both)
    sink.write(both)

    assert reader.open_alerts("demo", 9) == []
    assert [u.change for u in reader.updates("0", 9)] == ["opened", "resolved"]


def test_updates_can_be_followed(fresh: Open) -> None:
    sink, reader = fresh()
    sink.write([health("a", n) for n in range(1, 11)])

    first = reader.updates("0", 4)
    rest = reader.updates(first[-1].id, 100)
    later = threading.Timer(0.1, lambda: sink.write([health("a", 11, received_at=None)]))
    later.start()
    waited = reader.updates("$", 5, block_ms=10_000)
    later.join()

    assert [u.version for u in first + rest] == list(range(1, 11))
    assert [(u.version, u.received_at) for u in waited] == [(11, None)]
    assert waited[0].written_at >= first[0].written_at > AT


def test_ids_are_found_by_what_people_type(fresh: Open) -> None:
    sink, reader = fresh()
    names = ["acme", "acme-labs", "globex", "Umbrella:EU"]
    sink.write([health(name, 1, band="unknown" if name == "globex" else "watch") for name in names])

    assert reader.find("demo", "acme") == ["acme", "acme-labs"]
    assert reader.find("demo", "LABS")[0] == "acme-labs"
    assert reader.find("demo", "glopex")[0] == "globex"
    assert reader.find("demo", "umbrella")[0] == "Umbrella:EU"
    assert reader.find("other", "acme") == []


def test_an_account_merged_into_another_is_in_no_list(fresh: Open) -> None:
    sink, reader = fresh()
    sink.write([health("old", 1, band="unknown"), health("new", 2)])
    merged = health("old", 3, 0.0, band="unknown", merged_into="new")
    sink.write([merged])

    assert reader.account("demo", "old") == merged
    assert reader.unknown("demo") == []
    assert [one.account_id for one in reader.accounts("demo")] == ["new"]
    assert [one.account_id for one in reader.riskiest("demo", 9)] == ["new"]
    assert "old" not in reader.find("demo", "old")


def test_a_deleted_account_leaves_nothing(fresh: Open) -> None:
    sink, reader = fresh()
    empty = content(reader)
    records: list[Output] = [
        health("a1", 1, 20.0),
        kpis("a1", {"revenue.before": 5.0}, 1),
        health("a1", 2, 60.0, owner="ben"),
    ]
    deletion = [
        health("a1", 3, 0.0, band="unknown", deleted=True),
        replace(kpis("a1", {}, 3), deleted=True),
    ]
    for batches in ([records, deletion], [[*records, *deletion]], [records, records, deletion, deletion]):
        for one in batches:
            sink.write(one)
        assert content(reader) == empty
        assert reader.kpis("demo", "a1") is None
    sink.write(deletion)
    assert reader.updates("0", 99)[-1].kind == "deleted"
    sink.write([health("a1", 4, 70.0)])
    assert [one.account_id for one in reader.riskiest("demo", 9)] == ["a1"]
    assert len(reader.history("demo", "a1", 9)) == 1


def test_a_deletion_that_is_older_changes_nothing(fresh: Open) -> None:
    sink, reader = fresh()
    sink.write([health("a1", 5, 20.0)])
    sink.write([health("a1", 3, 0.0, band="unknown", deleted=True)])
    assert reader.account("demo", "a1") == health("a1", 5, 20.0)


@pytest.mark.parametrize("text", ["", " ", 'quo"te', "Zoë 🚀", "a:b:c", "x" * 256])
def test_odd_text_survives(fresh: Open, text: str) -> None:
    sink, reader = fresh()
    odd = health(text or "empty", name=text, owner=text, reasons=[text, ""], segment=None)

    sink.write([odd])

    assert reader.account("demo", odd.account_id) == odd
    assert reader.riskiest("demo", 1) == [odd]
