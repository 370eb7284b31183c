"""A history from a live journal: the customers of a deployment day by day, and when some of them left."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby

from bellbuoy.backtest.fold import NO_RULES, journal_batch
from bellbuoy.errors import ConfigError
from bellbuoy.importing.events import Churn
from bellbuoy.importing.history import history_fate
from bellbuoy.operations.replay.partition import ReplayJob, journal_batches
from bellbuoy.settings import Settings
from bellbuoy.simulator.worlds.fates import Fate
from bellbuoy.simulator.worlds.world import WorldDay
from processors.fold.models_in_force import Models
from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.measures import MEASURES
from processors.merging.transfers import is_forwarded
from processors.model import DEFAULT
from processors.observe.deletion import is_erased
from processors.state.position import Position
from processors.view import View
from schemas.identity.aliases import is_alias
from schemas.identity.keys import split_key
from schemas.inputs import BILLING, ENGAGEMENT, LINKS, PROFILES, SUPPORT, SURVEYS, TRANSFERS
from schemas.records import AccountProfile, InputEvent, JournalBatch, UsageCell
from schemas.times import DAY

__all__ = ["JournalHistory", "read_journal"]

_OF_CUSTOMERS = (SUPPORT, BILLING, SURVEYS, ENGAGEMENT, PROFILES, LINKS, TRANSFERS)
"""What customers and their systems sent, beside usage; not what people did with scores and alerts."""

_END = Position(offset=2**62)

AccountId = tuple[str, str]


def read_journal(settings: Settings, tenant: str | None) -> Iterator[JournalBatch]:
    """Yield the batches of all partitions, or a tenant's part, by journal time; raise KafkaException."""
    jobs = [ReplayJob(settings, number, "", 0, tenant=tenant) for number in range(settings.kafka.partitions)]
    partitions = [(batch for _, batch in journal_batches(job, _END)) for job in jobs]
    return heapq.merge(*partitions, key=lambda batch: batch.written_at)


class JournalHistory:
    """
    The events and fates of a journal's accounts, in the form of a world.

    ``batches`` begins to read the journal, twice: first for who left when, then for the days. An account left
    on the day on which it was no customer any more, by its cancellation or its profile, unless it came back;
    or, with ``churn``, on the date given there by its id. The last day, which may not be over, is left out.
    What people did is not seen: overrides, models in force, answers to alerts.

    Raises ConfigError where the journal is empty.
    """

    seed = 0
    planted = False
    name = "journal"

    def __init__(
        self, batches: Callable[[], Iterable[JournalBatch]], churn: Mapping[AccountId, Churn] | None = None
    ) -> None:
        self._batches = batches
        ends = _Departures()
        for day in self._read():
            ends.add(day)
        if ends.first is None:
            raise ConfigError("the journal is empty: there is nothing yet to hold a model against")
        self.start, self.days = ends.first * DAY, ends.last - ends.first
        self.unknown = sorted(account for _, account in (churn or {}).keys() - ends.accounts.keys())
        self.fates = tuple(
            _seen_fate(account, ends) if churn is None else _given_fate(account, ends, churn.get(account))
            for account in sorted(ends.accounts)
        )

    def days_of_events(self) -> Iterator[WorldDay]:
        """Yield the days from the first batch to the last whole day, also those on which nothing happened."""
        yield from (day for day in self._read() if day.number < self.days)

    def _read(self) -> Iterator[WorldDay]:
        first: int | None = None
        number = 0
        for day, batches in groupby(self._batches(), key=lambda batch: batch.written_at // DAY):
            first = day if first is None else first
            while number < day - first:
                yield WorldDay(number, (first + number + 1) * DAY, [], [])
                number += 1
            cells: list[UsageCell] = []
            events: list[InputEvent] = []
            for batch in batches:
                cells += batch.usage
                for each in _OF_CUSTOMERS:
                    events += getattr(batch, each.batch_field)
            yield WorldDay(number, (day + 1) * DAY, cells, events)
            number += 1


class _Departures:
    """The accounts, and when each gave notice and left; folded without usage, which tells neither."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.last = 0
        self.accounts: dict[AccountId, str] = {}
        self.worth: dict[AccountId, int] = {}
        self.noticed: dict[AccountId, int] = {}
        self.left: dict[AccountId, int] = {}
        models = Models(DEFAULT, fixed=True, rules=NO_RULES, fixed_rules=True)
        self._partition = FoldedPartition(0, Shared(models))

    def add(self, day: WorldDay) -> None:
        """Take over one day."""
        self.last = day.at // DAY - 1
        self.first = self.last if self.first is None else self.first
        seen = {(cell.tenant, cell.account_id) for cell in day.cells}
        seen |= {(event.tenant, event.account_id) for event in day.events}
        for account in seen:
            if not is_alias(account[1]):
                self.accounts.setdefault(account, "")
        for event in day.events:
            if isinstance(event, AccountProfile) and not is_alias(event.account_id):
                account = event.tenant, event.account_id
                self.accounts[account] = event.segment or self.accounts[account]
                self.worth[account] = event.arr_minor or self.worth.get(account, 0)
        for outcome in self._partition.apply([(day.number, journal_batch(replace(day, cells=[])))]):
            for key, state in outcome.states.items():
                if state is not None:
                    self._judge(key, day.at - 1)

    def _judge(self, key: bytes, now: int) -> None:
        account, state = split_key(key), self._partition.state(key)
        if is_forwarded(state) or is_erased(state):  # no customer any more, and none that left
            self.noticed.setdefault(account, now)
            self.left.pop(account, None)
            return
        view = View(state, now)
        for holds, times in (
            (view.churned, self.left),
            (view.churned or MEASURES["billing.cancellation"](view).value, self.noticed),
        ):
            if holds:
                times.setdefault(account, now)
            else:
                times.pop(account, None)


def _seen_fate(account: AccountId, ends: _Departures) -> Fate:
    return history_fate(
        *account,
        segment=ends.accounts[account],
        arr_minor=ends.worth.get(account, 0),
        notice_at=ends.noticed.get(account),
        churned_at=ends.left.get(account),
    )


def _given_fate(account: AccountId, ends: _Departures, churn: Churn | None) -> Fate:
    notice = None if churn is None else churn.notice_at
    worth = ends.worth.get(account, 0) if churn is None or churn.arr_minor is None else churn.arr_minor
    return history_fate(
        *account,
        segment=ends.accounts[account],
        arr_minor=worth,
        notice_at=ends.noticed.get(account) if notice is None else notice,
        churned_at=None if churn is None else churn.churned_at,
    )
