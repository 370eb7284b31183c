"""Sources that are asked, against vendors that answer over HTTP, and fail, as they do."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pkgutil import iter_modules
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gateway.pulls
from gateway.http.errors import Fault
from gateway.http.sender import Sender
from gateway.pulls.ewebinar import source as ewebinar
from gateway.pulls.hubspot_crm import connection as hubspot_connection
from gateway.pulls.hubspot_crm import source as hubspot_crm
from gateway.pulls.pull import KIND, Cursor, Item, PullConnection, PullError, PullRefusedError, PullSource
from gateway.pulls.registry import ALL_REPAIRS, ALL_RESERVED, PULLS
from gateway.pulls.salesforce import connection as salesforce_connection
from gateway.pulls.salesforce import source as salesforce
from gateway.pulls.settings import TenantPulls
from gateway.sources.samples import Sample, load_samples
from processors.measures import MEASURES
from processors.state.account import State
from processors.view import View
from schemas.inputs import INPUT_TOPICS, input_of
from schemas.records import InputEvent
from schemas.times import DAY, HOUR, MINUTE
from tests.support.gateway_client import NOW
from tests.support.http_receiver import answer, hang, reset
from tests.support.vendor_accounts import Accounts
from tests.support.vendor_apis import EWebinarApi, HubSpotApi, SalesforceApi, VendorApi

LONG_AGO = NOW - 400 * DAY


@pytest.fixture
def hubspot() -> Iterator[HubSpotApi]:
    with HubSpotApi() as api:
        yield api


@pytest.fixture
def sales() -> Iterator[SalesforceApi]:
    with SalesforceApi() as api:
        yield api


def hubspot_pull(api: HubSpotApi, **more: Any) -> PullConnection:
    said = {"token": "t0ken", "url": api.base, **more}
    return quick(hubspot_crm.SOURCE.connect(hubspot_crm.SOURCE.settings.model_validate(said)))


def sales_pull(api: SalesforceApi, **more: Any) -> PullConnection:
    said = {"client_id": "app", "client_secret": "s", "url": api.base, **more}
    return quick(salesforce.SOURCE.connect(salesforce.SOURCE.settings.model_validate(said)))


def quick(connection: Any) -> PullConnection:
    """Return a connection that doesn't keep to the vendor's rate."""
    connection._http._pause = 0.0
    return connection


def read(
    connection: PullConnection,
    stream: str,
    cursor: Cursor,
    now: int = NOW,
    between: Callable[[], Any] = lambda: None,
) -> tuple[list[Item], Cursor]:
    """Return all items to the end of a stream, and the cursor, which goes through JSON as in the poller."""
    items: list[Item] = []
    while True:
        page = connection.page(stream, msgspec.json.decode(msgspec.json.encode(cursor)), now)
        items += page.items
        cursor = page.cursor
        if not page.more:
            return items, cursor
        between()


def events(source: PullSource, items: list[Item], now: int = NOW) -> list[InputEvent]:
    sender = Sender("acme", source.name, now)
    mapped = [source.to_record(item.raw, sender, {KIND: item.kind.encode()}) for item in items]
    return [event for event in mapped if event is not None]


versions = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 5)), min_size=1, max_size=30)


@settings(max_examples=25)
@given(first=versions, then=st.lists(versions, max_size=4), twice=st.sets(st.integers(1, 12)))
def test_hubspot_passes_nothing_over_and_reads_each_change_once(
    first: list[tuple[int, int]], then: list[list[tuple[int, int]]], twice: set[int]
) -> None:
    """Objects of one millisecond, in any order, change while they are read by pages of three."""
    clock = LONG_AGO
    waiting = list(then)
    with HubSpotApi() as api, pytest.MonkeyPatch.context() as patch:
        patch.setattr(hubspot_connection, "_PAGE", 3)
        api.twice = twice
        for number, at in first:
            api.put("companies", number, clock + at, name="x")

        def change() -> None:
            nonlocal clock
            api.shuffled = (lambda number: number) if len(waiting) % 2 else (lambda number: -number)
            if waiting:
                clock += 10
                for number, at in waiting.pop():
                    api.put("companies", number, clock + at, name="x")

        pull = hubspot_pull(api)
        items, cursor = read(pull, "companies", {}, between=change)
        while waiting:
            change()
        items += read(pull, "companies", cursor)[0]
        ids = Counter(event.event_id for event in events(hubspot_crm.SOURCE, items))
        newest = {f"company-{n}-{_changed(each)}" for n, each in api.objects["companies"].items()}
        pull.close()
    assert newest <= ids.keys()
    assert set(ids.values()) == {1}


def _changed(thing: Any) -> int:
    from gateway.http.times import milliseconds

    return milliseconds(thing["properties"]["hs_lastmodifieddate"], "")


@settings(max_examples=25)
@given(first=versions, then=st.lists(versions, max_size=4))
def test_salesforce_passes_nothing_over_and_reads_each_change_once(
    first: list[tuple[int, int]], then: list[list[tuple[int, int]]]
) -> None:
    clock, waiting = LONG_AGO, list(then)
    with SalesforceApi() as api, pytest.MonkeyPatch.context() as patch:
        patch.setattr(salesforce_connection, "_PAGE", 3)
        for number, at in first:
            api.put("Account", f"a{number}", clock + at, Name="x")

        def change() -> None:
            nonlocal clock
            if waiting:
                clock += 10
                for number, at in waiting.pop():
                    api.put("Account", f"a{number}", clock + at, Name="x")

        pull = sales_pull(api)
        items, cursor = read(pull, "accounts", {}, between=change)
        while waiting:
            change()
        items += read(pull, "accounts", cursor)[0]
        ids = Counter(event.event_id for event in events(salesforce.SOURCE, items))
        pull.close()
    assert len({event_id.rpartition("-")[0] for event_id in ids}) == len(api.records["Account"])
    assert set(ids.values()) == {1}


@pytest.mark.parametrize("fault", [answer(500), answer(503), reset, hang, answer(429, retry_after="7")])
def test_what_fails_gives_no_page_and_the_next_try_gives_it(hubspot: HubSpotApi, fault: Any) -> None:
    hubspot.put("companies", 1, LONG_AGO, name="Acme")
    pull = hubspot_pull(hubspot)
    facing = hubspot_pull(hubspot, timeout_seconds=1) if fault is hang else pull
    hubspot.script.append(fault)
    with pytest.raises(PullError) as raised:
        facing.page("companies", {}, NOW)
    assert not isinstance(raised.value, PullRefusedError)
    assert raised.value.retry_after == (
        7.0 if fault.__name__ == "behave" and "429" in str(raised.value) else None
    )
    assert len(read(pull, "companies", {})[0]) == 1


def test_a_wrong_token_is_refused_with_the_vendors_words(hubspot: HubSpotApi) -> None:
    hubspot.token = "another"
    with pytest.raises(PullRefusedError, match=r"answered 401 to .*Session expired"):
        hubspot_pull(hubspot).page("companies", {}, NOW)


def test_what_changed_just_now_waits_for_the_next_round(hubspot: HubSpotApi) -> None:
    """HubSpot's index may show an older change after a newer one."""
    hubspot.put("companies", 1, NOW - 30_000, name="Acme")
    pull = hubspot_pull(hubspot)
    items, cursor = read(pull, "companies", {})
    assert items == []
    assert len(read(pull, "companies", cursor, NOW + MINUTE)[0]) == 1


