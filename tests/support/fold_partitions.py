"""Partitions that fold and send each other transfers, as journal and worker do, without a broker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from processors.fold.fold import Outcome, fold
from processors.fold.shared import Shared
from processors.intake.admission import identity
from processors.state.account import State
from processors.state.encoding import decode_state
from processors.state.position import Position
from schemas.identity.keys import account_key, partition_of
from schemas.records import AccountLink, AccountTransfer, JournalBatch
from tests.support.generators import NOW, batch

MOST_BATCHES = 500


@dataclass
class Partition:
    """One partition: what waits for its journal, its dedupe window, and what has become of it."""

    number: int
    waiting: list[Any] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    states: dict[bytes, bytes] = field(default_factory=dict)
    position: Position = field(default_factory=Position)
    read: int = 0
    journal: list[JournalBatch] = field(default_factory=list)

    def turn(self, most: int, now: int = NOW) -> Outcome:
        """Journal up to so many of the records that wait, and fold them."""
        some, self.waiting = self.waiting[:most], self.waiting[most:]
        fresh, known = [], []
        for event in some:
            name = identity(event.tenant, f"{type(event).__name__}{event.source}", event.event_id)
            (known if name in self.seen else fresh).append(event)
            self.seen.add(name)
        self.read += len(some)
        written = batch(self.position.sequence + 1, now, fresh, duplicates=len(known))
        self.journal.append(written)
        outcome = fold(
            self.states,
            self.position,
            written,
            partition=self.number,
            offset=written.sequence,
            due=self.due(now),
            shared=Shared(),
        )
        self.states |= outcome.states
        self.position = outcome.position
        return outcome

    def due(self, now: int) -> list[bytes]:
        moments = {key: decode_state(raw).due for key, raw in self.states.items()}
        return [key for key, moment in moments.items() if moment is not None and moment <= now]


class Partitions:
    """A few partitions; records go to the one their account belongs to."""

    def __init__(self, count: int = 3) -> None:
        self.all = [Partition(number) for number in range(count)]
        self.outcomes: list[Outcome] = []
        self.transfers: list[AccountTransfer] = []

    def send(self, *events: Any) -> None:
        for event in events:
            self.of(event.account_id).waiting.append(event)

    def of(self, account_id: str) -> Partition:
        return self.all[partition_of(account_key("acme", account_id), len(self.all))]

    def run(self, data: st.DataObject | None = None, twice: bool = False, now: int = NOW) -> None:
        """Fold until nothing waits, in turns of Hypothesis's choice; ``twice`` sends each transfer again."""
        for _ in range(MOST_BATCHES):
            ready = [one for one in self.all if one.waiting]
            if not ready:
                return
            one = ready[0] if data is None else data.draw(st.sampled_from(ready))
            most = len(one.waiting) if data is None else data.draw(st.integers(1, len(one.waiting)))
            outcome = one.turn(most, now)
            self.outcomes.append(outcome)
            moved = [transfer for _, transfer in outcome.transfers]
            self.transfers += moved
            self.send(*moved, *(moved if twice else ()))
        raise AssertionError("transfers go on for ever")

    def state(self, account_id: str) -> State | None:
        raw = self.raw(account_id)
        return None if raw is None else decode_state(raw)

    def raw(self, account_id: str) -> bytes | None:
        return self.of(account_id).states.get(account_key("acme", account_id))

    def balanced(self) -> None:
        """Raise AssertionError unless the accounts' states hold what the positions say."""
        held = sum(decode_state(raw).applied for one in self.all for raw in one.states.values())
        assert held == sum(one.position.applied for one in self.all)
        for one in self.all:
            position = one.position
            assert position.applied + position.duplicates + position.moved == one.read


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
