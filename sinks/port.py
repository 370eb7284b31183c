"""
Port of sinks: what every destination of health, KPIs and alerts implements, and how it refuses a record.

A sink keeps records by key and version. Whoever must be told of an alert once is reached through a channel
instead (``sinks/notify/port.py``), which takes ``AlertNotification`` and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from schemas.records import AccountHealth, AccountKpis, AlertNotification, RiskAlert

__all__ = [
    "KEPT",
    "OUTPUTS",
    "Appending",
    "DailyUse",
    "DeliveryOrder",
    "Erasable",
    "Gathering",
    "Historical",
    "Metered",
    "Migratable",
    "Once",
    "Output",
    "Positioned",
    "Reconcilable",
    "Rejected",
    "Retaining",
    "SetBackError",
    "Sink",
    "SinkEntry",
    "SinkError",
    "SinkSettingsError",
    "Subject",
    "version",
]

Output = AccountHealth | AccountKpis | RiskAlert | AlertNotification
"""A record that a sink may take."""

OUTPUTS: frozenset[type[Output]] = frozenset({AccountHealth, AccountKpis, RiskAlert, AlertNotification})
"""Every record type there is for a sink."""

KEPT: frozenset[type[Output]] = OUTPUTS - {AlertNotification}
"""The record types that have a key and a newest version, so that a destination can keep them."""

_CHANGES = {"opened": 1, "updated": 2, "resolved": 3}


def version(record: Output) -> tuple[int, int, int]:
    """
    Return the version of a record: of two records of one key, the larger one is the newer.

    Journal time comes first, because sequence numbers start again with topics that are made anew. One batch
    of the journal may change an alert twice; then the kind of change decides.
    """
    if isinstance(record, AlertNotification):
        return record.created_at, record.sequence, 0
    if isinstance(record, RiskAlert):
        return record.changed_at, record.sequence, _CHANGES.get(record.change, 0)
    return record.as_of, record.sequence, 0


class SinkError(Exception):
    """The destination can't take the batch now; offer the same batch again after *retry_after* seconds."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SinkSettingsError(Exception):
    """
    The sink's settings can't be used, and no later attempt will change that.

    Operator action: correct the key that the message names.
    """


class SetBackError(SinkError):
    """The destination is not where this writer left it: it was emptied, or an older copy of it came back."""


class Rejected(Exception):  # noqa: N818 - a verdict on one record, not a fault
    """The destination never takes this record: it becomes a dead letter, the rest is offered again."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


class Sink(Protocol):
    """
    A destination of output records, whose writes are idempotent by key and version.

    Delivery calls it from one thread: ``open`` until it succeeds, then ``write`` with one batch after the
    other, each until it succeeds, and in the end ``close``. Redelivery is normal, after a crash and after a
    lost answer, so a record that was written before must change nothing. A sink that keeps the newest record
    of a key compares their ``version``.

    A record of health or KPIs that is ``deleted`` removes what is kept of the account: the newest health and
    its place in lists and rankings, or the newest KPIs.

    ``name`` is the last part of the consumer group and the metrics label: never rename a sink that runs.
    ``records`` are the types it takes: delivery subscribes it to the topics of these and to no others.
    """

    name: str
    records: frozenset[type[Output]]

    def open(self) -> None:
        """
        Connect and do once what every write will do.

        Raises SinkError when the destination is away and SinkSettingsError when it can't be reached with
        these settings.
        """

    def write(self, batch: Sequence[Output], /) -> None:
        """
        Write the batch in its order and return once every record is durable there.

        Raises SinkError when it can't be written now, and Rejected for a record that never can; some of the
        batch may be written already then.
        """

    def close(self) -> None:
        """Close the connections; called once, also after an ``open`` that failed."""


@runtime_checkable
class Positioned(Protocol):
    """
    Addition to a sink that keeps, together with its content, the offset up to which it was filled.

    Whatever removes the content removes the positions too, so delivery notices the loss and fills the sink
    again. A part is ``topic/partition``, the topic without prefix; a position is the offset written next.
    """

    def resume(self, parts: Iterable[str], /) -> dict[str, int]:
        """
        Return the position of each part, 0 where nothing of it was ever written; raise SinkError.

        Every later write first compares these positions with the sink's, and raises SetBackError when they
        differ.
        """

    def reached(self, positions: Mapping[str, int], /) -> None:
        """Store the positions of parts; with none, only compare all of them. Raises as a write does."""

    def positions(self) -> dict[str, int]:
        """Return the position of every part that was ever written; raise SinkError."""

    def entries(self) -> int:
        """Return how many entries there are to clear; raise SinkError."""

    def clear(self, cleared: Callable[[int], None], /) -> None:
        """
        Remove everything, positions included; ``cleared`` is called with the number of removed entries.

        Safe while delivery runs: its writes are refused until this is done, then it fills the sink again.
        Raises SinkError.
        """


@runtime_checkable
class Appending(Positioned, Protocol):
    """
    Addition to a sink with positions that adds each record it is given, so that none may come a second time.

    Its own positions say where delivery goes on, also where Kafka's offset is behind them: a process may be
    killed after the sink stored a position and before Kafka did.
    """

    appends: Literal[True]


@runtime_checkable
class Migratable(Protocol):
    """Addition to a sink whose destination has a schema, which changes from release to release."""

    def migrate(self, applied: Callable[[str], None], /) -> None:
        """
        Bring the destination's schema to this release; ``applied`` is called with the name of each change.

        Needs no ``open`` before. Raises SinkError when the destination is away or refuses, and
        SinkSettingsError when its schema is of a newer release.
        """

    def pending(self) -> list[str]:
        """Return the names of the changes that ``migrate`` would apply; raises as it does."""


class DeliveryOrder(NamedTuple):
    """
    Thread and address of a record of a ``Once`` sink, by which its order is kept.

    Records of one ``thread`` are written one after the other, each once the one before is done. ``address``
    is where the record goes: what fails there may succeed elsewhere.
    """

    thread: str
    address: str


@runtime_checkable
class Once(Protocol):
    """
    Addition to a sink whose writes people notice, so that nothing old is written to it and nothing twice.

    Its group begins with what comes after its first start, not with the oldest record on the topic. A write
    is one record, so that one slow answer bounds it, and what was written is committed soon. A record that
    can't be written now lets those of other threads pass, and its own offset is not committed before. So
    after a restart records are offered that were written already, and the sink must know them.
    """

    once: Literal[True]

    def order(self, record: Output, /) -> DeliveryOrder | None:
        """Return the record's thread and address, ``None`` for one that the sink does not take."""

    def taken_over(self) -> None:
        """
        Learn what other members of the group wrote; raise SinkError.

        Called after every assignment of partitions, before the next write.
        """