def test_hubspots_companies_have_their_owners_and_the_tenants_fields(hubspot: HubSpotApi) -> None:
    hubspot.put(
        "companies", 5, LONG_AGO, name="Acme", domain="acme.example", lifecyclestage="customer",
        hubspot_owner_id="77", tier="Enterprise", revenue="1200.50", coin="eur", places="40",
    )  # fmt: skip
    fields = {"segment": "tier", "arr": "revenue", "currency": "coin", "seats": "places"}
    (profile,) = events(hubspot_crm.SOURCE, read(hubspot_pull(hubspot, fields=fields), "companies", {})[0])
    said = msgspec.to_builtins(profile)
    expected = {
        "account_id": "5", "name": "Acme", "domain": "acme.example", "stage": "customer",
        "owner": "Ines Marrow", "segment": "Enterprise", "arr_minor": 120_050, "currency": "EUR", "seats": 40,
        "occurred_at": NOW - 89 * DAY,
    }  # fmt: skip
    assert {name: said[name] for name in expected} == expected


def test_hubspots_contacts_become_links_and_the_champion(hubspot: HubSpotApi) -> None:
    hubspot.put(
        "contacts",
        9,
        NOW - DAY,
        email="Ann@Acme.example",
        associatedcompanyid="5",
        hs_buying_role="CHAMPION;OTHER",
    )
    link, champion = events(hubspot_crm.SOURCE, read(hubspot_pull(hubspot), "contacts", {})[0])
    assert (link.account_id, link.into) == ("~user:ann@acme.example", "5")
    assert (champion.account_id, champion.kind, champion.user_id) == (
        "5",
        "champion_named",
        "ann@acme.example",
    )


