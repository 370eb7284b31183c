"""Which records are about the subject of an erasure, and what the report says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bellbuoy.operations.forget.matching import SubjectMatcher
from bellbuoy.operations.forget.report import ErasureReport, Place
from bellbuoy.operations.forget.subject import ForgottenSubject, find_subject
from bellbuoy.operations.payload_events import mapped
from bellbuoy.operations.remap import webhook_source
from gateway.http.errors import Fault
from gateway.sources.samples import load_samples
from processors.state.account import Link, Person, State
from processors.state.parts import brief
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.identity.erasures import Erasure, Erasures, account_digest, person_digest
from schemas.records import JournalBatch, RawPayload, SurveyResponse, UsageCell, UsageEvent, dead_letters
from schemas.records.raw_payloads import raw_payload
from schemas.topics import Topics
from streams.kafka.record import KafkaRecord
from tests.support.stored_usage import enveloped

ANN, SALT = "ann@amber.example", b"0123456789abcdef"
ACCOUNT = ForgottenSubject("t", ["amber"])
PERSON = ForgottenSubject("t", [f"~user:{ANN}"], ANN, known_in=["amber"])


def about(account_id: str, user: str | None = None, tenant: str = "t") -> dict[str, Any]:
    return {
        "event_id": "e", "tenant": tenant, "account_id": account_id, "source": "s", "occurred_at": 1,
        "received_at": 1, "user_id": user,
    }  # fmt: skip


def matches(subject: ForgottenSubject, topic: str, value: bytes, key: bytes = b"x:y") -> bool:
    return SubjectMatcher(subject, Topics(), committed()).matches(
        topic, KafkaRecord(topic, 0, 0, key, value, [])
    )


def used(account_id: str, user: str | None = None, tenant: str = "t") -> bytes:
    return codec("usage.events").encode(UsageEvent(**about(account_id, user, tenant), name="did"))


def test_usage_is_matched_by_its_key_or_by_an_event_in_an_envelope() -> None:
    many = enveloped([used("other"), used("amber", ANN)])
    for subject in (ACCOUNT, PERSON):
        assert matches(subject, "usage.events", many)
        assert not matches(subject, "usage.events", enveloped([used("ambers", f"x{ANN}")]))
        assert not matches(subject, "usage.events", enveloped([used("amber", ANN, "u")]))
    assert matches(ACCOUNT, "usage.events", used("zzz"), b"t:amber")


@pytest.mark.parametrize(
    ("user", "account_id", "found"), [(ANN, "amber", True), (ANN, "z", False), ("b", "amber", False)]
)
def test_a_person_is_matched_in_the_journal_by_the_hash_in_a_cell(
    user: str, account_id: str, found: bool
) -> None:
    cell = UsageCell(
        tenant="t", account_id=account_id, day=1, events=1, errors=0, duration_ms=0, latency_ms=0,
        users=b"\1\2\3\4" + brief(user).to_bytes(4, "little"), latencies=0, features=[], first_at=1,
        last_at=1, received_at=1,
    )  # fmt: skip
    batch = codec("account.journal").encode(JournalBatch(sequence=1, written_at=1, usage=[cell]))
    assert matches(PERSON, "account.journal", batch) is found
    assert matches(ACCOUNT, "account.journal", batch) is (account_id == "amber")


@pytest.mark.parametrize(
    ("account_id", "user", "comment", "found"),
    [("amber", None, "", True), ("other", ANN, "", True), ("other", "bob", "amber is a colour", False)],
)
def test_a_dead_letter_is_matched_by_ids_and_not_by_words(
    account_id: str, user: str | None, comment: str, found: bool
) -> None:
    answer = SurveyResponse(**about(account_id, user), survey_id="q", kind="nps", comment=comment)
    letter = dead_letters.of_record(
        reason="too_late", detail="old", topic="survey.responses", partition=0, offset=1, key=b"t:other",
        value=codec("survey.responses").encode(answer), failed_at=1, tenant="t",
    )  # fmt: skip
    raw = codec("events.deadletter").encode(letter)
    subject = PERSON if user == ANN else ACCOUNT
    assert matches(subject, "events.deadletter", raw) is found


def test_a_kept_webhook_is_matched_by_its_events_under_any_id_of_the_registry() -> None:
    known = committed()
    served = known.with_ids(
        {subject: number + 4_711 for subject, number in known.ids.items()}, lambda _: None
    )
    sample = load_samples("zendesk").samples[0]
    [event] = mapped(webhook_source("zendesk"), zendesk(sample.headers, sample.body), tests=True)
    assert not isinstance(event, Fault)
    name = event.account_id.encode()
    # Escaped, so that the account is no word of the bytes: only the event says whom it is about.
    body = sample.body.replace(name, b"\\u%04x" % name[0] + name[1:])
    value = codec("raw.payloads", served).encode(zendesk(sample.headers, body))
    record = KafkaRecord("raw.payloads", 0, 0, b"x:y", value, [])
    for account_id, tenant, found in (
        (event.account_id, "t", True), ("other", "t", False), (event.account_id, "u", False),
    ):  # fmt: skip
        matcher = SubjectMatcher(ForgottenSubject(tenant, [account_id]), Topics(), served)
        assert matcher.matches("raw.payloads", record) is found


def zendesk(headers: Mapping[str, Any], body: bytes) -> RawPayload:
    lower = {name.lower(): str(value).encode() for name, value in headers.items()}
    return raw_payload(
        tenant="t", source="zendesk", received_at=1, headers=lower, body=body, for_tests=False, made=b""
    )


def test_what_no_schema_describes_is_matched_by_whole_words() -> None:
    assert matches(PERSON, "alert.deliveries", b'{"thread": "a1 ann@amber.example"}')
    assert not matches(PERSON, "alert.deliveries", b'{"thread": "a1 joann@amber.example"}')


def test_a_subject_is_found_with_all_that_is_linked_to_it() -> None:
    person = {brief(ANN): Person(contact_at=1)}
    states = {
        "amber": State(account_id="amber", people=person),
        "gone": State(account_id="gone"),
        "~user:b": State(account_id="~user:b", link=Link(into="amber", at=(1, 0), count=1)),
    }
    assert find_subject(states, "t", "amber", None).account_ids == ["amber", "~user:b"]
    before = Erasures(
        {
            account_digest(SALT, "t", "gone"): Erasure(
                salt=SALT, people={person_digest(SALT, "t", "gone", brief(ANN)): 1}
            )
        }
    )
    found = find_subject(states, "t", None, ANN, before)
    assert (found.account_ids, found.known_in, found.erased_in) == ([f"~user:{ANN}"], ["amber"], ["gone"])


def test_a_report_says_what_remains_until_when_and_what_was_not_done() -> None:
    report = ErasureReport("t", "amber", None, dry_run=False, erased_at=0, accounts=["amber"])
    assert "Nothing was found" in "\n".join(report.lines())
    report.places = [
        Place("state", 1, "removed"),
        Place("account.journal", 3, "remains", 86_400_000, "--cut-history removes it now"),
        Place("sink hubspot", 0, "yours", note="remove it there"),
    ]
    text = "\n".join(report.lines())
    assert "remains until 1970-01-02T00:00:00.000Z: --cut-history removes it now" in text
    assert "yours to do: remove it there" in text
    assert (report.done, report.until) == (True, 86_400_000)
    report.places.append(Place("sink redis", 0, "pending", note="away"))
    assert not report.as_data()["done"]
    assert "Run the command again" in "\n".join(report.lines())
