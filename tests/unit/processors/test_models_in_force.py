"""Models change by entries of the journal: without a restart, without a burst of alerts, for each tenant."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from processors.fold.models_in_force import RESCORE_SPREAD, Models
from processors.model import DEFAULT, load_model
from schemas.identity.keys import ALL_TENANTS
from schemas.records import AccountProfile, BillingEvent, ModelChange, UsageEvent
from schemas.times import DAY, HOUR, MINUTE
from tests.support.account_story import AccountStory
from tests.support.recorded_partition import KIND, STRICT

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


class Company(AccountStory):
    """Accounts in daily use, for as many days as a test wants."""

    def __init__(self, tenants: tuple[str, ...] = ("acme",), accounts: int = 20) -> None:
        super().__init__(START)
        self.accounts = [(f"a{n}", tenant) for tenant in tenants for n in range(accounts)]
        seats = [self.event(AccountProfile, *each, seats=3, segment="smb") for each in self.accounts]
        paid = [
            self.event(BillingEvent, *each, kind="subscription_started", subscription_id="s")
            for each in self.accounts
        ]
        self.at(self.now, *seats, *paid)

    def days(self, number: int) -> None:
        for _ in range(number):
            self.now += DAY
            used = [
                self.event(UsageEvent, *each, name="did", user_id=f"u{n}", feature=f"f{n}")
                for each in self.accounts
                for n in range(6)
            ]
            self.at(self.now, *used)
        self.after(MINUTE)  # then no account waits to publish its KPIs


def test_a_change_takes_effect_for_every_account_within_its_spread_and_alerts_nobody() -> None:
    company = Company()
    company.days(40)
    assert {one.band for one in company.partition.health[-20:]} == {"healthy"}
    company.after(HOUR, models=[change(STRICT, company.now)])
    before = len(company.partition.health)
    company.after(RESCORE_SPREAD)
    anew = company.partition.health[before:]
    assert sorted(one.account_id for one in anew) == sorted(account for account, _ in company.accounts)
    assert {(one.model, one.model_version, one.band) for one in anew} == {
        ("strict", load_model(STRICT).version, "critical")
    }
    assert company.alerts == []
    assert all(one.open_alerts == [] for one in anew)


def test_the_accounts_are_not_scored_all_at_once() -> None:
    company = Company()
    company.days(3)
    company.after(HOUR, models=[change(STRICT, company.now)])
    sizes = []
    for _ in range(6):
        before = len(company.partition.health)
        company.after(RESCORE_SPREAD // 6 + 1)
        sizes.append(len(company.partition.health) - before)
    assert sum(sizes) == 20
    assert max(sizes) < 15


def test_what_a_change_muted_is_told_once_it_gets_worse() -> None:
    """
    An alert that only the change of models would open is muted; it opens when the account gets worse.

        day      0 ... 39   40 and an hour    +1 minute   +5 days
        model    default    strict
        band     healthy                      at_risk     critical
        alert                                 none        opened, critical
    """
    company = Company(accounts=1)
    company.days(40)
    company.after(HOUR, models=[change(STRICT.replace("[7, 20]", "[7, 45]"), company.now)])
    company.after(RESCORE_SPREAD)
    assert company.partition.newest("a0").band == "at_risk"
    assert company.alerts == []
    company.after(5 * DAY)
    health = [alert for alert in company.alerts if alert.rule == "health"]
    assert [(one.change, one.severity) for one in health] == [("opened", "critical")]


def test_what_a_change_muted_ends_unheard() -> None:
    company = Company(accounts=1)
    company.days(40)
    company.after(HOUR, models=[change(STRICT, company.now)])
    company.after(RESCORE_SPREAD)
    company.after(HOUR, models=[change(KIND, company.now)])
    company.after(RESCORE_SPREAD)
    assert company.partition.newest("a0").band == "healthy"
    assert company.alerts == []


def test_an_open_alert_is_resolved_where_the_new_model_says_all_is_well() -> None:
    """
    An alert that one model opened ends with the model under which its cause is gone.

        day      0      1 ... 40   47         51 and an hour
        model    kind                         calm
        usage           x x x x    a week without
        alert                      opened     resolved
    """
    company = Company(accounts=1)
    company.after(HOUR, models=[change(KIND, company.now)])
    company.days(40)
    company.after(6 * DAY + 14 * HOUR)
    assert [one.change for one in company.alerts if one.rule == "health"] == ["opened"]
    calm = STRICT.replace("[[0, 0], [7, 20]]", "[[0, 90], [7, 90]]")
    company.after(HOUR, models=[change(calm, company.now)])
    company.after(RESCORE_SPREAD)
    company.after(3 * DAY)  # an alert on the band ends once it has been well for three days
    assert [one.change for one in company.alerts if one.rule == "health"] == ["opened", "resolved"]


def test_tenants_have_their_own() -> None:
    company = Company(("acme", "globex"), 3)
    company.days(30)
    company.after(
        HOUR,
        models=[
            change(KIND, company.now, tenant=ALL_TENANTS),
            change(STRICT, company.now, tenant="globex"),
        ],
    )
    company.after(RESCORE_SPREAD)
    assert {(one.tenant, one.model) for one in company.partition.health[-6:]} == {
        ("acme", "kind"),
        ("globex", "strict"),
    }


def test_models_stand_side_by_side_for_the_accounts_they_apply_to() -> None:
    company = Company(accounts=2)
    company.days(5)
    company.after(1, company.event(AccountProfile, "a1", segment="enterprise"))
    special = STRICT + "applies: {when: account.segment == 'enterprise', priority: 5}\n"
    company.after(HOUR, models=[change(special, company.now), change(KIND, company.now)])
    company.after(RESCORE_SPREAD)
    assert company.partition.newest("a0").model == "kind"
    assert company.partition.newest("a1").model == "strict"


def test_a_shadow_model_scores_for_comparison_and_changes_nothing_else() -> None:
    with_it, without = Company(accounts=2), Company(accounts=2)
    for company in (with_it, without):
        company.days(30)
    with_it.after(HOUR, models=[change(STRICT, with_it.now, role="beside")])
    without.after(HOUR)
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
    company.after(HOUR, models=[change(STRICT, company.now)])
    company.after(RESCORE_SPREAD)
    company.after(HOUR, models=[change(None, company.now, name="strict")])
    company.after(RESCORE_SPREAD)
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