@runtime_checkable
class Gathering(Protocol):
    """
    Addition to a sink whose writes are costly and of which only the newest record of a key counts.

    Delivery gathers for ``gather_seconds`` after the first record, or until there are ``gather_records``
    keys, and then offers the newest record of each key as one batch.
    """

    gather_seconds: float
    gather_records: int

    def taken_over(self) -> None:
        """Learn, after every assignment of partitions, that other members may have written newer records."""


class DailyUse(NamedTuple):
    """Requests that were made on a UTC day, which is counted from 1970."""

    day: int
    requests: int


@runtime_checkable
class Metered(Protocol):
    """
    Addition to a sink whose destination allows so many requests a UTC day.

    The members of its group count together, and go on counting after a restart: delivery keeps the counts in
    the metadata of the group's offsets.
    """

    daily_requests: int

    def used(self) -> DailyUse:
        """Return the requests of the day, those included that ``group_used`` told of."""

    def group_used(self, use: DailyUse, /) -> None:
        """Learn what the whole group, this member included, has used; called between two writes."""


class SinkEntry(NamedTuple):
    """An entry of a destination: the key of one record, its version, and a digest of everything in it."""

    tenant: str
    account_id: str
    as_of: int
    sequence: int
    digest: bytes


@runtime_checkable
class Reconcilable(Protocol):
    """
    Addition to a sink whose content can be compared with the compacted topics, record by record.

    Of an account there is one entry of its health and one of its KPIs; every method needs an open sink.
    """

    def entry(self, record: AccountHealth | AccountKpis, /) -> SinkEntry:
        """Return the entry that the destination has once it was given this record."""

    def entries_of(self, kind: type[Output], /) -> Iterator[SinkEntry]:
        """Yield every entry of one record type that is there; raise SinkError."""

    def remove(self, kind: type[Output], entries: Sequence[SinkEntry], /) -> None:
        """Remove entries that are there as given, and no other one of their accounts; raise SinkError."""


@runtime_checkable
class Historical(Reconcilable, Protocol):
    """Addition to a sink that can be compared, and keeps of an account older entries beside the newest."""

    def remove_with_older(self, kind: type[Output], entries: Sequence[SinkEntry], /) -> None:
        """Remove entries and what is older of their accounts, but no newer one; raise SinkError."""


class Subject(NamedTuple):
    """
    A subject of an erasure: an account, or a person of any account of the tenant.

    Of an account everything up to the journal time ``until`` is erased. ``texts`` are the ids and names by
    which messages name it, the id first.
    """

    tenant: str
    account_id: str | None
    texts: tuple[str, ...]
    until: int


@runtime_checkable
class Erasable(Protocol):
    """Addition to a sink that can remove what it has of an account, or the name of a person."""

    def erase(self, subject: Subject, /, *, dry_run: bool = False) -> dict[str, int]:
        """
        Remove an account, or take a person's name out of what stays; return the entries concerned, by kind.

        With ``dry_run`` it only counts. What comes again of before is kept away by delivery. Needs an open
        sink; safe while delivery writes to it, and to repeat. Raises SinkError.
        """


@runtime_checkable
class Retaining(Erasable, Protocol):
    """Addition to an erasable sink that writes to logs: what was erased leaves them by itself, but later."""

    def retained_until(self) -> int | None:
        """Return when all that ``erase`` found so far is gone, UTC milliseconds; ``None``: never."""
