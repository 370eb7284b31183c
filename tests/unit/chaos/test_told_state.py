"""The rules of what people are told hold for every cut into batches, which is what chaos relies on."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import msgspec
import pytest

from chaos.company import DAYS, TENANT, ChaosCompany
from chaos.told_state import AlertChange, ToldState, alert_change, told_state, told_violations
from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from schemas.codec.record_codec import RECORDS
from schemas.identity.keys import account_key, partition_of
from schemas.records import AlertNotification
from tests.support.generators import batch

PARTITIONS = 2
ACCOUNTS = 40


class Company:
    """The partitions of a company, folded in batches of so many records, drawn by chance."""

    def __init__(self, most: int, chance: random.Random) -> None:
        self.most, self.chance = most, chance
        self.folded = [FoldedPartition(number, Shared()) for number in range(PARTITIONS)]
        self.waiting: list[list[Any]] = [[] for _ in self.folded]
        self.sent: list[AlertNotification] = []
        self.alerts: Counter[AlertChange] = Counter()

    def send(self, *events: Any) -> None:
        for event in events:
            self.waiting[partition_of(account_key(event.tenant, event.account_id), PARTITIONS)].append(event)

    def tick(self, now: int) -> None:
        for number in range(PARTITIONS):
            self._fold(number, [], now)
        self.drain(now)

    def drain(self, now: int) -> None:
        while ready := [number for number in range(PARTITIONS) if self.waiting[number]]:
            number, size = self.chance.choice(ready), self.chance.randint(1, self.most)
            records, self.waiting[number] = self.waiting[number][:size], self.waiting[number][size:]
            self._fold(number, records, now)

    def told(self) -> ToldState:
        rows = {key: raw for one in self.folded for key, raw in one.owner_rows.items()}
        return told_state(self.sent, rows)

    def _fold(self, number: int, records: list[Any], now: int) -> None:
        folded = self.folded[number]
        sequence = folded.position.sequence + 1
        for outcome in folded.apply([(sequence, batch(sequence, now, records))]):
            self.sent += [told for _, told in outcome.notifications]
            self.alerts.update(alert_change(alert) for _, alert in outcome.alerts)
            self.send(*(alert for _, alert in outcome.owner_alerts))


def lived(company: ChaosCompany, most: int, seed: int) -> Company:
    made = Company(most, random.Random(seed))
    for day in company.days():
        made.tick(day.now)
        for topic, events in day.typed.items():
            for fields in events:
                given = fields | {"tenant": TENANT, "received_at": day.now}
                made.send(msgspec.convert(given, RECORDS[topic]))
        if day.first:
            made.drain(day.now)
        made.send(*day.usage)
        made.drain(day.now)
    return made


@pytest.mark.timeout(600)
def test_nothing_is_wrong_with_what_people_are_told_however_it_is_cut() -> None:
    company = ChaosCompany(7, events=2 * DAYS * ACCOUNTS, accounts=ACCOUNTS)
    whole, pieces = lived(company, 10**6, 1), lived(company, 40, 2)

    assert whole.alerts == pieces.alerts
    assert sum(whole.told().told.values()) > ACCOUNTS
    assert {kind for _, kind, *_ in whole.told().told} >= {"alert", "digest"}
    for run in (whole, pieces):
        assert list(told_violations(run.told(), run.alerts)) == []
    assert whole.told().open_alerts == pieces.told().open_alerts
