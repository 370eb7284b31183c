"""Write-back to CRMs as they document it: refused items, limits, sessions, faults of the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sinks.port import DailyUse, Rejected, SinkError, SinkSettingsError
from sinks.writeback.mapping import load_mapping
from sinks.writeback.settings import WritebackSettings
from sinks.writeback.sink import WritebackSink
from tests.support.crm_servers import ANSWERS, CrmServer, replies
from tests.support.http_receiver import answer, hang, lose_the_answer, reset, take
from tests.support.output_records import health
from tests.support.product_source import ROOT

EXAMPLES = ROOT / "docs" / "writeback"
VENDORS = sorted(ANSWERS)


@pytest.fixture
def crm() -> Iterator[Callable[[str], CrmServer]]:
    """Return servers that answer as a vendor does; they are ended afterwards."""
    servers: list[CrmServer] = []

    def start(vendor: str) -> CrmServer:
        servers.append(CrmServer(ANSWERS[vendor]))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def sink(
    crm: CrmServer, example: str, folder: Path | None = None, timeout_seconds: float = 20.0, **changes: Any
) -> WritebackSink:
    """Return the sink of an example; ``changes`` are keys of its file."""
    path = EXAMPLES / f"{example}.yaml"
    if folder is not None:
        lines = path.read_text().splitlines()
        changed = [
            next((f"{key}: {changes[key]}" for key in changes if line.startswith(f"{key}:")), line)
            for line in lines
        ]
        path = folder / "mapping.yaml"
        path.write_text("\n".join(changed))
    settings = WritebackSettings(
        mapping=path,
        secret="t0ken",
        client_id="app",
        url=crm.base,
        timeout_seconds=timeout_seconds,
        gather_seconds=0.2,
    )
    return WritebackSink("writeback_crm", settings)


def test_ten_thousand_changes_are_a_few_calls_and_the_last_value_wins(
    crm: Callable[[str], CrmServer],
) -> None:
    hubspot = crm("hubspot")
    changes = [health(f"a{n % 250}", n, float(n % 100)) for n in range(1, 10_001)]
    with closing(sink(hubspot, "hubspot")) as target:
        target.open()
        for start in range(0, len(changes), 5_000):
            target.write(changes[start : start + 5_000])
        target.write(changes[-250:])  # again
        calls = len(hubspot.requests) - 1
        assert target.used().requests == len(hubspot.requests)

    assert calls <= 6
    assert max(len(request["inputs"]) for request in hubspot.requests) == 100
    last = {one["id"]: one["properties"] for request in hubspot.requests for one in request["inputs"]}
    assert {name: each["bellbuoy_score"] for name, each in last.items()} == {
        f"a{n % 250}": float(n % 100) for n in range(1, 10_001)
    }
    assert hubspot.secrets == {"Bearer t0ken"}


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_vendor_takes_accounts_as_it_documents(
    vendor: str, crm: Callable[[str], CrmServer], tmp_path: Path
) -> None:
    server = crm(vendor)
    with closing(sink(server, vendor, tmp_path, requests_per_second=1000)) as target:
        target.open()
        checks = len(server.requests)
        target.write([health("a1", score=12.5), health("a2")])

    sent = server.requests[checks:]
    batch = load_mapping(EXAMPLES / f"{vendor}.yaml").batch
    assert len(sent) == (2 if batch == 1 else 1)
    assert all(word in str(sent) for word in ("a1", "a2", "12.5", "critical", "Active users fell by 40 %"))
    assert checks or server.checks


@pytest.mark.parametrize(
    "vendor", sorted({*VENDORS} - {"totango", "userpilot"})
)  # they answer before they look
def test_each_vendors_refusal_of_one_account_is_found(
    vendor: str, crm: Callable[[str], CrmServer], tmp_path: Path
) -> None:
    server = crm(vendor)
    batch = [health("a1"), health("a2"), health("never"), health("a3")]
    with closing(sink(server, vendor, tmp_path, requests_per_second=1000)) as target:
        with pytest.raises(Rejected) as rejected:
            target.write(batch)
        assert rejected.value.index == 2
        del batch[2]
        target.write(batch)
        before = len(server.requests)
        target.write(batch)  # all are there

    assert len(server.requests) == before
    assert all(name in str(server.requests) for name in ("a1", "a2", "a3"))


@pytest.mark.conformance("limit", sink="writeback")
@pytest.mark.conformance("reset", sink="writeback")
@pytest.mark.conformance("hang", sink="writeback")
@pytest.mark.parametrize("vendor", VENDORS)
def test_faults_pass_and_every_account_arrives(
    vendor: str, crm: Callable[[str], CrmServer], tmp_path: Path
) -> None:
    server = crm(vendor)
    faults = [
        answer(429, retry_after="7"),
        hang,
        reset,
        answer(500),
        answer(503, retry_after="3"),
        lose_the_answer,
    ]
    make = partial(sink, server, vendor, tmp_path, requests_per_second=1000)
    with closing(make()) as target, closing(make(timeout_seconds=1.0)) as impatient:
        target.open()
        impatient.open()
        server.script.extend(faults)
        waits = []
        for _ in range(len(faults) + 1):  # the client itself repeats a PUT after a reset
            try:
                facing = impatient if server.script and server.script[0] is hang else target
                facing.write([health("a1"), health("a2")])
            except SinkError as error:
                waits.append(error.retry_after)

    assert [seconds for seconds in waits if seconds] == [7, 3]
    assert not server.script
    assert "a1" in str(server.requests[-2:])
    assert "a2" in str(server.requests[-1])


def test_a_job_that_still_runs_is_waited_for(crm: Callable[[str], CrmServer]) -> None:
    server = crm("userpilot")
    with closing(sink(server, "userpilot")) as target:
        server.script.append(answer(409))
        with pytest.raises(SinkError, match="409"):
            target.write([health()])
        with pytest.raises(SinkError, match="the rate of its mapping allows no request now") as limited:
            target.write([health()])
    assert 30 < (limited.value.retry_after or 0) <= 40


def test_worse_bands_go_first(crm: Callable[[str], CrmServer]) -> None:
    hubspot = crm("hubspot")
    with closing(sink(hubspot, "hubspot")) as target:
        target.write([health(f"a{n}", 1, 90.0) for n in range(100)] + [health("grave", 1, 5.0)])

    assert hubspot.requests[0]["inputs"][0]["id"] == "grave"


def test_a_limit_is_obeyed_and_the_rest_follows(crm: Callable[[str], CrmServer]) -> None:
    hubspot = crm("hubspot")
    batch = [health(f"a{n}") for n in range(150)]
    hubspot.script += [take, replies(429, {"status": "error", "errorType": "RATE_LIMIT"}, retry_after="7")]
    with closing(sink(hubspot, "hubspot")) as target:
        with pytest.raises(SinkError, match="429") as limited:
            target.write(batch)
        assert limited.value.retry_after == 7
        target.write(batch)

    assert [len(request["inputs"]) for request in hubspot.requests] == [100, 50, 50]


def test_one_bad_item_that_refuses_the_whole_request_is_found(crm: Callable[[str], CrmServer]) -> None:
    server = CrmServer(
        lambda body: (
            (400, {"message": "Invalid input JSON"})
            if any(one["id"] == "never" for one in body["inputs"])
            else ANSWERS["hubspot"](body)
        )
    )
    batch = [health(f"a{n}") for n in range(20)]
    with server, closing(sink(server, "hubspot")) as target:
        with pytest.raises(Rejected, match="Invalid input JSON") as rejected:
            target.write([*batch[:13], health("never"), *batch[13:]])
        assert rejected.value.index == 13
        target.write(batch)

    sent = [
        one["id"] for request in server.requests if len(request["inputs"]) < 21 for one in request["inputs"]
    ]
    assert set(sent) == {*(f"a{n}" for n in range(20)), "never"}


def test_salesforce_refuses_items_under_status_200(crm: Callable[[str], CrmServer]) -> None:
    salesforce = crm("salesforce")
    batch = [health("a1"), health("never"), health("locked"), health("a2")]
    with closing(sink(salesforce, "salesforce")) as target:
        with pytest.raises(Rejected, match="never: no") as rejected:
            target.write(batch)
        assert rejected.value.index == 1
        del batch[1]
        with pytest.raises(SinkError, match="refused 1 items for now: locked: no"):
            target.write(batch)

    assert [[r["Bellbuoy_Id__c"] for r in request["records"]] for request in salesforce.requests] == [
        ["a1", "never", "locked", "a2"],
        ["locked"],
    ]
    assert salesforce.requests[0]["allOrNone"] is False
    assert salesforce.paths[0].endswith("/sobjects/Account/Bellbuoy_Id__c")


def test_a_session_that_ran_out_is_opened_again(crm: Callable[[str], CrmServer]) -> None:
    salesforce = crm("salesforce")
    with closing(sink(salesforce, "salesforce")) as target:
        target.write([health("a1")])
        salesforce.token = "another"
        target.write([health("a2")])

    assert salesforce.sessions == 2
    assert [r["records"][0]["Bellbuoy_Id__c"] for r in salesforce.requests] == ["a1", "a2", "a2"]
    assert salesforce.secrets == {"Bearer session1", "Bearer session2"}


def test_a_wrong_secret_opens_no_session_and_says_so(crm: Callable[[str], CrmServer]) -> None:
    salesforce = crm("salesforce")
    settings = WritebackSettings(mapping=EXAMPLES / "salesforce.yaml", secret="wrong", url=salesforce.base)
    with (
        closing(WritebackSink("writeback_crm", settings)) as target,
        pytest.raises(SinkError, match=r"no session of .*invalid_client.*correct secret and client_id"),
    ):
        target.open()


def test_a_file_that_names_no_host_is_refused_without_one() -> None:
    with pytest.raises(SinkSettingsError, match="set `url` of writeback_crm"):
        WritebackSink("writeback_crm", WritebackSettings(mapping=EXAMPLES / "salesforce.yaml"))


def test_a_refused_secret_is_offered_again(crm: Callable[[str], CrmServer]) -> None:
    hubspot = crm("hubspot")
    hubspot.script.append(replies(401, {"message": "The access token is expired"}))
    with closing(sink(hubspot, "hubspot")) as target:
        with pytest.raises(SinkError, match=r"access token is expired.*correct the secret"):
            target.write([health()])
        target.write([health()])
        hubspot.close()
        with pytest.raises(SinkError, match="doesn't answer"):
            target.write([health("other")])


def test_the_budget_of_a_day_is_kept(crm: Callable[[str], CrmServer], tmp_path: Path) -> None:
    hubspot = crm("hubspot")
    with closing(sink(hubspot, "hubspot", tmp_path, daily_requests=5)) as target:
        target.group_used(DailyUse(target.used().day, 3))
        target.write([health(f"a{n}") for n in range(150)])
        with pytest.raises(SinkError, match="5 requests of this UTC day are used up") as used:
            target.write([health("late")])
    assert used.value.retry_after is not None
    assert len(hubspot.requests) == 2


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_can_be_used_and_names_its_source(example: Path) -> None:
    assert load_mapping(example)
    assert "# Source: https://" in example.read_text()
    assert example.stem in ANSWERS


def test_a_file_is_refused_with_every_fault_its_line_and_the_fix(tmp_path: Path) -> None:
    path = tmp_path / "crm.yaml"
    path.write_text(
        "url: ftp://nowhere\n"
        "batch: 0\n"
        "requests_per_second: 1\n"
        "dayly_requests: 5\n"
        'id: "{account}"\n'
        "item:\n"
        '  score: "{scor}"\n'
        "body:\n"
        '  accounts: "all"\n'
        "answers:\n"
        "  path: errors\n"
        "  ids: ids\n"
        "  success: ok\n"
        "encoding: form\n"
        "headers:\n"
        '  authorization: "{token}"\n'
    )
    with pytest.raises(SinkSettingsError) as refused:
        load_mapping(path)

    for words in (
        "1:1: url: 'ftp://nowhere' does not fit; write it as https?://",
        "2:1: batch: 0 is out of range; make it 1 or more",
        "4:1: dayly_requests: no such key; did you mean daily_requests?",
        "1:1: daily_requests is missing; add `daily_requests: …`",
        "5:1: id: {account} is not known here; did you mean account_id?",
        "7:3: item.score: {scor} is not known here; did you mean score?",
        "8:1: body: names no {items}; write it where",
        "10:1: answers: both `success` and `ids`; keep",
        "14:1: encoding: a form holds one account; write `batch: 1`",
        "16:3: headers.authorization: {token} is not known here",
    ):
        assert words in str(refused.value), words


@pytest.mark.parametrize("text", ["{", "- 1", "", "a: " + "[" * 5_000])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "crm.yaml"
    path.write_text(text)
    with pytest.raises(SinkSettingsError, match=r"crm\.yaml"):
        load_mapping(path)