def test_hubspots_tickets_and_engagements_belong_to_the_primary_company(hubspot: HubSpotApi) -> None:
    from schemas.times import iso

    hubspot.companies = {1: 5, 2: 5, 3: 5, 4: 5, 6: 5}
    at = NOW - DAY
    hubspot.put(
        "tickets", 1, at, createdate=iso(at - HOUR), hs_pipeline_stage="2", hs_ticket_priority="URGENT"
    )
    hubspot.put(
        "tickets",
        2,
        at,
        createdate=iso(at - HOUR),
        closed_date=iso(at - MINUTE),
        hs_pipeline_stage="4",
        subject="x",
    )
    hubspot.put("tickets", 8, at, createdate=iso(at - HOUR), hs_pipeline_stage="1")
    hubspot.put(
        "emails",
        3,
        at,
        hs_timestamp=iso(at),
        hs_email_direction="INCOMING_EMAIL",
        hs_email_from_email="ann@a.example",
    )
    hubspot.put("meetings", 4, at, hs_timestamp=iso(at), hs_meeting_outcome="COMPLETED")
    hubspot.put("meetings", 6, at, hs_timestamp=iso(at), hs_meeting_outcome="NO_SHOW")
    pull = hubspot_pull(hubspot)
    tickets = events(hubspot_crm.SOURCE, read(pull, "tickets", {})[0])
    assert [(t.account_id, t.ticket_id, t.kind, t.status, t.severity) for t in tickets] == [
        ("5", "2", "opened", "unknown", "unknown"), ("5", "2", "solved", "closed", "unknown"),
        ("5", "1", "opened", "unknown", "unknown"), ("5", "1", "updated", "open", "urgent"),
    ]  # fmt: skip
    assert tickets[1].occurred_at == at - MINUTE
    (mail,) = events(hubspot_crm.SOURCE, read(pull, "emails", {})[0])
    assert (mail.kind, mail.user_id, mail.occurred_at) == ("email_received", "ann@a.example", at)
    assert [each.kind for each in events(hubspot_crm.SOURCE, read(pull, "meetings", {})[0])] == ["meeting"]


def test_a_field_that_is_no_number_is_at_fault(hubspot: HubSpotApi) -> None:
    hubspot.put("companies", 5, NOW - DAY, places="many")
    items, _ = read(hubspot_pull(hubspot, fields={"seats": "places"}), "companies", {})
    with pytest.raises(Fault) as raised:
        events(hubspot_crm.SOURCE, items)
    assert raised.value.pointer == "/fields/seats"


def test_salesforces_session_is_opened_again_when_it_has_run_out(sales: SalesforceApi) -> None:
    sales.put("Account", "a1", LONG_AGO, Name="Acme")
    pull = sales_pull(sales)
    _, cursor = read(pull, "accounts", {})
    sales.expire()
    sales.put("Account", "a1", NOW - DAY, Name="Acme Ltd")
    assert len(read(pull, "accounts", cursor)[0]) == 1
    assert [grant["grant_type"] for grant in sales.grants] == ["client_credentials"] * 2


