"""
Run of an import: checks all rows, mutes their accounts, and sends the events to the input topics.

Rows are sent in chunks, each acknowledged by Kafka before the number of the rows that are done is written
beside the mapping. Killed and started again, a run goes on there: at most one chunk is sent twice, and the
journal knows its event ids.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bellbuoy.importing.errors import ImportFileError, RowFault
from bellbuoy.importing.events import SOURCE, Churn, TableFile, TableReader
from bellbuoy.importing.map_format import MapFile
from gateway.http.sender import Sender
from gateway.outbox.dispatch import Dispatcher
from gateway.outbox.muting import Muting
from gateway.outbox.request_records import RequestRecords
from processors.intake.admission import Admission, time_refusal
from schemas.codec.registry import Registry
from schemas.records import InputEvent

__all__ = ["FileSummary", "SentRows", "check_rows", "send_rows"]

CHUNK_ROWS = 2_000
"""Rows that are sent, and acknowledged, together."""

_BAD_KEPT = 10_000
_READ_BYTES = 1 << 20


@dataclass(slots=True)
class FileSummary:
    """
    Summary of a file's rows by one table: how many there are, and what becomes of them.

    ``skipped`` bring nothing, ``too_old`` can't count any more, ``bad`` can't be used: each with its line,
    ten thousand at most, ``faults`` in all.
    """

    table: str
    path: Path
    rows: int = 0
    events: int = 0
    churn_dates: int = 0
    skipped: int = 0
    too_old: int = 0
    faults: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)

    def note(self, line: int, fault: RowFault) -> None:
        """Note a row that can't be used."""
        self.faults += 1
        if len(self.bad) < _BAD_KEPT:
            self.bad.append((line, str(fault)))


class SentRows:
    """
    File of how many rows of each file are sent, by the file's content and its table.

    Raises ImportFileError where it can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, int] = {}
        try:
            self._rows = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
        except FileNotFoundError:
            pass
        except (OSError, msgspec.DecodeError) as error:
            raise ImportFileError(
                f"{path}: not the progress of an import ({error}): remove it to send all rows again"
            ) from None

    def rows(self, key: str) -> int:
        """Return how many rows are sent."""
        return self._rows.get(key, 0)

    def set(self, key: str, rows: int) -> None:
        """Keep how many rows are sent, durably."""
        self._rows[key] = rows
        new = self._path.with_suffix(self._path.suffix + ".new")
        with new.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self._rows)))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


def content_key(file: TableFile) -> str:
    """Return what a file's rows by its table are known by: the file's content, and the table."""
    digest = hashlib.sha256(repr(file.table).encode())
    with file.path.open("rb") as opened:
        while block := opened.read(_READ_BYTES):
            digest.update(block)
    return f"{file.name} {digest.hexdigest()}"


def check_rows(
    mapping: MapFile,
    files: Sequence[TableFile],
    registry: Registry,
    now: int,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[list[FileSummary], set[str]]:
    """
    Read every row and return a summary of each file, and the accounts of all events that can count.

    ``progress`` is called with the number of rows that are read.
    """
    summaries, accounts, done = [], set[str](), 0
    for file in files:
        summary = FileSummary(file.name, file.path)
        summaries.append(summary)
        for row in TableReader(mapping, file, registry, now):
            summary.rows += 1
            done += 1
            if done % CHUNK_ROWS == 0:
                progress(done)
            if row.what is None:
                summary.skipped += 1
            elif isinstance(row.what, RowFault):
                summary.note(row.line, row.what)
            elif isinstance(row.what, Churn):
                summary.churn_dates += 1
            elif _too_old(row.what, now):
                summary.too_old += 1
            else:
                summary.events += 1
                accounts.add(row.what.account_id)
    return summaries, accounts


async def send_rows(
    mapping: MapFile,
    files: Sequence[TableFile],
    accounts: set[str],
    dispatcher: Dispatcher,
    registry: Registry,
    progress_file: SentRows,
    clock: Callable[[], int],
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """
    Send the events of all files that are not sent yet; return how many rows were sent before.

    Alerts that begin on these accounts while the import goes on, and for an hour after it, stay muted until
    they get worse: what they tell began before. Raises gateway.http.errors.HttpError where Kafka does not
    confirm a chunk; what is confirmed is kept in ``progress_file``.
    """
    keys = [content_key(file) for file in files]
    before = done = 0
    muting = Muting()
    for file, key in zip(files, keys, strict=True):
        sent = progress_file.rows(key)
        before += sent
        for number, chunk in _chunks(mapping, file, registry, clock()):
            done += len(chunk)
            if number <= sent:
                continue
            now = clock()
            sender = Sender(mapping.tenant, SOURCE, now)
            muted = muting.records(dispatcher, sender, accounts)
            if muted.records:
                await dispatcher.send(muted)
            records = RequestRecords(sender)
            for event in chunk:
                if event is not None and not _too_old(event, now):
                    dispatcher.accept(records, event)
            await dispatcher.send(records)
            progress_file.set(key, number)
            progress(done)
    return before


def _chunks(
    mapping: MapFile, file: TableFile, registry: Registry, now: int
) -> Iterator[tuple[int, list[InputEvent | None]]]:
    """Yield the rows of a file as events, in chunks, each with the number of rows up to its end."""
    chunk: list[InputEvent | None] = []
    number = 0
    for row in TableReader(mapping, file, registry, now):
        number += 1
        chunk.append(row.what if isinstance(row.what, InputEvent) else None)
        if len(chunk) == CHUNK_ROWS:
            yield number, chunk
            chunk = []
    if chunk:
        yield number, chunk


def _too_old(event: InputEvent, now: int) -> bool:
    return time_refusal(event.occurred_at, now, Admission()) is not None
