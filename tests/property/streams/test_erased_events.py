"""What arrives of somebody who was erased is dropped and counted, whichever way it is decoded."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from processors.intake.erased_events import is_of_erased
from processors.state.parts import brief
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.identity.erasures import Erasure, Erasures, account_digest, person_digest
from schemas.identity.keys import account_key
from schemas.records import AccountLink, SurveyResponse, UsageEvent
from streams.journal.sorting import EventSorter
from tests.property.streams.test_bad_input import stored as stored_on
from tests.support.stored_usage import LIMITS, NOW, TOPICS, enveloped, intake, stored

SALT = b"0123456789abcdef"
AT = NOW - 1_000
ERASURES = Erasures(
    {
        account_digest(SALT, "t", "gone"): Erasure(salt=SALT, erased_at=AT),
        account_digest(SALT, "t", "kept"): Erasure(
            salt=SALT, people={person_digest(SALT, "t", "kept", brief("ann")): AT}
        ),
    }
)
ENCODE = codec("usage.events").encode

happened = st.tuples(
    st.sampled_from(("gone", "kept", "other")),
    st.sampled_from((None, "ann", "bob")),
    st.integers(AT - 2, AT + 2),
)


def is_gone(account_id: str, user: str | None, at: int) -> bool:
    return at <= AT and (account_id == "gone" or (account_id, user) == ("kept", "ann"))


def about(number: int, account_id: str, user: str | None, at: int) -> dict[str, Any]:
    return {
        "event_id": f"e{number}", "tenant": "t", "source": "s", "received_at": NOW, "account_id": account_id,
        "user_id": user, "occurred_at": at,
    }  # fmt: skip


def sorter(calls: list[bool]) -> EventSorter:
    def erasures(deletion_read: bool) -> Erasures:
        calls.append(deletion_read)
        return ERASURES

    return EventSorter(TOPICS, 0, committed(), LIMITS, 1_000, erasures)


@given(st.lists(happened, max_size=12), st.booleans())
def test_usage_of_the_erased_is_dropped_and_counted(events: list[Any], together: bool) -> None:
    values = [ENCODE(UsageEvent(**about(n, *one), name="did")) for n, one in enumerate(events)]
    records = [(None, enveloped(values), [])] if together and values else [(None, v, []) for v in values]
    expected = intake().sort(
        stored([[(None, ENCODE(UsageEvent(**about(n, *one), name="did")), [])
                 for n, one in enumerate(events) if not is_gone(*one)]]), NOW,
    )  # fmt: skip
    found = sorter([]).sort(stored([records]), NOW)
    assert found.erased == sum(is_gone(*one) for one in events)
    assert found.total == len(events)
    assert (found.admitted, found.dead_letters) == (expected.admitted, [])
    batch = found.batch(1, NOW, [])
    assert batch.erased == found.erased
    assert found.usage.rolled_up().encode() == expected.usage.rolled_up().encode()


def test_answers_and_links_of_the_erased_are_dropped_and_a_deletion_is_not() -> None:
    calls: list[bool] = []
    answers = [
        SurveyResponse(**about(n, account, user, AT), survey_id="q", kind="nps")
        for n, (account, user) in enumerate((("gone", None), ("kept", "ann"), ("kept", "bob")))
    ]
    link = {"event_id": "l", "tenant": "t", "source": "s", "received_at": NOW, "occurred_at": AT}
    links = [
        AccountLink(**link, account_id="~user:ann", into="gone"),
        AccountLink(**link | {"event_id": "d"}, account_id="gone", deleted=True),
    ]
    found = sorter(calls).sort(
        [
            *stored_on("survey.responses", [_record("survey.responses", each) for each in answers]),
            *stored_on("account.links", [_record("account.links", each) for each in links]),
        ],
        NOW,
    )
    assert [event["user_id"] for event in found.events["survey.responses"]] == ["bob"]
    assert [event["event_id"] for event in found.events["account.links"]] == ["d"]
    assert (found.erased, found.dead_letters) == (3, [])
    assert calls.count(True) == 1


def test_what_is_too_late_and_of_the_erased_becomes_no_dead_letter() -> None:
    old = UsageEvent(**about(1, "gone", None, 1), name="did")
    found = sorter([]).sort(stored([[(None, ENCODE(old), [])]]), NOW)
    assert (found.erased, found.dead_letters) == (1, [])
    assert is_of_erased(about(2, "gone", None, 1), ERASURES)


def _record(topic: str, event: Any) -> tuple[bytes, bytes]:
    return account_key(event.tenant, event.account_id), codec(topic).encode(event)