def test_salesforces_refresh_token_and_its_daily_limit(sales: SalesforceApi) -> None:
    pull = sales_pull(sales, refresh_token="again")
    assert read(pull, "accounts", {})[0] == []
    assert sales.grants[0] | {"grant_type": "refresh_token", "refresh_token": "again"} == sales.grants[0]
    sales.script.append(lambda handler: handler.reply(403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}]))
    with pytest.raises(PullError, match="requests of the day") as raised:
        pull.page("accounts", {}, NOW)
    assert raised.value.retry_after == 900


def test_salesforces_objects_by_the_tenants_own_account_id(sales: SalesforceApi) -> None:
    own = {"Key__c": "acme"}
    sales.put(
        "Account", "a1", NOW - DAY, Name="Acme", Website="https://www.acme.example/x", Type="Customer",
        Owner={"Name": "Ines Marrow"}, **own,
    )  # fmt: skip
    sales.put("Contact", "c1", NOW - DAY, Email="Ann@acme.example", AccountId="a1", Account=own)
    sales.put("Contract", "k1", NOW - DAY, StatusCode="Activated", EndDate="2027-01-31", Account=own)
    sales.put("Contract", "k2", NOW - DAY, StatusCode="Draft", Account=own)
    case = {"CreatedDate": "2026-09-01T00:00:00.000+0000", "Priority": "High", "Account": own}
    sales.put("Case", "s1", NOW - DAY, Status="Escalated", IsClosed=False, **case)
    sales.put("Task", "t1", NOW - DAY, TaskSubtype="Call", IsClosed=True, Account=own)
    sales.put("Task", "t2", NOW - DAY, TaskSubtype="Call", IsClosed=False, Account=own)
    sales.put("Task", "t3", NOW - DAY, TaskSubtype="Call", IsClosed=True, Account=None)
    pull = sales_pull(sales, account_field="Key__c")

    def of(stream: str) -> list[Any]:
        return events(salesforce.SOURCE, read(pull, stream, {})[0])

    (profile,) = of("accounts")
    assert (profile.account_id, profile.domain, profile.owner) == ("acme", "acme.example", "Ines Marrow")
    assert profile.segment == "Customer"
    (link,) = of("contacts")
    assert (link.account_id, link.into) == ("~user:ann@acme.example", "acme")
    (contract,) = of("contracts")
    assert (contract.account_id, contract.subscription_id, contract.status) == ("acme", "k1", "active")
    assert contract.renews_at is not None
    assert [(e.kind, e.severity) for e in of("cases")][-1] == ("escalated", "high")
    assert [(e.account_id, e.kind) for e in of("tasks")] == [("acme", "touch")]


def test_ewebinar_tells_an_attendance_once_and_a_late_one_too() -> None:
    def registrant(number: int, **more: Any) -> dict[str, Any]:
        at = "2026-09-01T10:00:00.000Z"
        return {
            "id": number,
            "email": f"p{number}@acme.example",
            "webinarTitle": "Setup",
            "registeredTime": at,
        } | more

    with EWebinarApi() as api:
        now = 1_788_300_000_000  # 2026-09-01T22:00Z
        api.registrants = [registrant(n) for n in range(1, 6)]
        api.registrants[0]["joinedTime"] = "2026-09-01T12:00:00.000Z"
        said = ewebinar.SOURCE.settings.model_validate({"token": "t0ken", "url": api.base})
        pull = quick(ewebinar.SOURCE.connect(said))
        items, cursor = read(pull, "registrants", {}, now)
        first = events(ewebinar.SOURCE, items, now)
        assert Counter(e.kind for e in first) == {"touch": 5, "training_attended": 1}
        assert {(e.account_id, e.name) for e in first} == {("~domain:acme.example", "Setup")}
        assert len(api.asked) == 3
        api.registrants[4]["joinedTime"] = "2026-09-01T23:00:00.000Z"
        items, _ = read(pull, "registrants", cursor, now + 2 * HOUR)
        assert [(e.kind, e.user_id) for e in events(ewebinar.SOURCE, items, now + 2 * HOUR)] == [
            ("training_attended", "p5@acme.example")
        ]
        pull.close()


