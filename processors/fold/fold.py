"""
Fold of journal batches into the account states of one partition.

Values in, values out: the same states, position and batches give the same bytes, whenever and however often
they are folded, and however many batches are folded before the outcome is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from processors.alerts.actions import act
from processors.fold.account_update import AccountUpdate
from processors.fold.evaluation_cache import LoadedAccount
from processors.fold.judge import Judge
from processors.fold.outcome import Outcome
from processors.fold.shared import Shared
from processors.lost_days import DayCounts, FeedDays, counted, reported
from processors.merging.transfers import receive
from processors.observe import OBSERVERS, observe_usage
from processors.observe.account_acts import observe_account_act
from processors.observe.deletion import erase, ignore
from processors.observe.person_erasure import erase_person
from processors.owners.fold import OwnersFold
from processors.owners.notifications import owner_alert
from processors.owners.outages import outage_alert
from processors.silent_sources import FeedKey, Outage
from processors.state.account import State
from processors.state.account_acts import ACCOUNT_ACTS
from processors.state.encoding import decode_state, encode_state
from processors.state.position import BatchOrigin, Position
from processors.state.usage_parts import PAST
from schemas.identity.aliases import is_alias
from schemas.identity.keys import account_key, split_key
from schemas.identity.owners import OWNERS
from schemas.inputs import INPUTS, PROFILES, USAGE
from schemas.records import AccountLink, JournalBatch
from schemas.times import DAY, MINUTE

__all__ = ["Fold"]

_COUNTED = tuple(each.batch_field for each in INPUTS if each is not USAGE and each.written_by != "worker")
"""The lists of a batch whose items are counted as events; a transfer's were counted before it was sent."""

_MOVED = tuple(each.batch_field for each in INPUTS if each.written_by == "worker")
"""The lists of a batch whose items the worker sent."""


