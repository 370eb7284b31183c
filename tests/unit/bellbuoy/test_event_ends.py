"""What became of an event is told of events of those who were erased, too."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bellbuoy.query.events import event_ends
from processors.state.parts import brief
from schemas.codec.envelope import Envelopes
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.identity.erasures import NOBODY, Erasure, Erasures, account_digest, person_digest
from schemas.identity.keys import account_key, partition_of
from schemas.inputs import BILLING, LINKS, USAGE
from schemas.records import AccountLink, BillingEvent, UsageEvent
from schemas.times import DAY
from schemas.topics import Topics
from streams.kafka.record import KafkaRecord

TOPICS = Topics(partitions=1)
REGISTRY = committed()
NOON = 20_000 * DAY + DAY // 2
SALT = b"0123456789abcdef"
KEY = account_digest(SALT, "demo", "acme")
"""The key of the account in the list of who was erased."""


def said(event_id: str, occurred_at: int, **fields: Any) -> dict[str, Any]:
    return {
        "event_id": event_id, "tenant": "demo", "account_id": "acme", "source": "t",
        "occurred_at": occurred_at, "received_at": NOON + DAY,
    } | fields  # fmt: skip


def billing(event_id: str, occurred_at: int) -> BillingEvent:
    return BillingEvent(**said(event_id, occurred_at), kind="subscription_started", subscription_id="s")


def usage(event_id: str, occurred_at: int, user_id: str) -> UsageEvent:
    return UsageEvent(**said(event_id, occurred_at, user_id=user_id), name="Opened")


DELETION = AccountLink(**said("d", NOON), deleted=True, author="root")


def ends(erasures: Erasures, *events: Any, unread: str = "") -> dict[str, str]:
    records, read = [], {}
    for offset, event in enumerate(events):
        each = next(one for one in (BILLING, LINKS, USAGE) if isinstance(event, one.record))
        if each is USAGE:
            value = Envelopes(REGISTRY).single(msgspec.structs.asdict(event))
        else:
            value = codec(each.topic, REGISTRY).encode(event)
        key = account_key(event.tenant, event.account_id)
        records.append(KafkaRecord(each.topic, 0, offset, key, value, []))
        read[each.topic, 0] = 0 if each.topic == unread else len(events)
    found = event_ends(records, TOPICS, REGISTRY, read, [], erasures)
    return {event.event_id: event.end for _, event in found}


def test_an_event_from_before_the_deletion_of_its_account_is_erased() -> None:
    assert ends(NOBODY, DELETION, billing("old", NOON), billing("new", NOON + 1)) == {
        "d": "applied",
        "old": "erased",
        "new": "applied",
    }


def test_a_deletion_takes_the_usage_of_its_day() -> None:
    later = NOON // DAY * DAY + DAY
    assert ends(NOBODY, DELETION, usage("u1", later - 1, "ann"), usage("u2", later, "ann")) == {
        "d": "applied",
        "u1": "erased",
        "u2": "applied",
    }


def test_a_deletion_that_the_journal_has_not_read_erases_nothing_yet() -> None:
    assert ends(NOBODY, DELETION, billing("old", NOON), unread=LINKS.topic) == {
        "d": "waiting",
        "old": "applied",
    }


def test_of_an_erased_person_only_that_person_s_events_are_erased() -> None:
    people = {person_digest(SALT, "demo", "acme", brief("ann")): NOON}
    person = Erasures({KEY: Erasure(salt=SALT, people=people)})
    shown = ends(
        person, usage("hers", NOON, "ann"), usage("later", NOON + 1, "ann"), usage("his", NOON, "bo")
    )
    assert shown == {"hers": "erased", "later": "applied", "his": "applied"}


@pytest.mark.parametrize(("at", "end"), [(NOON, "erased"), (NOON + 1, "applied")])
def test_an_erased_account_is_known_by_the_list_where_its_deletion_is_gone(at: int, end: str) -> None:
    assert partition_of(account_key("demo", "acme"), TOPICS.partitions) == 0
    assert ends(Erasures({KEY: Erasure(salt=SALT, erased_at=NOON)}), billing("b", at)) == {"b": end}
