"""
Lake sink: every health, KPI and alert record in Parquet files by day, each exactly once.

Records are gathered in memory until there are enough for a file. The sink's own positions, and not Kafka's,
say what is in the files, so a killed sink gets again what it had gathered. Files are written in four steps:

1. The new files are written to ``_new/``, where no reader looks.
2. ``_commit.json`` is replaced by one that has the positions after them, and says where the files go. That is
   the moment at which they count.
3. They are moved there. A sink that was killed before is helped by the next that opens.
4. What lies in ``_new/`` and is not named by ``_commit.json`` was left by a killed sink: it is removed.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec.structs import replace

from schemas.records import AccountHealth, AccountKpis
from sinks.columns import TABLES
from sinks.gathered_tables import GatheredTables
from sinks.lake.settings import LakeSettings
from sinks.port import Output, SetBackError, SinkEntry, SinkError, SinkSettingsError, Subject
from sinks.table_entries import entry_of, newest_entries, without_entries
from sinks.table_erasure import without

__all__ = ["LakeSink"]


class _Commit(msgspec.Struct, frozen=True):
    """
    The state of the folder: the positions that the files reach to, and what is still to be done with files.

    ``moves`` are the places of files in ``_new/``, where there may be an older one already; ``clearing`` is
    where all files are to be put aside. ``erasures`` counts the rewritings of files for an erasure.
    """

    positions: dict[str, int] = {}
    moves: dict[str, str] = {}
    clearing: str = ""
    erasures: int = 0


class LakeSink:
    """Sink of Parquet files (docs/sinks/lake.md); several members of a group may write to one folder."""

    name = "lake"
    records = frozenset(TABLES)
    appends: Literal[True] = True

    def __init__(self, settings: LakeSettings) -> None:
        self._settings = settings
        self._root = settings.path
        self._gathered = GatheredTables(settings.file_records, settings.file_seconds)
        self._positions: dict[str, int] = {}
        self._erasures = 0

    def open(self) -> None:
        """Make the folder, finish what a killed sink began, and write and remove a file."""
        with self._locked() as commit:
            self._finish(commit)
            probe = self._root / "_new" / f"{uuid.uuid4().hex}.parquet"
            pq.write_table(pa.table({"probe": [1]}), probe)
            probe.unlink()

    def write(self, batch: Sequence[Output], /) -> None:
        """Gather the batch; raise Rejected for a record that no file can hold."""
        self._gathered.add(batch)

    def resume(self, parts: Iterable[str], /) -> dict[str, int]:
        """Return the positions that the files reach to, and forget what was gathered; raise SinkError."""
        names = sorted(parts)
        self._gathered.forget()
        with self._locked() as commit:
            self._finish(commit)
            after = dict.fromkeys(names, 0) | commit.positions
            if after != commit.positions:
                self._replace(replace(commit, positions=after, moves={}))
            self._erasures = commit.erasures
        self._positions = {name: after[name] for name in names}
        return dict(self._positions)

    def reached(self, positions: Mapping[str, int], /) -> None:
        """Write files once there is enough for them; raise SetBackError and SinkError."""
        self._gathered.cover({part: at for part, at in positions.items() if part in self._positions})
        if self._gathered.due:
            self._write_files()
        elif not positions:
            with self._locked() as commit:
                self._compare(commit)

    def positions(self) -> dict[str, int]:
        """Return the positions that the files reach to; raise SinkError."""
        with self._locked() as commit:
            return dict(commit.positions)

    def entries(self) -> int:
        """Return how many files there are; raise SinkError."""
        return sum(1 for _ in self._files())

    def clear(self, cleared: Callable[[int], None], /) -> None:
        """Put every file aside, into ``_cleared/``, and remove all positions; raise SinkError."""
        with self._locked() as commit:
            self._finish(commit)
            entries = sum(1 for _ in self._files())
            clearing = _Commit(clearing=f"_cleared/{uuid.uuid4().hex}", erasures=commit.erasures)
            self._replace(clearing)
            self._finish(clearing)
        cleared(entries)

    def erase(self, subject: Subject, /, *, dry_run: bool = False) -> dict[str, int]:
        """
        Rewrite the files with rows of an account or of a person, each in one step; return the rows concerned.

        Files that ``clear`` put aside are rewritten as well. What a running sink has gathered it reads again.
        Raises SinkError.
        """
        with self._locked() as commit:
            self._finish(commit)
            files = [*self._files(), *(self._root / "_cleared").rglob("*.parquet")]
            moves, rows = self._rewritten(files, partial(without, subject=subject), write=not dry_run)
            if not dry_run:
                after = _Commit(commit.positions, moves, erasures=commit.erasures + 1)
                self._replace(after)
                self._finish(after)
        return {"rows": sum(rows), "files": len(rows)}

    def entry(self, record: AccountHealth | AccountKpis, /) -> SinkEntry:
        """Return the entry of a record that is in a file."""
        return entry_of(record)

    def entries_of(self, kind: type[Output], /) -> Iterator[SinkEntry]:
        """Yield the newest row of each account in the files; raise SinkError."""
        self._write_unpositioned()
        with self._locked() as commit:
            self._finish(commit)
            files = list(self._files(kind))

            def read(columns: Sequence[str] | None) -> Iterator[pa.Table]:
                for file in files:
                    yield pq.read_table(file, columns=columns and list(columns), partitioning=None)

            yield from list(newest_entries(kind, read))

    def remove(self, kind: type[Output], entries: Sequence[SinkEntry], /) -> None:
        """Rewrite the files that have these rows, all in one step; raise SinkError."""
        self._rewrite(kind, partial(without_entries, entries=entries))

    def remove_with_older(self, kind: type[Output], entries: Sequence[SinkEntry], /) -> None:
        """Rewrite the files that have these rows or older ones, all in one step; raise SinkError."""
        self._rewrite(kind, partial(without_entries, entries=entries, with_older=True))

    def _rewrite(self, kind: type[Output], change: Callable[[pa.Table], tuple[pa.Table, int]]) -> None:
        with self._locked() as commit:
            self._finish(commit)
            moves, _ = self._rewritten(self._files(kind), change, write=True)
            after = replace(commit, moves=moves)
            self._replace(after)
            self._finish(after)

    def close(self) -> None:
        """Write what is gathered, where the positions allow it; otherwise it is delivered again."""
        with suppress(SinkError):
            self._write_unpositioned()
            if self._gathered.tables():
                self._write_files()
        self._gathered.forget()

    def _write_unpositioned(self) -> None:
        """Write what was gathered where nobody keeps positions: then it is all there is."""
        if not self._positions:
            self._gathered.cover({})
            if self._gathered.tables():
                self._write_files()

    def _rewritten(
        self, files: Iterable[Path], change: Callable[[pa.Table], tuple[pa.Table, int]], *, write: bool
    ) -> tuple[dict[str, str], list[int]]:
        """Return the places of the new files, and of each file that changes the number of rows concerned."""
        moves, changed = {}, []
        for file in files:
            kept, rows = change(pq.read_table(file, partitioning=None))
            if not rows:
                continue
            changed.append(rows)
            if write:
                name = f"{uuid.uuid4().hex}.parquet"
                _write_durably(kept, self._root / "_new" / name)
                moves[name] = str(file.relative_to(self._root))
        return moves, changed

    def _write_files(self) -> None:
        with self._locked() as commit:
            self._compare(commit)
            moves = {}
            for kind, gathered in self._gathered.tables().items():
                for day, rows in _by_day(gathered):
                    name = f"{uuid.uuid4().hex}.parquet"
                    _write_durably(rows, self._root / "_new" / name)
                    moves[name] = f"{TABLES[kind]}/day={day}/{name}"
            after = _Commit(commit.positions | self._gathered.reached, moves, erasures=commit.erasures)
            self._replace(after)
            self._finish(after)
        self._positions |= self._gathered.reached
        self._gathered.forget()

    def _compare(self, commit: _Commit) -> None:
        if self._positions and commit.erasures != self._erasures:
            self._gathered.forget()
            raise SetBackError(
                f"files of the lake {self._root} were rewritten for an erasure: "
                "what was gathered is delivered again"
            )
        for part, position in self._positions.items():
            if commit.positions.get(part) != position:
                self._gathered.forget()
                raise SetBackError(
                    f"the lake {self._root} lost what it held ({part} stands at "
                    f"{commit.positions.get(part, 'nothing')}, not {position})"
                )

    @contextmanager
    def _locked(self) -> Iterator[_Commit]:
        """Yield the last commit while no other sink changes the folder; raise SinkError."""
        try:
            (self._root / "_new").mkdir(parents=True, exist_ok=True)
            with (self._root / "_lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                file = self._root / "_commit.json"
                yield msgspec.json.decode(file.read_bytes(), type=_Commit) if file.exists() else _Commit()
        except OSError as error:
            raise SinkError(
                f"the lake {self._root} can't be written: {error.strerror or error}; correct lake.path "
                "(BELLBUOY_LAKE__PATH), or let this user write there"
            ) from error
        except msgspec.DecodeError as error:
            raise SinkSettingsError(f"{self._root}/_commit.json is none of Bellbuoy's: {error}") from error

    def _replace(self, commit: _Commit) -> None:
        new = self._root / "_commit.json.new"
        with new.open("wb") as file:
            file.write(msgspec.json.encode(commit))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._root / "_commit.json")
        _sync_folder(self._root)

    def _finish(self, commit: _Commit) -> None:
        """Do what the last commit has left to do, and remove new files that belong to none."""
        if commit.clearing:
            for file in list(self._files()):
                aside = self._root / commit.clearing / file.relative_to(self._root)
                aside.parent.mkdir(parents=True, exist_ok=True)
                file.replace(aside)
            self._replace(_Commit(erasures=commit.erasures))
        for name, place in commit.moves.items():
            new, final = self._root / "_new" / name, self._root / place
            if new.exists():
                final.parent.mkdir(parents=True, exist_ok=True)
                new.replace(final)
                _sync_folder(final.parent)
        for left in (self._root / "_new").iterdir():
            left.unlink()

    def _files(self, kind: type[Output] | None = None) -> Iterator[Path]:
        for folder in TABLES.values() if kind is None else (TABLES[kind],):
            yield from (self._root / folder).glob("day=*/*.parquet")


def _by_day(rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    at = "as_of" if "as_of" in rows.column_names else "changed_at"
    days = pc.strftime(rows[at], "%Y-%m-%d")
    for day in pc.unique(days).to_pylist():
        yield day, rows.filter(pc.equal(days, day))


def _write_durably(rows: pa.Table, path: Path) -> None:
    with path.open("wb") as file:
        pq.write_table(rows, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
