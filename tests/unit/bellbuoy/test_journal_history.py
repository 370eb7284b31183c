"""A live journal as a history: who left when, and the days that a backtest folds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from bellbuoy.backtest.fold import journal_batch
from bellbuoy.backtest.journal_history import JournalHistory
from bellbuoy.cli.app import app
from bellbuoy.errors import ConfigError
from bellbuoy.importing.churn import read_churn_dates
from bellbuoy.importing.errors import ImportFileError
from bellbuoy.importing.events import Churn
from bellbuoy.simulator.worlds.world import World, load_world
from schemas.codec.registry import committed
from schemas.inputs import batch_lists
from schemas.records import (
    AccountLink,
    AccountOverride,
    AccountProfile,
    BillingEvent,
    JournalBatch,
    UsageCell,
)
from schemas.times import DAY, HOUR

FIRST = 20_000
WHO = ("gone", "back", "calm")


def event(type_: Any, account: str, at: int, **fields: Any) -> Any:
    return type_(
        event_id=f"{account}-{at}", tenant="t", account_id=account, source="s", occurred_at=at,
        received_at=at, **fields,
    )  # fmt: skip


def usage(account: str, day: int) -> UsageCell:
    at = day * DAY
    return UsageCell(
        tenant="t", account_id=account, day=day, events=3, errors=0, duration_ms=0, latency_ms=0, latencies=0,
        users=b"abcd", features=["f"], first_at=at, last_at=at, received_at=at,
    )  # fmt: skip


def batch(number: int, at: int, *events: Any, cells: list[UsageCell] | None = None) -> JournalBatch:
    return JournalBatch(sequence=number, written_at=at, usage=cells or [], **batch_lists(events))


def billing(account: str, at: int, kind: str, **fields: Any) -> Any:
    return event(BillingEvent, account, at, kind=kind, subscription_id="s", **fields)


def days(*numbers: int) -> list[int]:
    return [(FIRST + number) * DAY + HOUR for number in numbers]


def history(batches: list[JournalBatch], churn: Any = None) -> JournalHistory:
    return JournalHistory(lambda: iter(batches), churn)


def story() -> list[JournalBatch]:
    """
    Three customers, and the day after: gone leaves, back comes back, calm stays.

    day    0         5                 10               12               20
    gone   starts    means to cancel   canceled
    back   starts                      canceled         starts again
    calm   starts                                                        uses it
    """
    d0, d5, d10, d12, d20 = days(0, 5, 10, 12, 20)
    start = {"status": "active", "mrr_minor": 100, "currency": "EUR"}
    return [
        batch(7, d0, *(billing(who, d0, "subscription_started", **start) for who in WHO)),
        batch(
            8, d0 + 1, event(AccountProfile, "calm", d0, segment="smb", arr_minor=5),
            event(AccountOverride, "calm", d0, author="kim", target="score", value=3.0, reason="no"),
            cells=[usage("calm", FIRST), usage("~user:x", FIRST)],
        ),
        batch(9, d5, billing("gone", d5, "cancel_scheduled", cancel_at=d10)),
        batch(10, d10, *(billing(who, d10, "subscription_canceled", status="canceled") for who in WHO[:2])),
        batch(11, d12, billing("back", d12, "subscription_started", **start)),
        batch(12, d20, cells=[usage("calm", FIRST + 20)]),
    ]  # fmt: skip


def test_a_customer_leaves_on_the_day_on_which_it_is_none_any_more() -> None:
    found = history(story())
    fates = {fate.account_id: fate for fate in found.fates}
    assert sorted(fates) == ["back", "calm", "gone"]
    assert (fates["gone"].churned_at, fates["gone"].notice_at) == (
        (FIRST + 11) * DAY - 1, (FIRST + 6) * DAY - 1,
    )  # fmt: skip
    assert (fates["back"].churned_at, fates["back"].notice_at) == (None, None)
    assert (fates["calm"].churned_at, fates["calm"].segment, fates["calm"].arr_minor) == (None, "smb", 5)
    assert found.start == FIRST * DAY


def test_the_last_day_is_left_out_and_days_without_events_are_there() -> None:
    found = history(story())
    assert found.days == 20
    read = list(found.days_of_events())
    assert [day.number for day in read] == list(range(20))
    assert [day.at for day in read] == [(FIRST + day + 1) * DAY for day in range(20)]
    assert [bool(day.cells or day.events) for day in read] == [day in (0, 5, 10, 12) for day in range(20)]


def test_what_people_did_with_scores_is_not_seen() -> None:
    first = next(iter(history(story()).days_of_events()))
    assert not any(isinstance(each, AccountOverride) for each in first.events)
    assert len(first.cells) == 2


def test_given_dates_take_the_place_of_cancellations() -> None:
    at = (FIRST + 3) * DAY
    given = {("t", "calm"): Churn("calm", at, arr_minor=9), ("t", "stranger"): Churn("stranger", at)}
    found = history(story(), given)
    fates = {fate.account_id: fate for fate in found.fates}
    assert (fates["calm"].churned_at, fates["calm"].arr_minor) == (at, 9)
    assert fates["gone"].churned_at is None
    assert found.unknown == ["stranger"]


def test_an_account_that_is_merged_into_another_is_observed_no_longer_and_did_not_leave() -> None:
    link = event(AccountLink, "gone", days(12)[0], into="calm")
    fates = {
        fate.account_id: fate
        for fate in history([*story()[:5], batch(12, days(12)[0] + 1, link), story()[5]]).fates
    }
    assert fates["gone"].churned_at is None
    assert fates["gone"].notice_at is not None


def test_an_empty_journal_is_refused() -> None:
    with pytest.raises(ConfigError, match="the journal is empty"):
        history([])


def test_a_journal_of_a_world_tells_its_churners(tmp_path: Path) -> None:
    """The journal's cancellations are the world's truth, and its days are those of the world."""
    world = load_world("selfserve", seed=4, accounts=40, days=120)
    found = history(
        [msgspec.structs.replace(journal_batch(day), written_at=day.at - HOUR) for day in _days(world)]
    )
    truth = {fate.account_id: fate for fate in world.fates}
    left = {fate.account_id: fate.churned_at for fate in found.fates if fate.churned_at is not None}
    until = found.start + found.days * DAY
    gone = {
        name for name, fate in truth.items() if fate.churned_at is not None and fate.churned_at < until - DAY
    }
    assert gone
    assert gone <= left.keys()
    for name, at in left.items():
        assert at is not None
        assert abs(at - (truth[name].churned_at or 0)) <= 2 * DAY
    for ours, theirs in zip(found.days_of_events(), _days(world), strict=False):
        assert ours.cells == theirs.cells
        assert len(ours.events) == len(theirs.events)


def _days(world: World) -> Iterator[Any]:
    return world.days_of_events()


def test_churn_dates_are_read_from_a_plain_file(tmp_path: Path) -> None:
    path = tmp_path / "churn.csv"
    path.write_text("account_id,churned_at,why\na,1970-01-02,price\nb,1970-01-03,\n")
    found = read_churn_dates(path, "t", committed(), DAY * 10)
    assert {account: churn.churned_at for (_, account), churn in found.items()} == {"a": DAY, "b": 2 * DAY}


def test_every_bad_row_of_churn_dates_is_named() -> None:
    path = Path("missing.csv")
    with pytest.raises(ImportFileError, match="can't be read"):
        read_churn_dates(path, "t", committed(), 0)


def test_a_bad_date_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "churn.csv"
    path.write_text("account_id,churned_at\na,soon\nb,\n")
    with pytest.raises(ImportFileError) as caught:
        read_churn_dates(path, "t", committed(), 0)
    assert f"{path}:2" in str(caught.value)
    assert f"{path}:3" in str(caught.value)
    path.write_text("id,when\n")
    with pytest.raises(ImportFileError, match="no column account_id or churned_at"):
        read_churn_dates(path, "t", committed(), 0)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "--journal"),
        (["saas", "--journal"], "name worlds, or give"),
        (["--from", "x.csv"], "belong together"),
        (["saas", "--tenant", "t"], "belong to --journal"),
        (["--journal", "--churn", "x.csv"], "--churn needs --tenant"),
        (["saas", "--seeds", "21,x"], "'x' is no seed"),
    ],
)
@pytest.mark.parametrize("command", ["backtest", "calibrate"])
def test_a_contradictory_command_line_says_what_belongs_together(
    command: str, args: list[str], words: str
) -> None:
    ran = CliRunner().invoke(app, [command, *args])
    assert ran.exit_code == 2
    assert words in " ".join(ran.output.replace("\u2502", " ").split())
