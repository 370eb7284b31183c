"""Partitions that fold and send each other transfers, as journal and worker do, without a broker."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from processors.fold.outcome import Outcome
from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.intake.admission import identity
from processors.state.account import State
from processors.state.encoding import decode_state
from schemas.identity.keys import account_key, partition_of
from schemas.records import AccountLink, AccountTransfer, AlertNotification, JournalBatch
from tests.support.generators import NOW, batch

MAX_BATCHES = 500


class Partition:
    """A folded partition with its journal, its dedupe window, and the records that wait for the journal."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.waiting: list[Any] = []
        self.read = 0
        self.journal: list[JournalBatch] = []
        self.folded = FoldedPartition(number, Shared())
        self._seen: set[int] = set()

    def step(self, max_records: int, now: int = NOW) -> Outcome:
        """Write the next records that wait into the journal, as one batch, and fold it."""
        records, self.waiting = self.waiting[:max_records], self.waiting[max_records:]
        self.read += len(records)
        fresh = [record for record in records if self._is_new(record)]
        sequence = self.folded.position.sequence + 1
        written = batch(sequence, now, fresh, duplicates=len(records) - len(fresh))
        self.journal.append(written)
        [outcome] = self.folded.apply([(sequence, written)])
        return outcome

    def _is_new(self, record: Any) -> bool:
        name = identity(record.tenant, f"{type(record).__name__}{record.source}", record.event_id)
        new = name not in self._seen
        self._seen.add(name)
        return new


class Partitions:
    """A few partitions; records go to the one their account belongs to."""

    def __init__(self, count: int = 3) -> None:
        self.all = [Partition(number) for number in range(count)]
        self.outcomes: list[Outcome] = []
        self.transfers: list[AccountTransfer] = []
        self.notifications: list[AlertNotification] = []

    def send(self, *events: Any) -> None:
        for event in events:
            self.of(event.account_id).waiting.append(event)

    def of(self, account_id: str) -> Partition:
        return self.all[partition_of(account_key("acme", account_id), len(self.all))]

    def run(self, data: st.DataObject | None = None, twice: bool = False, now: int = NOW) -> None:
        """Fold until nothing waits, in steps of Hypothesis's choice; ``twice`` sends each transfer twice."""
        for _ in range(MAX_BATCHES):
            ready = [partition for partition in self.all if partition.waiting]
            if not ready:
                return
            partition = ready[0] if data is None else data.draw(st.sampled_from(ready))
            waiting = len(partition.waiting)
            outcome = partition.step(waiting if data is None else data.draw(st.integers(1, waiting)), now)
            if outcome.accounts or not outcome.owner_rows:  # else it only told owners of alerts
                self.outcomes.append(outcome)
            transfers = [transfer for _, transfer in outcome.transfers]
            self.transfers += transfers
            owner_alerts = [alert for _, alert in outcome.owner_alerts]
            self.notifications += [told for _, told in outcome.notifications]
            self.send(*transfers, *(transfers if twice else ()))
            self.send(*owner_alerts, *(owner_alerts if twice else ()))
        raise AssertionError("transfers never end")

    def state(self, account_id: str) -> State | None:
        raw = self.raw(account_id)
        return None if raw is None else decode_state(raw)

    def raw(self, account_id: str) -> bytes | None:
        return self.of(account_id).folded.states.get(account_key("acme", account_id))

    def balanced(self) -> None:
        """Raise AssertionError unless the positions count the events in the states, and every record read."""
        folded = [partition.folded for partition in self.all]
        applied = sum(decode_state(raw).applied for one in folded for raw in one.states.values())
        assert applied == sum(one.position.applied for one in folded)
        for partition in self.all:
            position = partition.folded.position
            assert position.applied + position.duplicates + position.moved == partition.read


def link(account_id: str, into: str, at: int = NOW, event_id: str = "") -> AccountLink:
    return AccountLink(
        event_id=event_id or f"{account_id} {into} {at}",
        tenant="acme",
        account_id=account_id,
        source="test",
        occurred_at=at,
        received_at=NOW,
        into=into,
    )
