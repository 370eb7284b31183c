"""Models change by entries of the journal: without a restart, without a burst of alerts, for each tenant."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from processors.fold.models_in_force import RESCORE_SPREAD, Models
from processors.model import DEFAULT, load_model
from schemas.identity.keys import ALL_TENANTS
from schemas.records import AccountProfile, BillingEvent, JournalBatch, ModelChange, UsageEvent
from schemas.times import DAY, HOUR
from tests.support.generators import batch
from tests.support.recorded_partition import KIND, STRICT, RecordedPartition

MINUTE = 60_000
START = 20_000 * DAY + 12 * HOUR
_ids = itertools.count()


def change(text: str | None, at: int, **fields: Any) -> ModelChange:
    basics = {
        "event_id": f"m{next(_ids)}",
        "tenant": "acme",
        "account_id": "*",
        "source": "test",
        "occurred_at": at,
        "received_at": at,
        "author": "kim",
    }
    return ModelChange(**(basics | {"text": text} | fields))


class Company:
    """Accounts in daily use, as long as wanted; every batch is the next one."""

    def __init__(self, tenants: tuple[str, ...] = ("acme",), accounts: int = 20) -> None:
        self.partition = RecordedPartition()
        self.now = START
        self.who = [(tenant, f"a{n}") for tenant in tenants for n in range(accounts)]
        seats = [self.event(AccountProfile, *who, seats=3, segment="smb") for who in self.who]
        paid = [
            self.event(BillingEvent, *who, kind="subscription_started", subscription_id="s")
            for who in self.who
        ]
        self.write(batch(0, self.now, [*seats, *paid]))

    def event(self, type_: type, tenant: str, account: str, **fields: Any) -> Any:
        return type_(
            event_id=f"e{next(_ids)}",
            tenant=tenant,
            account_id=account,
            source="test",
            occurred_at=self.now,
            received_at=self.now,
            **fields,
        )

    def write(self, *batches: JournalBatch) -> None:
        self.partition.add(*batches)

    def later(self, ms: int, *happened: Any, models: list[ModelChange] | None = None) -> None:
        self.now += ms
        one = batch(self.partition.position.sequence + 1, self.now, list(happened))
        if models:
            one = JournalBatch(sequence=one.sequence, written_at=self.now, models=models)
        self.write(one)

    def days(self, number: int) -> None:
        for _ in range(number):
            self.now += DAY
            used = [
                self.event(UsageEvent, *who, name="did", user_id=f"u{n}", feature=f"f{n}")
                for who in self.who
                for n in range(6)
            ]
            self.write(batch(self.partition.position.sequence + 1, self.now, used))
        self.later(MINUTE)  # then no account waits to publish its KPIs


def test_a_change_takes_effect_for_every_account_within_its_spread_and_alerts_nobody() -> None:
    company = Company()
    company.days(40)
    assert {one.band for one in company.partition.health[-20:]} == {"healthy"}
    company.later(HOUR, models=[change(STRICT, company.now)])
    before = len(company.partition.health)
    company.later(RESCORE_SPREAD)
    anew = company.partition.health[before:]
    assert sorted(one.account_id for one in anew) == sorted(account for _, account in company.who)
    assert {(one.model, one.model_version, one.band) for one in anew} == {
        ("strict", load_model(STRICT).version, "critical")
    }
    assert company.partition.alerts == []
    assert all(one.open_alerts == [] for one in anew)


def test_the_accounts_are_not_scored_all_at_once() -> None:
    company = Company()
    company.days(3)
    company.later(HOUR, models=[change(STRICT, company.now)])
    sizes = []
    for _ in range(6):
        before = len(company.partition.health)
        company.later(RESCORE_SPREAD // 6 + 1)
        sizes.append(len(company.partition.health) - before)
    assert sum(sizes) == 20
    assert max(sizes) < 15


def test_what_a_change_muted_is_told_once_it_gets_worse() -> None:
    company = Company(accounts=1)
    company.days(40)
    company.later(HOUR, models=[change(STRICT.replace("[7, 20]", "[7, 45]"), company.now)])
    company.later(RESCORE_SPREAD)
    assert company.partition.newest("a0").band == "at_risk"
    assert company.partition.alerts == []
    company.later(5 * DAY)
    health = [alert for alert in company.partition.alerts if alert.rule == "health"]
    assert [(one.change, one.severity) for one in health] == [("opened", "critical")]


def test_what_a_change_muted_ends_unheard() -> None:
    company = Company(accounts=1)
    company.days(40)
    company.later(HOUR, models=[change(STRICT, company.now)])
    company.later(RESCORE_SPREAD)
    company.later(HOUR, models=[change(KIND, company.now)])
    company.later(RESCORE_SPREAD)
    assert company.partition.newest("a0").band == "healthy"
    assert company.partition.alerts == []


def test_an_open_alert_is_resolved_where_the_new_model_says_all_is_well() -> None:
    company = Company(accounts=1)
    company.later(HOUR, models=[change(KIND, company.now)])
    company.days(40)
    company.later(20 * DAY)
    assert [one.change for one in company.partition.alerts if one.rule == "health"] == ["opened"]
    calm = STRICT.replace("[[0, 0], [7, 20]]", "[[0, 90], [7, 90]]")
    company.later(HOUR, models=[change(calm, company.now)])
    company.later(RESCORE_SPREAD)
    assert [one.change for one in company.partition.alerts if one.rule == "health"] == ["opened", "resolved"]


def test_tenants_have_their_own() -> None:
    company = Company(("acme", "globex"), 3)
    company.days(30)
    company.later(
        HOUR,
        models=[
            change(KIND, company.now, tenant=ALL_TENANTS),
            change(STRICT, company.now, tenant="globex"),
        ],
    )
    company.later(RESCORE_SPREAD)
    assert {(one.tenant, one.model) for one in company.partition.health[-6:]} == {
        ("acme", "kind"),
        ("globex", "strict"),
    }


def test_models_stand_side_by_side_for_the_accounts_they_apply_to() -> None:
    company = Company(accounts=2)
    company.days(5)
    company.later(1, company.event(AccountProfile, "acme", "a1", segment="enterprise"))
    special = STRICT + "applies: {when: account.segment == 'enterprise', priority: 5}\n"
    company.later(HOUR, models=[change(special, company.now), change(KIND, company.now)])
    company.later(RESCORE_SPREAD)
    assert company.partition.newest("a0").model == "kind"
    assert company.partition.newest("a1").model == "strict"


def test_a_shadow_model_scores_for_comparison_and_changes_nothing_else() -> None:
    with_it, without = Company(accounts=2), Company(accounts=2)
    for company in (with_it, without):
        company.days(30)
    with_it.later(HOUR, models=[change(STRICT, with_it.now, role="beside")])
    without.later(HOUR)
    for company in (with_it, without):
        company.days(1)
    one, other = with_it.partition.newest("a0"), without.partition.newest("a0")
    assert [(x.model, x.band, x.score) for x in one.beside] == [("strict", "critical", 20.0)]
    assert (one.score, one.band, one.model) == (other.score, other.band, DEFAULT.name)
    assert other.beside == []


def test_a_withdrawn_model_leaves_what_was_before() -> None:
    company = Company(accounts=1)
    company.days(30)
    before = company.partition.newest("a0")
    company.later(HOUR, models=[change(STRICT, company.now)])
    company.later(RESCORE_SPREAD)
    company.later(HOUR, models=[change(None, company.now, name="strict")])
    company.later(RESCORE_SPREAD)
    after = company.partition.newest("a0")
    assert (after.model, after.score) == (before.model, before.score)


def test_the_newest_change_counts_whatever_the_order_it_is_heard_in() -> None:
    first, second = change(STRICT, 1), change(STRICT.replace("version: 3", "version: 4"), 2)
    one = Models(DEFAULT).with_changes([first, second], 10, 1)
    other = Models(DEFAULT).with_changes([second], 10, 1).with_changes([first], 11, 2)
    texts = [{key: entry.text for key, entry in models.entries.items()} for models in (one, other)]
    assert texts[0] == texts[1]
    assert one.with_changes([second, first], 12, 3) is one


@pytest.mark.parametrize("text", ["", "model: [", "model: x\nversion: 1\n"])
def test_a_text_that_is_no_model_changes_nothing(text: str) -> None:
    models = Models(DEFAULT)
    assert models.with_changes([change(text, 1)], 10, 1) is models