def test_a_page_that_is_asked_for_again_has_the_same_ids(sales: SalesforceApi) -> None:
    for number in range(5):
        sales.put("Task", f"t{number}", NOW - DAY, TaskSubtype="Email", IsClosed=True, AccountId="a")
    pull = sales_pull(sales)
    one, two = ([e.event_id for e in events(salesforce.SOURCE, read(pull, "tasks", {})[0])] for _ in range(2))
    assert one == two == [f"t{number}" for number in range(5)]


def test_a_vendor_is_asked_no_faster_than_it_allows(hubspot: HubSpotApi) -> None:
    said = {"token": "t0ken", "url": hubspot.base}
    pull: Any = hubspot_crm.SOURCE.connect(hubspot_crm.SOURCE.settings.model_validate(said))
    assert pull._http._pause == 0.25


def test_no_vendor_is_another_kind_of_server(hubspot: HubSpotApi) -> None:
    assert isinstance(hubspot, VendorApi)
    hubspot.otherwise = lambda handler: handler.reply(200, {"unexpected": True})
    with pytest.raises(PullError, match="no list 'results'"):
        hubspot_pull(hubspot).page("companies", {}, NOW)


EVERY = [
    pytest.param(source, sample, id=f"{source.name}-{sample.name}")
    for source in PULLS
    for sample in load_samples(source.name, "pulls").samples
]


@pytest.mark.parametrize(("source", "sample"), EVERY)
def test_a_sample_becomes_what_the_page_says_and_moves_it(source: PullSource, sample: Sample) -> None:
    at = (sample.occurred_at() or NOW) + DAY
    sender = Sender("acme", source.name, at)
    said = {name: value.encode() for name, value in sample.headers.items()}
    assert said[KIND].decode() in source.topics
    event = source.to_record(sample.body, sender, said)
    assert event is not None
    assert source.to_record(sample.body, sender, said) == event  # read again it has the same id
    (expected,) = sample.becomes
    assert input_of(event).topic == expected["topic"] == source.topics[said[KIND].decode()]
    assert {name: getattr(event, name) for name in expected if name != "topic"} == {
        name: value for name, value in expected.items() if name != "topic"
    }
    moves = sample.moves or {}
    accounts = Accounts()
    accounts.fold([event])
    states = list(accounts.states.values())
    if "profile" in moves:
        assert any(state.profile.get(moves["profile"]) for state in states)
    elif moves:
        when = at + 9 * DAY
        before = MEASURES[moves["measure"]](View(State(), when))
        after = [MEASURES[moves["measure"]](View(state, when)) for state in states]
        assert any(one.reason != before.reason for one in after)


@pytest.mark.parametrize("source", PULLS, ids=lambda source: source.name)
def test_it_is_registered_repaired_reserved_and_has_samples_and_a_page(source: PullSource) -> None:
    assert re.fullmatch("[a-z][a-z0-9_]*", source.name)
    assert ALL_REPAIRS[source.name] is source.to_record
    assert source.name in ALL_RESERVED
    assert TenantPulls.model_fields[source.name].annotation == source.settings | None
    assert set(source.topics.values()) <= set(INPUT_TOPICS)
    with pytest.raises(Fault):
        source.to_record(b"{", Sender("acme", source.name, NOW), {KIND: next(iter(source.topics)).encode()})
    samples = load_samples(source.name, "pulls")
    assert samples.guide
    assert samples.published.startswith("https://")
    assert any(sample.moves for sample in samples.samples)


def test_the_settings_load_no_connection_and_no_mapping() -> None:
    script = "import bellbuoy.settings, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name for name in done.stdout.split() if name.startswith("gateway.pulls.")}
    assert {f"gateway.pulls.{source.name}.settings" for source in PULLS} <= loaded
    assert {name.rpartition(".")[2] for name in loaded if name.count(".") > 2} == {"settings"}


def test_every_package_of_a_pull_is_in_the_registry() -> None:
    packages = {module.name for module in iter_modules(gateway.pulls.__path__) if module.ispkg}
    assert packages == {source.name for source in PULLS}
