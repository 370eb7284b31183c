"""Readers of rows: CSV, NDJSON and Parquet files as mappings from a column to its value, with the line."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO, cast

import msgspec

from bellbuoy.errors import ALL_EXTRAS
from bellbuoy.importing.errors import ImportFileError, RowFault
from bellbuoy.importing.map_format import TableSpec

__all__ = ["Row", "read_rows"]

Row = tuple[int, Mapping[str, Any] | RowFault]
"""The line on which a row begins, from 1 (of Parquet: the row's number), and its values, or its fault."""

_MAX_FIELD = 1_000_000
_PARQUET_ROWS = 10_000


def read_rows(path: Path, table: TableSpec) -> Iterator[Row]:
    """Yield the rows of a file; raise ImportFileError where the file as a whole can't be read."""
    try:
        if path.suffix == ".parquet":
            yield from _parquet(path)
            return
        with _open(path, table.encoding) as file:
            kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
            yield from _ndjson(file) if kind in (".ndjson", ".jsonl") else _csv(path, file, table)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImportFileError(f"{path}: can't be read ({reason}): correct the path or the file") from None
    except (UnicodeDecodeError, LookupError) as error:
        raise ImportFileError(
            f"{path}: not {table.encoding} text ({error}): give the table its `encoding`"
        ) from None


def _open(path: Path, encoding: str) -> TextIO:
    if path.suffix == ".gz":
        return cast("TextIO", gzip.open(path, "rt", encoding=encoding, newline=""))
    return path.open(encoding=encoding, newline="")


def _csv(path: Path, file: TextIO, table: TableSpec) -> Iterator[Row]:
    csv.field_size_limit(_MAX_FIELD)
    rows = csv.reader(file, delimiter=table.delimiter, skipinitialspace=True, strict=True)
    header, line = table.header, 1
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, RowFault(f"not CSV ({error}): quote the field, or correct `delimiter`")
            line = rows.line_num + 1
            continue
        if header is None:
            header = row
            _check_columns(path, header, table)
        elif row:
            if len(row) == len(header):
                yield line, dict(zip(header, row, strict=True))
            else:
                yield (
                    line,
                    RowFault(
                        f"{len(row)} fields, but {len(header)} columns: quote fields that hold "
                        f"{table.delimiter!r}, or correct `delimiter` or `header`"
                    ),
                )
        line = rows.line_num + 1


def _check_columns(path: Path, header: list[str], table: TableSpec) -> None:
    wanted = [spec.column for spec in table.fields.values() if spec.column is not None]
    wanted += [table.id] if table.id else []
    wanted += table.skip_without
    missing = sorted(set(wanted) - set(header))
    if missing:
        raise ImportFileError(
            f"{path}:1: no column {', '.join(map(repr, missing))} among {', '.join(header)}: correct the "
            "mapping, `delimiter`, or give `header` where the file has none"
        )
    twice = sorted({column for column in wanted if header.count(column) > 1})
    if twice:
        raise ImportFileError(
            f"{path}:1: {', '.join(map(repr, twice))} names two columns: rename one of them in the file"
        )


def _ndjson(file: TextIO) -> Iterator[Row]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for line, text in enumerate(file, 1):
        if text.strip():
            try:
                yield line, decode(text)
            except msgspec.DecodeError as error:
                yield line, RowFault(f"no JSON object ({error}): write one object on each line")


def _parquet(path: Path) -> Iterator[Row]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise ImportFileError(f"{path}: Parquet needs pyarrow: {ALL_EXTRAS}, or give CSV or NDJSON") from None
    number = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches(_PARQUET_ROWS):
            for values in batch.to_pylist():
                number += 1
                yield number, values
    except pa.ArrowException as error:
        raise ImportFileError(f"{path}: not Parquet ({error}): correct the file") from None
