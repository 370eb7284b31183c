"""Port of serving sinks: what the commands, the console and the tests read from one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import msgspec

from schemas.records import AccountHealth, AccountKpis, RiskAlert, Task
from schemas.times import DAY

__all__ = [
    "AccountSummary",
    "HistoryEntry",
    "ReadError",
    "Reader",
    "Update",
    "from_kpis",
    "summary",
]


class ReadError(Exception):
    """
    The serving sink doesn't answer those who read it.

    Operator action: start the server that the message names, or correct the key that it names.
    """


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """
    One change that the sink accepted; updates are in the order in which it accepted them.

    ``kind`` is ``health``, ``deleted`` (an account was), or ``alert``, which alone has the fields from
    ``alert_id`` on. ``id`` is
    ``milliseconds-counter`` by the destination's clock; ``version`` is the journal's sequence number.
    """

    id: str
    kind: str
    tenant: str
    account_id: str
    score: float
    band: str
    as_of: int
    received_at: int | None = None
    version: int
    alert_id: str | None = None
    rule: str | None = None
    change: str | None = None
    severity: str | None = None
    title: str | None = None
    owner: str | None = None

    @property
    def written_at(self) -> int:
        """Return when the destination accepted it, UTC milliseconds by its own clock."""
        return int(self.id.partition("-")[0])


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Score and band of an account from one journal time (UTC milliseconds) on."""

    as_of: int
    version: int
    score: float
    band: str


_OF_KPIS = ("mrr_before", "gross_retention", "net_retention", "renewal_at")
_RETAINED = ("revenue.before", "revenue.gross_retention", "revenue.net_retention")
_RENEWAL = "billing.renewal"


class AccountSummary(msgspec.Struct, frozen=True, kw_only=True):
    """
    An account's newest health and KPIs without their explanation, for roll-ups and lists.

    ``renewal_at`` is UTC milliseconds, to the day.
    """

    account_id: str
    name: str | None = None
    owner: str | None = None
    segment: str | None = None
    stage: str | None = None
    parent_id: str | None = None
    arr_minor: int | None = None
    currency: str | None = None
    score: float
    band: str
    previous_score: float | None = None
    as_of: int
    mrr_before: float | None = None
    gross_retention: float | None = None
    net_retention: float | None = None
    renewal_at: int | None = None
    coverage: float = 1.0
    reasons: list[str] = []
    silent_sources: list[str] = []
    churn_probability: float | None = None
    tasks: list[Task] = []
    involuntary_score: float | None = None
    involuntary_reasons: list[str] = []


class Reader(Protocol):
    """
    Reader of a serving sink.

    A name that is not there is ``None`` or an empty list. Every method raises ReadError when the destination
    doesn't answer.
    """

    def account(self, tenant: str, account_id: str, /) -> AccountHealth | None:
        """Return an account's newest health."""

    def kpis(self, tenant: str, account_id: str, /) -> AccountKpis | None:
        """Return an account's newest KPIs; they follow its health within a minute."""

    def riskiest(self, tenant: str, n: int, /, owner: str | None = None) -> list[AccountHealth]:
        """Return up to ``n`` accounts, lowest score first, without those of unknown band."""

    def unknown(self, tenant: str, /) -> list[str]:
        """Return the ids of the accounts of unknown band, sorted; without those merged into another."""

    def accounts(self, tenant: str, /) -> Iterator[AccountSummary]:
        """
        Yield every account of a tenant once, those of unknown band included, in no order.

        One that was merged into another is none. It is read in pages, so an account that is written meanwhile
        is yielded as it was or as it is.
        """

    def summaries(self, tenant: str, account_ids: Sequence[str], /) -> list[AccountSummary]:
        """Return those of these accounts that there are, in their order; one merged into another is none."""

    def history(self, tenant: str, account_id: str, n: int, /) -> list[HistoryEntry]:
        """Return up to ``n`` newest changes of score or band, newest first."""

    def histories(self, tenant: str, account_ids: Sequence[str], n: int, /) -> list[list[HistoryEntry]]:
        """Return the ``history`` of each of these accounts, in their order."""

    def open_alerts(self, tenant: str, n: int, /) -> list[RiskAlert]:
        """Return up to ``n`` open alerts, newest first."""

    def alert(self, alert_id: str, /) -> RiskAlert | None:
        """Return an alert, open or resolved."""

    def updates(self, after_id: str, count: int, /, block_ms: int = 0) -> list[Update]:
        """
        Return up to ``count`` updates after an id, oldest first, waiting up to ``block_ms`` for one.

        The id ``0`` is before the oldest update, ``$`` is the newest one at the time of the call.
        """

    def newest_update(self) -> str:
        """Return the id of the newest update, ``0`` if there is none."""

    def find(self, tenant: str, text: str, /, n: int = 5) -> list[str]:
        """Return up to ``n`` account ids nearest to what somebody typed, best first."""

    def close(self) -> None:
        """Close the connections."""


def summary(health: AccountHealth, kpis: AccountKpis | None = None) -> AccountSummary:
    """Return the summary of an account from its newest records."""
    fields: dict[str, Any] = {
        name: getattr(health, name) for name in AccountSummary.__struct_fields__ if name not in _OF_KPIS
    }
    if kpis is not None:
        fields |= zip(_OF_KPIS, from_kpis(kpis), strict=True)
    return AccountSummary(**fields)


def from_kpis(kpis: AccountKpis) -> tuple[float | None, ...]:
    """
    Return what a summary has of the KPIs, in the order of its fields.

    These are the revenue 12 months ago (minor units a month), the gross and net shares retained of it, and
    the time of the next renewal.
    """
    values = {measure.name: measure.value for measure in kpis.measures}
    days = values.get(_RENEWAL)
    renewal_at = None if days is None else int(kpis.as_of // DAY + days) * DAY
    return *(values.get(name) for name in _RETAINED), renewal_at
