"""The simulated company: every event of a simulation, in the order of delivery."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import chain
from typing import Any

from bellbuoy.simulator.world.accounts import SimAccount, make_accounts
from bellbuoy.simulator.world.billing import Subscriber
from bellbuoy.simulator.world.delivery import Delivery, SimEvent
from bellbuoy.simulator.world.disorder import Disorder, with_disorder
from bellbuoy.simulator.world.random_streams import id_prefix, random_stream
from bellbuoy.simulator.world.relations import contacts_on, profile_on, surveys_on
from bellbuoy.simulator.world.states import CustomerState, StatePath
from bellbuoy.simulator.world.support import tickets_on
from bellbuoy.simulator.world.usage import usage_on
from schemas.times import DAY

__all__ = ["SimulatedCompany"]


class SimulatedCompany:
    """
    A simulated company; equal arguments give equal deliveries, ids included.

    ``start`` is UTC milliseconds and is rounded down to midnight; ``per_seat`` is the mean number of usage
    events of a seat on a healthy working day. The deliveries never end: take as many as needed.
    """

    def __init__(
        self,
        seed: int,
        accounts: int,
        start: int,
        disorder: Disorder | None = None,
        per_seat: float = 0.25,
    ) -> None:
        self.seed = seed
        self.start = start // DAY * DAY
        self.accounts = make_accounts(seed, accounts)
        self._disorder = disorder or Disorder()
        self._per_seat = per_seat
        self._id_prefix = id_prefix(seed, self.start)
        self._paths = {account.account_id: StatePath(seed, account.account_id) for account in self.accounts}

    def state(self, account_id: str, day: int) -> CustomerState:
        """Return the hidden state of an account on a day of the simulation, counted from 0."""
        return self._paths[account_id].state_on(day)

    def deliveries(self) -> Iterator[Delivery]:
        """Yield every delivery in the order of time, without end."""
        waiting: list[tuple[int, int, Delivery]] = []
        serial = 0
        subscribers = {
            account.account_id: Subscriber(
                account, self._paths[account.account_id], self.start, self.seed, self._prefix(account)
            )
            for account in self.accounts
        }
        day = 0
        while True:
            for account in self.accounts:
                draw = random_stream(self.seed, account.account_id, day, "disorder")
                for event in self._events(account, day, subscribers[account.account_id]):
                    for delivery in with_disorder(event, self._disorder, draw):
                        heappush(waiting, (delivery.at, serial, delivery))
                        serial += 1
            day += 1
            until = self.start + day * DAY
            while waiting and waiting[0][0] < until:
                yield heappop(waiting)[2]

    def account_truth(self) -> Iterator[dict[str, Any]]:
        """Yield what each account is."""
        for account in self.accounts:
            yield {
                "account": account.account_id,
                "name": account.name,
                "owner": account.owner,
                "segment": account.segment,
                "seats": account.seats,
                "mrr_minor": account.mrr_minor,
            }

    def day_truth(self, day: int) -> Iterator[dict[str, Any]]:
        """Yield each account's hidden state on a day of the simulation; ``previous`` where it changed."""
        for account in self.accounts:
            state, before = self.state(account.account_id, day), self.state(account.account_id, day - 1)
            fields = {"account": account.account_id, "day": self.start // DAY + day, "state": state}
            yield fields | ({"previous": before} if state is not before else {})

    def _events(self, account: SimAccount, day: int, subscriber: Subscriber) -> Iterator[SimEvent]:
        path = self._paths[account.account_id]
        state, date = path.state_on(day), self.start // DAY + day
        prefix = f"{self._prefix(account)}-{day:x}"
        return chain(
            profile_on(account, path, day, self.start, prefix),
            subscriber.events_on(day),
            usage_on(account, state, date, self._per_seat, self.seed, prefix),
            tickets_on(account, state, date, self.seed, prefix),
            surveys_on(account, state, date, self.seed, prefix),
            contacts_on(account, path, day, self.start, self.seed, prefix),
        )

    def _prefix(self, account: SimAccount) -> str:
        return f"{self._id_prefix}-{account.index:x}"
