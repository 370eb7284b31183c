"""A history from files: a team's own customers day by day, with the dates on which some of them left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from bellbuoy.importing.errors import ImportFileError, RowFault
from bellbuoy.importing.events import Churn, TableFile, TableReader
from bellbuoy.importing.map_format import MapFile
from bellbuoy.simulator.worlds.fates import Fate
from bellbuoy.simulator.worlds.world import WorldDay
from processors.intake.usage_rollup_rows import roll_up
from schemas.codec.registry import Registry
from schemas.records import AccountProfile, InputEvent, UsageEvent
from schemas.times import DAY

__all__ = ["UNDECIDED_DAYS", "ImportedHistory", "history_fate"]

UNDECIDED_DAYS = 90
"""Days before its churn in which an account of unknown cause counts as neither calm nor in trouble."""


class ImportedHistory:
    """
    The events and fates of a team's files, in the form of a world.

    The cause of churn is not known: an account that leaves has the cause ``unknown``, whose ``onset`` is
    ``UNDECIDED_DAYS`` before it left. Rows that can't be used are counted in ``faults``.

    Raises ImportFileError where the files hold no event.
    """

    seed = 0
    planted = False

    def __init__(self, mapping: MapFile, files: Sequence[TableFile], registry: Registry, now: int) -> None:
        self.name, self.faults = ", ".join(sorted({file.path.name for file in files})), 0
        self._usage: dict[int, list[UsageEvent]] = defaultdict(list)
        self._others: dict[int, list[InputEvent]] = defaultdict(list)
        churn: dict[str, Churn] = {}
        accounts: dict[str, str] = {}
        worth: dict[str, int] = {}
        for file in files:
            for row in TableReader(mapping, file, registry, now):
                what = row.what
                if isinstance(what, RowFault):
                    self.faults += 1
                elif isinstance(what, Churn):
                    churn[what.account_id] = what
                elif what is not None:
                    accounts.setdefault(what.account_id, "")
                    event = msgspec.structs.replace(what, received_at=what.occurred_at)
                    if isinstance(event, UsageEvent):
                        self._usage[event.occurred_at // DAY].append(event)
                    else:
                        self._others[event.occurred_at // DAY].append(event)
                    if isinstance(event, AccountProfile):
                        accounts[event.account_id] = event.segment or accounts[event.account_id]
                        worth[event.account_id] = event.arr_minor or worth.get(event.account_id, 0)
        days = self._usage.keys() | self._others.keys()
        if not days:
            raise ImportFileError("the files hold no event: nothing to hold a model against; give usage, too")
        first = min(days)
        self.start, self.days = first * DAY, max(days) - first + 1
        self.fates = tuple(
            _fate(mapping.tenant, account, segment, worth.get(account, 0), churn.get(account))
            for account, segment in sorted(accounts.items())
        )

    def days_of_events(self) -> Iterator[WorldDay]:
        """Yield the days from the first event to the last, also those on which nothing happened."""
        first = self.start // DAY
        for number in range(self.days):
            day = first + number
            cells = roll_up(map(msgspec.structs.asdict, self._usage.get(day, ())))
            yield WorldDay(number, (day + 1) * DAY, cells, self._others.get(day, []))


def _fate(tenant: str, account: str, segment: str, arr_minor: int, churn: Churn | None) -> Fate:
    return history_fate(
        tenant,
        account,
        segment=segment,
        arr_minor=arr_minor if churn is None or churn.arr_minor is None else churn.arr_minor,
        notice_at=None if churn is None else churn.notice_at,
        churned_at=None if churn is None else churn.churned_at,
    )


def history_fate(
    tenant: str,
    account_id: str,
    *,
    segment: str,
    arr_minor: int,
    notice_at: int | None,
    churned_at: int | None,
) -> Fate:
    """Return the fate of a real account, the cause of whose churn is not known."""
    return Fate(
        tenant=tenant,
        account_id=account_id,
        segment=segment,
        cause=None if churned_at is None else "unknown",
        onset=None if churned_at is None else churned_at - UNDECIDED_DAYS * DAY,
        notice_at=notice_at,
        churned_at=churned_at,
        saved_at=None,
        arr_minor=arr_minor,
        involuntary=False,
    )
