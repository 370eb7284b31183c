"""Whoever acts on an alert is told whose act, as the alert shows it, the new one takes the place of."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from typer.testing import CliRunner

from bellbuoy.cli.alerting.alerts import alerts
from bellbuoy.cli.customers.override import override
from schemas.records import AccountOverride, AlertAction, Override
from schemas.times import DAY
from tests.support.output_records import AT, alert, health

SHOWN = {
    "acknowledged_by": "ann",
    "acknowledged_at": AT,
    "assignee": "Cleo",
    "snoozed_until": AT + 3 * DAY,
    "note": "I call them",
}

SET = Override(target="score", value=80.0, reason="Plant holidays", author="ann", since=AT - 2 * DAY)
OVER = Override(target="score", value=80.0, reason="Strike", author="ann", since=AT - 2 * DAY, until=AT - DAY)


@pytest.mark.parametrize(
    ("arguments", "shown", "before"),
    [
        ("acknowledge a1", SHOWN, ["before: ann was on it since 2"]),
        ("acknowledge a1 --author ann", SHOWN, []),
        ("acknowledge a1", {}, []),
        ("acknowledge a1 --note Mine", {"note": "I call them"}, ["note before: I call them"]),
        ("assign a1 --to Dan", SHOWN, ["before: assigned to Cleo"]),
        ("assign a1 --to Cleo", SHOWN, []),
        ("snooze a1 --until 7d", SHOWN, ["before: snoozed until 2"]),
        ("resolve a1 --note Done", SHOWN, ["note before: I call them"]),
    ],
)
def test_what_an_act_takes_the_place_of_is_said(
    arguments: str, shown: dict[str, Any], before: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def written(_: object, on: Any, kind: str, **said: Any) -> AlertAction:
        about = {"event_id": "e", "tenant": on.tenant, "account_id": on.account_id, "source": "t"}
        said = {name: value for name, value in said.items() if value is not None}
        return AlertAction(**about, occurred_at=AT, received_at=AT, alert_id=on.alert_id, kind=kind, **said)

    acts = "bellbuoy.operations.acts.alerts"
    monkeypatch.setattr(f"{acts}.find_alert", lambda *_: alert("a1", **shown))
    monkeypatch.setattr(f"{acts}.write_alert_action", written)
    monkeypatch.setattr("bellbuoy.operations.delivery.sinks.serving_reader", nullcontext)
    monkeypatch.setattr("bellbuoy.operations.kafka.topics.require_topics", lambda _: None)
    monkeypatch.setattr("bellbuoy.operations.kafka.journal_time.journal_time", lambda _: AT)

    done = CliRunner().invoke(alerts, arguments.split())

    assert done.exit_code == 0, done.output
    said = [line.strip() for line in done.stdout.splitlines()[1:]]
    assert [one.startswith(words) for one, words in zip(said, before, strict=True)] == [True] * len(before)


@pytest.mark.parametrize(
    ("arguments", "overrides", "before"),
    [
        ("set acme 35 --reason Leaving", [], []),
        (
            "set acme 35 --reason Leaving",
            [SET],
            ["before: 80 by ann since 2025-06-13T15:06:40.000Z: Plant holidays"],
        ),
        ("set acme 35 --reason Leaving --target usage.drop", [SET], []),
        ("set acme 35 --reason Leaving", [OVER], []),
        ("withdraw acme", [SET], ["before: 80 by ann since 2025-06-13T15:06:40.000Z: Plant holidays"]),
        ("withdraw acme", [], ["before: the account showed no override of it"]),
    ],
)
def test_which_override_a_new_one_takes_the_place_of_is_said(
    arguments: str, overrides: list[Override], before: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = "bellbuoy.operations"
    monkeypatch.setattr(
        "bellbuoy.cli.customers.override.require_known_account", lambda *_: health(overrides=overrides)
    )
    written = AccountOverride(
        event_id="e", tenant="demo", account_id="acme", source="t", occurred_at=AT, received_at=AT,
        target="score", value=35.0, reason="Leaving", author="kim",
    )  # fmt: skip
    monkeypatch.setattr(f"{operations}.changes.overrides.write_override", lambda *_, **__: written)
    monkeypatch.setattr(f"{operations}.kafka.topics.require_topics", lambda _: None)

    done = CliRunner().invoke(override, arguments.split())

    assert done.exit_code == 0, done.output
    assert [line.strip() for line in done.stdout.splitlines()[1:]] == before
