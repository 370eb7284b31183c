"""Write-back to HubSpot and Salesforce as they document it: refused items, limits, and many changes."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sinks.port import Rejected, SinkError, SinkSettingsError
from sinks.writeback.mapping import load_mapping
from sinks.writeback.settings import WritebackSettings
from sinks.writeback.sink import WritebackSink
from tests.support.output_records import health
from tests.support.product_source import ROOT

EXAMPLES = ROOT / "docs" / "writeback"

Reply = tuple[int, dict[str, str], Any]


class Crm:
    """A CRM on a port of its own; ``faults`` are answered first, then what ``answer`` returns."""

    def __init__(self, answer: Callable[[Any], Reply]) -> None:
        self.faults: deque[Reply] = deque()
        self.requests: list[Any] = []
        self.tokens: set[str] = set()
        crm = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                crm.requests.append(body)
                crm.tokens.add(self.headers["authorization"])
                status, headers, content = crm.faults.popleft() if crm.faults else answer(body)
                raw = json.dumps(content).encode()
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(raw))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            do_PATCH = do_POST  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def hubspot_answer(body: Any) -> Reply:
    """Answer as the batch upsert of companies does; "never" is refused by a validation rule."""
    bad = [one["id"] for one in body["inputs"] if one["id"].startswith("never")]
    results = [one for one in body["inputs"] if one["id"] not in bad]
    if not bad:
        return 200, {}, {"status": "COMPLETE", "results": results}
    message = 'Property values were not valid: "x" was not one of the allowed options'
    error = {"status": "error", "category": "VALIDATION_ERROR", "message": message, "context": {"ids": bad}}
    return 207, {}, {"status": "COMPLETE", "results": results, "numErrors": 1, "errors": [error]}


def salesforce_answer(body: Any) -> Reply:
    """Answer as the collections upsert does: one result for each record, in order, always with status 200."""

    def result(record: Any) -> Any:
        name = record["Bellbuoy_Id__c"]
        code = {"never": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "locked": "UNABLE_TO_LOCK_ROW"}.get(name)
        errors = [] if code is None else [{"statusCode": code, "message": f"{name}: no", "fields": []}]
        return {"id": f"001{name}", "success": not errors, "errors": errors, "created": False}

    return 200, {}, [result(record) for record in body["records"]]


@pytest.fixture
def hubspot() -> Iterator[Crm]:
    crm = Crm(hubspot_answer)
    yield crm
    crm.close()


@pytest.fixture
def salesforce() -> Iterator[Crm]:
    crm = Crm(salesforce_answer)
    yield crm
    crm.close()


def sink(crm: Crm, example: str, **changes: str) -> WritebackSink:
    path = EXAMPLES / f"{example}.yaml"
    if changes:
        text = path.read_text()
        for old, new in changes.items():
            text = text.replace(*json.loads(new)) if old == "replace" else text
        path = Path(changes["folder"]) / "mapping.yaml"
        path.write_text(text)
    return WritebackSink("writeback_crm", WritebackSettings(mapping=path, secret="t0ken", url=crm.url))


def test_ten_thousand_changes_are_a_few_calls_and_the_last_value_wins(hubspot: Crm) -> None:
    changes = [health(f"a{n % 250}", n, float(n % 100)) for n in range(1, 10_001)]
    with closing(sink(hubspot, "hubspot")) as target:
        target.open()
        for start in range(0, len(changes), 5_000):
            target.write(changes[start : start + 5_000])
        target.write(changes[-250:])  # again
        calls = len(hubspot.requests) - 1

    assert calls <= 6
    assert max(len(request["inputs"]) for request in hubspot.requests) == 100
    last = {one["id"]: one["properties"] for request in hubspot.requests for one in request["inputs"]}
    assert {name: each["bellbuoy_score"] for name, each in last.items()} == {
        f"a{n % 250}": float(n % 100) for n in range(1, 10_001)
    }
    assert hubspot.tokens == {"Bearer t0ken"}


def test_worse_bands_go_first(hubspot: Crm) -> None:
    with closing(sink(hubspot, "hubspot")) as target:
        target.write([health(f"a{n}", 1, 90.0) for n in range(100)] + [health("grave", 1, 5.0)])

    assert hubspot.requests[0]["inputs"][0]["id"] == "grave"


def test_a_limit_is_obeyed_and_the_rest_follows(hubspot: Crm) -> None:
    batch = [health(f"a{n}") for n in range(150)]
    hubspot.faults += [hubspot_answer_of(batch[:100]), (429, {"Retry-After": "7"}, {"status": "error"})]
    with closing(sink(hubspot, "hubspot")) as target:
        with pytest.raises(SinkError, match="429") as limited:
            target.write(batch)
        assert limited.value.retry_after == 7
        target.write(batch)

    assert [len(request["inputs"]) for request in hubspot.requests] == [100, 50, 50]


def hubspot_answer_of(batch: list[Any]) -> Reply:
    return 200, {}, {"status": "COMPLETE", "results": [{"id": each.account_id} for each in batch]}


def test_a_refused_company_is_named_and_the_others_are_not_sent_again(hubspot: Crm) -> None:
    batch = [health("a1"), health("never"), health("a2")]
    with closing(sink(hubspot, "hubspot")) as target:
        with pytest.raises(Rejected, match="not one of the allowed options") as rejected:
            target.write(batch)
        assert rejected.value.index == 1
        target.write([batch[0], batch[2]])

    assert len(hubspot.requests) == 1


def test_one_bad_item_that_refuses_the_whole_request_is_found(hubspot: Crm) -> None:
    def strict(body: Any) -> Reply:
        bad = any(one["id"] == "never" for one in body["inputs"])
        return (400, {}, {"message": "Invalid input JSON"}) if bad else hubspot_answer(body)

    crm = Crm(strict)
    batch = [health(f"a{n}") for n in range(20)]
    with closing(sink(crm, "hubspot")) as target:
        with pytest.raises(Rejected, match="Invalid input JSON") as rejected:
            target.write([*batch[:13], health("never"), *batch[13:]])
        assert rejected.value.index == 13
        target.write(batch)
    crm.close()

    sent = [one["id"] for request in crm.requests if len(request["inputs"]) < 21 for one in request["inputs"]]
    assert set(sent) == {*(f"a{n}" for n in range(20)), "never"}


def test_salesforce_refuses_items_under_status_200(salesforce: Crm) -> None:
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


def test_what_is_away_fails_or_refuses_the_secret_is_offered_again(hubspot: Crm) -> None:
    hubspot.faults += [(500, {}, {}), (503, {"Retry-After": "3"}, {}), (401, {}, {})]
    with closing(sink(hubspot, "hubspot")) as target:
        for words in ("500", "503", "correct the secret"):
            with pytest.raises(SinkError, match=words):
                target.write([health()])
        target.write([health()])
        hubspot.close()
        with pytest.raises(SinkError, match="doesn't answer"):
            target.write([health("other")])


def test_the_budget_of_a_day_is_kept(hubspot: Crm, tmp_path: Path) -> None:
    replace = json.dumps(["daily_requests: 250000", "daily_requests: 2"])
    with closing(sink(hubspot, "hubspot", replace=replace, folder=str(tmp_path))) as target:
        target.write([health(f"a{n}") for n in range(150)])
        with pytest.raises(SinkError, match="2 requests of this UTC day are used up") as used:
            target.write([health("late")])
    assert used.value.retry_after is not None
    assert len(hubspot.requests) == 2


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_can_be_used(example: Path) -> None:
    assert load_mapping(example)
    assert "# Source: https://" in example.read_text()


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
    )
    with pytest.raises(SinkSettingsError) as refused:
        load_mapping(path)

    for words in (
        "line 1: url: String should match",
        "line 2: batch: Input should be greater than or equal to 1",
        "line 4: dayly_requests: no such key: did you mean daily_requests?",
        "daily_requests: is missing",
        "line 5: id: {account} is not known: did you mean account_id?",
        "line 7: item.score: {scor} is not known: did you mean score?",
        "line 8: body: names no {items}",
        "line 10: answers: give either `success`",
    ):
        assert words in str(refused.value), words


@pytest.mark.parametrize("text", ["{", "- 1", "", "a: " + "[" * 5_000])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "crm.yaml"
    path.write_text(text)
    with pytest.raises(SinkSettingsError, match=r"crm\.yaml"):
        load_mapping(path)
