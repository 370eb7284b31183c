"""The restore of a journal partition: positions in the inputs, and dedupe windows read back from there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from processors.state.position import POSITION_KEY, decode_position
from schemas.records import JournalBatch
from streams.journal.sorting import EventSorter
from streams.kafka.cluster import Cluster
from streams.kafka.errors import LogChangedError
from streams.kafka.fetcher import RecordBatchFetcher
from streams.kafka.log_position import LOGS_HEADER, LogPosition, decode_positions
from streams.kafka.log_reader import last_record

__all__ = ["applied_journal", "input_positions", "require_applied_journal", "restore_dedupe_windows"]

log = structlog.get_logger(__name__)

_FIRST_REACH = 2_000
"""Records of an input that are read back first."""
_NOW = 0
"""Any time: a restorer has no limits of time."""
_SILENT_SECONDS = 10.0
"""An input that brings no records for this long has no more of them."""


def input_positions(batch: JournalBatch, headers: Sequence[tuple[str, bytes]]) -> dict[str, LogPosition]:
    """
    Return how far each input (topic without prefix) was read when a journal record was written.

    The header says of which logs the positions are, in the batch's order; older records have none.
    """
    logs = decode_positions(dict(headers).get(LOGS_HEADER, b"")) or [LogPosition(0)] * len(batch.offsets)
    return {
        source.topic: log._replace(offset=source.next)
        for source, log in zip(batch.offsets, logs, strict=True)
    }


def applied_journal(cluster: Cluster, number: int) -> tuple[int, bytes]:
    """Return the last batch that the worker has applied, -1 for none, and that journal's id, if known."""
    applied = last_record(cluster.connection, cluster.topics.changelog, number)
    if applied is None or applied.value is None or not (applied.key or b"").startswith(POSITION_KEY):
        return -1, b""
    # The worker writes the positions of its logs beside its own; the journal's is the first.
    logs = decode_positions(dict(applied.headers).get(LOGS_HEADER, b""))
    return decode_position(applied.value).sequence, logs[0].topic_id if logs else b""


def require_applied_journal(
    name: str, number: int, applied: tuple[int, bytes], sequence: int, topic_id: bytes
) -> None:
    """
    Raise LogChangedError when the worker has applied another journal than this one (its topic's name and id).

    So it has, too, when it is beyond *sequence*, the journal's last batch. *applied* is ``applied_journal``.
    """
    applied_sequence, applied_id = applied
    if applied_id and topic_id and applied_id != topic_id:
        raise LogChangedError(
            f"{name}/{number} was made anew: the worker has applied batch {applied_sequence} of another "
            "journal; run `bellbuoy recover journal --dry-run`"
        )
    if applied_sequence > sequence:
        raise LogChangedError(
            f"{name}/{number} ends with batch {sequence}, and the worker has applied batch "
            f"{applied_sequence}: the journal lost its tail or was made anew; "
            "run `bellbuoy recover journal --dry-run`"
        )


def restore_dedupe_windows(
    fetcher: RecordBatchFetcher, sorter: EventSorter, next_offsets: Mapping[str, int]
) -> None:
    """
    Fill the windows with the events before ``next_offsets``, the offset to read next of each input.

    ``sorter`` is the partition's ``restorer``. How many events a record holds shows only when it is read, so
    the reach, in records, begins short and grows where it brought too few events.
    """
    wanted = sorter.window_events
    reach = {name: min(wanted, _FIRST_REACH) for name, end in next_offsets.items() if end}
    while reach:
        _read_back(fetcher, sorter, next_offsets, reach)
        events = {name: sorter.deduped_events(name) for name in reach}
        reach = {
            name: min(wanted, max(2 * records, records * wanted * 5 // (4 * max(1, events[name]))))
            for name, records in reach.items()
            if events[name] < wanted and records < min(wanted, next_offsets[name])
        }


def _read_back(
    fetcher: RecordBatchFetcher,
    sorter: EventSorter,
    next_offsets: Mapping[str, int],
    reach: Mapping[str, int],
) -> None:
    """Fill the windows of these inputs anew from so many records back."""
    for name in reach:
        sorter.clear_window(name)
    starts = {
        (name, sorter.partition): max(0, next_offsets[name] - records) for name, records in reach.items()
    }
    fetcher.assign(starts)
    silent_since = time.monotonic()
    while any(fetcher.position(*tp) < next_offsets[tp[0]] for tp in starts):
        batches = fetcher.poll()
        read_before = (replace(b, end=min(b.end, next_offsets[b.topic])) for b in batches)
        sorter.sort((b for b in read_before if b.first < b.end), _NOW)
        if batches:
            silent_since = time.monotonic()
        elif time.monotonic() - silent_since > _SILENT_SECONDS:
            log.warning(
                "Dedupe window restored in part: an input ends before the journal's position in it.",
                partition=sorter.partition,
                inputs=sorted(
                    name for name, number in starts if fetcher.position(name, number) < next_offsets[name]
                ),
            )
            return