class Fold:
    """
    Batches of one partition, folded one after the other into one outcome.

    ``states`` maps account keys to state bytes; ``take`` may return an account as a value instead, which is
    then changed. ``owner_rows`` are those of the owners' stage (``processors.owners.rows``), ``accounts`` the
    numbers of stored accounts by tenant. ``select`` returns the part of a batch that is folded; what all
    accounts share always sees the whole batch. A batch that changes models must be the last one of its fold:
    then every account is due.
    """

    def __init__(
        self,
        states: Mapping[bytes, bytes],
        position: Position,
        *,
        partition: int,
        shared: Shared,
        owner_rows: Mapping[bytes, bytes] = MappingProxyType({}),
        accounts: Mapping[str, int] = MappingProxyType({}),
        take: Callable[[bytes], LoadedAccount | None] = lambda _: None,
        select: Callable[[JournalBatch], JournalBatch] | None = None,
    ) -> None:
        self._states = states
        self._select = select
        self._take = take
        self._partition = partition
        self._shared_before = shared
        self._outcome = Outcome(position, shared)
        self._owners = OwnersFold(owner_rows)
        self._accounts = accounts

    def add(
        self, batch: JournalBatch, offset: int, due: Iterable[bytes], owner_rows_due: Iterable[bytes] = ()
    ) -> None:
        """
        Fold the batch at this journal offset; ``due`` names the accounts that time alone makes due.

        ``owner_rows_due`` names the rows of the owners' stage that are due.

        Raises ValueError when the batch isn't the next one.
        """
        position = self._outcome.position
        if batch.sequence != position.sequence + 1:
            raise ValueError(f"batch {batch.sequence} does not follow {position.sequence}")
        shared, outages = self._outcome.shared.after(batch), list[Outage]()
        if batch.written_at // MINUTE > position.written_at // MINUTE:
            shared, outages = shared.with_outages(batch.written_at)
        self._outcome.shared = shared
        if self._select is not None:
            batch = self._select(batch)
        updates = self._observe(batch)
        for key in self._due(due, batch.written_at):
            if key not in updates:
                updates[key] = AccountUpdate(self._account(key))
        origin = BatchOrigin(self._partition, batch.sequence, batch.written_at)
        judge, alerts = Judge(origin, shared), self._outcome.alerts
        judged_before = len(alerts)
        for key in sorted(updates):
            judge.judge(key, updates[key], self._outcome)
        self._report_days(judge.day_counts, origin, position.written_at)
        incidents = (outage_alert(outage, origin) for outage in outages)
        for alert in (*(alert for _, alert in alerts[judged_before:]), *incidents):
            if not alert.shadow:
                to_owners = owner_alert(alert)
                key = account_key(to_owners.tenant, to_owners.account_id)
                self._outcome.owner_alerts.append((key, to_owners))
        self._owners.add(batch, origin, owner_rows_due, shared.policies.of, self._accounts_of)
        applied = sum(cell.events for cell in batch.usage) + sum(
            len(getattr(batch, name)) for name in _COUNTED
        )
        self._outcome.position = Position(
            sequence=batch.sequence,
            offset=offset,
            written_at=batch.written_at,
            applied=position.applied + applied,
            duplicates=position.duplicates + batch.duplicates,
            dead_letters=position.dead_letters + batch.dead_letters,
            moved=position.moved + batch.moved + sum(len(getattr(batch, name)) for name in _MOVED),
            erased=position.erased + batch.erased,
        )

    def _report_days(self, counts: Mapping[FeedKey, DayCounts], origin: BatchOrigin, before: int) -> None:
        """Add the counts of yesterday to what is known of the feeds' days, and report days that ended."""
        shared, now, changed = self._outcome.shared, origin.written_at, dict[FeedKey, FeedDays]()
        waiting = shared.feed_days.values() if now // MINUTE > before // MINUTE else ()
        keys = {(feed.tenant, feed.topic) for feed in waiting if feed.here_day >= 0} | counts.keys()
        for key in sorted(keys):
            feed = known = shared.feed_days.get(key, FeedDays(key[0], topic=key[1]))
            if key in counts:
                feed = counted(feed, now // DAY - 1, counts[key])
            report = reported(feed, origin.partition, now)
            if report is not None:
                feed = report[0]
                self._outcome.feed_reports.append(report[1])
            if feed is not known:
                changed[key] = feed
        self._outcome.shared = shared.with_feed_days(changed)

    def outcome(self) -> Outcome:
        """Return what the added batches change altogether."""
        outcome = self._outcome
        outcome.states = {
            key: None
            if account.state.sequence < 0  # removed: the judge leaves a blank one
            else encode_state(account.state, arranged=True, cache=account.encoding)
            for key, account in outcome.accounts.items()
        }
        outcome.owner_rows = self._owners.changed_rows()
        outcome.notifications = self._owners.notifications
        outcome.shared_entries = outcome.shared.entries_since(self._shared_before)
        return outcome

    def _accounts_of(self, tenant: str) -> int:
        """Return how many accounts of a tenant there are after the batches so far."""
        number, prefix = self._accounts.get(tenant, 0), account_key(tenant, "")
        for key, account in self._outcome.accounts.items():
            if key.startswith(prefix) and not is_alias(account.state.account_id):
                number += (account.state.sequence >= 0) - (key in self._states)
        return number

    def _due(self, due: Iterable[bytes], now: int) -> Iterator[bytes]:
        """Yield the accounts due by now; of accounts that an earlier batch changed, the state says when."""
        changed = self._outcome.accounts
        yield from (key for key in due if key not in changed)
        for key, account in changed.items():
            if account.state.due is not None and account.state.due <= now:
                yield key

    def _account(self, key: bytes) -> LoadedAccount:
        account = self._outcome.accounts.get(key) or self._take(key)
        if account is None:
            raw = self._states.get(key)
            tenant, account_id = split_key(key)
            account = LoadedAccount(
                State(tenant=tenant, account_id=account_id) if raw is None else decode_state(raw)
            )
        return account

    def _observe(self, batch: JournalBatch) -> dict[bytes, AccountUpdate]:
        """Fold the events of a batch into the states, and return what they brought by account key."""
        updates: dict[bytes, AccountUpdate] = {}
        today = batch.written_at // DAY

        def update_of(tenant: str, account_id: str) -> AccountUpdate:
            key = account_key(tenant, account_id)
            update = updates.get(key)
            if update is None:
                update = updates[key] = AccountUpdate(self._account(key))
            return update

        for deletion in batch.links:
            if deletion.deleted and deletion.account_id != OWNERS:  # first of all: what occurred later counts
                update = update_of(deletion.tenant, deletion.account_id)
                if deletion.person is None:
                    update.deleted |= erase(update.account.state, deletion)
                elif deletion.occurred_at <= update.account.state.deleted_at:
                    ignore(update.account.state)
                else:
                    update.note_owner()
                    erase_person(update.account.state, deletion.person)
                    update.account.evaluation = update.account.encoding = None
                update.received(deletion.received_at)
                update.usage_only = False
        for cell in batch.usage:
            update = update_of(cell.tenant, cell.account_id)
            if cell.day <= update.account.state.deleted_at // DAY:
                ignore(update.account.state, cell.events)
                update.usage_only = False
                continue
            update.changed_usage |= observe_usage(update.account.state, cell)
            update.received(cell.received_at)
            if cell.day != today:
                update.changed_usage |= PAST
        for name, observe in OBSERVERS:
            for event in getattr(batch, name):
                if isinstance(event, AccountLink) and event.deleted:
                    continue
                update = update_of(event.tenant, event.account_id)
                update.usage_only = False
                if event.occurred_at <= update.account.state.deleted_at:
                    ignore(update.account.state)
                    continue
                if name == PROFILES.batch_field:
                    update.note_owner()
                observe(update.account.state, event)
                update.received(event.received_at)
        for action in batch.actions:
            if action.account_id == OWNERS:
                continue
            update = update_of(action.tenant, action.account_id)
            if action.occurred_at <= update.account.state.deleted_at:
                ignore(update.account.state)
                continue
            if action.kind in ACCOUNT_ACTS:
                observe_account_act(update.account.state, action)
            else:
                update.episode_changes += act(update.account.state, action, batch.written_at)
            update.received(action.received_at)
            update.usage_only = False
        for transfer in batch.transfers:
            update = update_of(transfer.tenant, transfer.account_id)
            update.note_owner()
            receive(update.account.state, transfer, batch.written_at)
            update.received(transfer.received_at)
            update.usage_only = False
        return updates
