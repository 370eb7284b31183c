"""Import of files: the mapping, rows with their lines, ids that come again, and runs that go on."""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from bellbuoy.backtest.run import run_backtest
from bellbuoy.importing.errors import ImportFileError, RowFault
from bellbuoy.importing.events import Churn, ImportedRow, TableReader, table_files
from bellbuoy.importing.history import ImportedHistory
from bellbuoy.importing.map_file import read_map_file
from bellbuoy.importing.run import CHUNK_ROWS, SentRows, check_rows, send_rows
from gateway.http.errors import HttpError
from gateway.outbox.dispatch import Dispatcher
from gateway.outbox.port import MemoryOutbox, OutboxUnavailableError, OutgoingRecord
from processors.model import DEFAULT
from processors.state.own import MUTED_UNTIL
from schemas.codec.envelope import Envelopes
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.records import AccountProfile, BillingEvent, SupportEvent, UsageEvent
from schemas.times import DAY, HOUR
from schemas.topics import Topics

NOW = 20_500 * DAY + HOUR
USAGE = """
tenant: acme
tables:
  usage:
    files: ["usage*"]
    into: usage
    fields:
      account_id: company
      user_id: person
      occurred_at: when
      name: {value: Used}
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def rows_of(folder: Path, mapping: str, *files: Path) -> list[ImportedRow]:
    chosen = read_map_file(written(folder, "map.yaml", mapping))
    return [row for file in table_files(chosen, files) for row in TableReader(chosen, file, committed(), NOW)]


def test_a_mapping_names_every_fault_with_its_line_and_the_fix(tmp_path: Path) -> None:
    text = """
tenant: Acme
timezone: Mars/Olympus
tables:
  usage:
    files: [usage.csv]
    into: usage
    header: [company, when]
    fields:
      account: company
      occurred_at: {column: whn, format: "%Y-%m-%d"}
      name: {}
      feature: {value: x, unit: s}
      duration_ms: {colunm: ms}
    delimeter: ";"
  left:
    files: [churn.csv]
    into: chrun
    fields: {account_id: company}
"""
    path = written(tmp_path, "map.yaml", text)
    with pytest.raises(ImportFileError) as found:
        read_map_file(path)
    _, *faults = str(found.value).splitlines()
    for fault, part in zip(
        faults,
        (
            ":2:1: tenant: a tenant is 1-63 of a-z",
            ":3:1: timezone: no time zone 'Mars/Olympus'; give a name such as Europe/Berlin",
            ":9:5: tables.usage.fields: account_id is missing; add `account_id: COLUMN`",
            ":10:7: tables.usage.fields.account: no field of usage; did you mean account_id",
            ":11:7: tables.usage.fields.occurred_at: no column 'whn' in `header`; did you mean when",
            ":12:7: tables.usage.fields.name: neither a column nor a value",
            ":13:7: tables.usage.fields.feature: a format, unit or time zone, but no time",
            ":14:21: tables.usage.fields.duration_ms.colunm: no such key; did you mean column",
            ":15:5: tables.usage.delimeter: no such key; did you mean delimiter",
            ":18:5: tables.left.into: 'chrun' is none of the choices",
        ),
        strict=True,
    ):
        assert part in fault


SOUND = """
tables:
  tickets:
    files: [tickets.csv]
    into: support
    fields: {account_id: company, occurred_at: created, ticket_id: number, kind: {value: opened}}
"""


@pytest.mark.parametrize(
    ("part", "instead", "said"),
    [
        ("value: opened", "value: opend", "6:76: tables.tickets.fields.kind: 'opend' is none of the"),
        ("{value: opened}", "{column: k, values: {N: opend}}", "'opend' is none of the"),
        ("{value: opened}", "{value: opened, values: {a: b}}", "`values` beside one `value`"),
        ("{value: opened}", "{column: k, times: 100}", "`times`, but no number; leave it out"),
        ("occurred_at: created", "occurred_at: {value: yesterday}", "'yesterday' is no time in ISO 8601"),
        ("occurred_at: created", "occurred_at: {column: c, format: '%Q'}", "'%Q' is no format of times"),
        ("occurred_at: created", "occurred_at: {column: c, format: '%d.%m'}", "'%d.%m' has no day"),
        ("occurred_at: created", "occurred_at: 5", "no source of a value; write the name of a column"),
        ("into: support", "into: Support", "'Support' is none of the choices; use support"),
        ("into: support", "into: support\n    delimiter: tab", "write one character, such as"),
        ("into: support", "into: support\n    encoding: base64", "no encoding 'base64'"),
        ("into: support", "into: support\n    header: [a, a]", "'a' is there twice"),
        ("into: support", "into: support\n    id: no", "no column 'no' in `header`"),
        ("files: [tickets.csv]", "files: tickets.csv", "'tickets.csv' is not a list; write `- item` lines"),
        ("tickets:", "'':", "'' is empty"),
        ("tables:", "tenant: 5\ntables:", "5 is not text; write text, in quotes"),
    ],
)  # fmt: skip
def test_what_no_row_could_bring_is_a_fault_of_the_mapping(
    tmp_path: Path, part: str, instead: str, said: str
) -> None:
    text = SOUND.replace(part, instead, 1)
    if "id: no" in instead:
        text = text.replace("id: no", "id: no\n    header: [company, created, number]")
    with pytest.raises(ImportFileError) as found:
        read_map_file(written(tmp_path, "map.yaml", text))
    assert said in str(found.value)


_MISSPELT = [
    ("tables:", "tenannt: acme\ntables:", "tenannt: no such key"),
    ("tables:", "timezone: Mars\ntables:", "no time zone 'Mars'"),
    ("files: [tickets.csv]", "files: []", "tables.tickets.files: empty"),
    ("    files: [tickets.csv]\n", "", "files is missing"),
    ("into: support", "into: support\n    delimeter: a", "delimeter: no such key"),
    ("into: support", "into: support\n    header: [a, a]", "'a' is there twice"),
    ("occurred_at: created", "occurred_at: {colum: c}", "colum: no such key"),
    ("occurred_at: created", "occurred_at: 5", "no source of a value"),
    ("tables:", "tables:\n  '': {}", "tables.: "),
    ("tables:", "tables:\n  other: 5", "tables.other: 5 is not a mapping"),
    ("tables:", "tables:\n  other: {files: [a], into: usage}", "tables.other: fields is missing"),
]
_MEANT = [
    ("value: opened", "value: opend", "'opend' is none of the"),
    ("account_id: company, ", "", "account_id is missing"),
    ("ticket_id: number", "ticket: number", "ticket: no field of support"),
    ("ticket_id: number", "ticket_id: {column: n, times: 2}", "`times`, but no number"),
]


@pytest.mark.parametrize("meant", _MEANT, ids=lambda fault: fault[2])
@pytest.mark.parametrize("misspelt", _MISSPELT, ids=lambda fault: fault[2])
def test_faults_of_spelling_and_of_meaning_are_told_together(
    tmp_path: Path, misspelt: tuple[str, str, str], meant: tuple[str, str, str]
) -> None:
    text = SOUND
    for part, instead, _ in (misspelt, meant):
        assert part in text
        text = text.replace(part, instead, 1)
    with pytest.raises(ImportFileError) as found:
        read_map_file(written(tmp_path, "map.yaml", text))
    assert misspelt[2] in str(found.value)
    assert meant[2] in str(found.value)
    assert "occurred_at is missing" not in str(found.value), "what is faulty is there"
    assert "neither a column" not in str(found.value), "what is faulty is told once"


def test_a_mapping_that_is_no_utf8_names_the_place(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_bytes("tenant: acme\nabout: Café\n".encode("latin-1"))
    with pytest.raises(ImportFileError, match=r"map\.yaml:2:11: not UTF-8, byte 0xe9; save it as UTF-8 text"):
        read_map_file(path)


def test_a_column_that_is_there_twice_is_no_guess(tmp_path: Path) -> None:
    file = written(tmp_path, "tickets.csv", "company,created,number,number\nacme,2026-01-05,1,2\n")
    with pytest.raises(ImportFileError, match="'number' names two columns: rename one of them"):
        rows_of(tmp_path, SOUND, file)


def test_a_compressed_file_that_was_cut_is_named(tmp_path: Path) -> None:
    whole = gzip.compress(b"company,created,number\n" + b"acme,2026-01-05,1\n" * 500)
    (file := tmp_path / "tickets.csv.gz").write_bytes(whole[:-20])
    mapping = SOUND.replace("[tickets.csv]", "['*.gz']")
    with pytest.raises(ImportFileError, match=r"can't be read .*: correct the path or the file"):
        rows_of(tmp_path, mapping, file)


def test_every_bad_row_is_named_with_its_line(tmp_path: Path) -> None:
    text = (
        'company,person,when\nacme,ann,2026-01-05T10:00:00+01:00\n"two\nlines",bob,2026-01-05\nacme,ann\n'
        "acme,ann,5.1.2026\n,ann,2026-01-05\nacme,ann,2199-01-05\nacme,eve,2026-01-06\n"
    )
    found = rows_of(tmp_path, USAGE, written(tmp_path, "usage.csv", text))
    faults = {row.line: str(row.what) for row in found if isinstance(row.what, RowFault)}
    assert set(faults) == {3, 5, 6, 7, 8}
    assert "control character" in faults[3]
    assert "2 fields, but 3 columns" in faults[5]
    assert "'5.1.2026' is no time in ISO 8601: correct it, or give the field its `format`" in faults[6]
    assert "account_id" in faults[7]
    assert "ahead of the journal's time" in faults[8]
    good = [row.what for row in found if isinstance(row.what, UsageEvent)]
    assert [(one.account_id, one.user_id, one.name) for one in good] == [
        ("acme", "ann", "Used"),
        ("acme", "eve", "Used"),
    ]
    assert good[0].occurred_at == 20_458 * DAY + 9 * HOUR


def test_the_same_rows_have_the_same_ids_and_equal_rows_are_told_apart(tmp_path: Path) -> None:
    line = "acme,ann,2026-01-05\n"
    text = "company,person,when\n" + line * 3 + "acme,ben,2026-01-05\n"
    ids = [row.what.event_id for row in rows_of(tmp_path, USAGE, written(tmp_path, "usage.csv", text))]  # type: ignore[union-attr]
    assert len(set(ids)) == 4
    appended = written(tmp_path, "usage-again.csv", text + "acme,cleo,2026-01-05\n")
    assert [row.what.event_id for row in rows_of(tmp_path, USAGE, appended)][:4] == ids  # type: ignore[union-attr]


def test_csv_ndjson_parquet_and_gzip_say_the_same(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    rows = [{"company": f"c{n}", "person": "ann", "when": f"2026-01-{n + 1:02}T08:30:00"} for n in range(5)]
    text = "company,person,when\n" + "".join(",".join(row.values()) + "\n" for row in rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "usage.parquet")
    with gzip.open(tmp_path / "usage.csv.gz", "wt") as file:
        file.write(text)
    files = [
        written(tmp_path, "usage.csv", text),
        written(tmp_path, "usage.ndjson", "".join(json.dumps(row) + "\n" for row in rows)),
        tmp_path / "usage.parquet",
        tmp_path / "usage.csv.gz",
    ]
    found = [[row.what for row in rows_of(tmp_path, USAGE, file)] for file in files]
    assert len(found[0]) == 5
    assert found[0] == found[1] == found[2] == found[3]


def test_one_row_may_bring_several_events(tmp_path: Path) -> None:
    """A line of a ticket export says when the ticket was opened, and perhaps when it was solved."""
    mapping = """
tenant: acme
timezone: Europe/Berlin
tables:
  opened: &no
    files: [tickets.csv]
    into: support
    id: number
    delimiter: ";"
    fields:
      account_id: company
      ticket_id: number
      occurred_at: {column: created, format: "%d.%m.%Y %H:%M"}
      kind: {value: opened}
      severity: {column: priority, values: {P1: urgent, P2: high, P3: normal}}
  solved:
    files: [tickets.csv]
    into: support
    id: number
    delimiter: ";"
    skip_without: [closed]
    fields:
      account_id: company
      ticket_id: number
      occurred_at: {column: closed, format: "%d.%m.%Y %H:%M"}
      kind: {value: solved}
  invoices:
    files: [invoices.csv]
    into: billing
    fields:
      account_id: company
      invoice_id: number
      occurred_at: {column: day, unit: s}
      kind: {value: invoice_issued}
      amount_minor: {column: euros, times: 100}
      currency: {value: EUR}
"""
    mapping = mapping.replace(" &no", "")
    tickets = (
        "number;company;created;closed;priority\n1;acme;05.01.2026 10:00;;P1\n"
        "2;acme;05.01.2026 11:00;06.01.2026 9:00;P4\n"
    )
    invoices = f"number,company,day,euros\n7,acme,{20_000 * 86_400},12.5\n8,acme,{20_000 * 86_400},12.555\n"
    found = rows_of(
        tmp_path,
        mapping,
        written(tmp_path, "tickets.csv", tickets),
        written(tmp_path, "invoices.csv", invoices),
    )
    opened, unknown, skipped, solved, issued, uneven = (row.what for row in found)
    assert isinstance(opened, SupportEvent)
    assert (opened.severity, opened.occurred_at) == ("urgent", 20_458 * DAY + 9 * HOUR)
    assert "'P4' is not among `values` (P1, P2, P3): add it" in str(unknown)
    assert skipped is None
    assert isinstance(solved, SupportEvent)
    assert solved.event_id == "solved-2"
    assert isinstance(issued, BillingEvent)
    assert (issued.amount_minor, issued.occurred_at) == (1_250, 20_000 * DAY)
    assert "`times: 100` makes cents" in str(uneven)


def test_files_of_no_table_are_named(tmp_path: Path) -> None:
    chosen = read_map_file(written(tmp_path, "map.yaml", USAGE))
    with pytest.raises(ImportFileError) as found:
        table_files(chosen, [written(tmp_path, "tickets.csv", ""), tmp_path / "gone.csv"])
    assert "tickets.csv: belongs to no table: `files` of the mapping has usage*" in str(found.value)
    assert "gone.csv: no such file" in str(found.value)
    with pytest.raises(ImportFileError, match=r"usage.csv:1: no column 'when' among company, person, date"):
        rows_of(tmp_path, USAGE, written(tmp_path, "usage.csv", "company,person,date\n"))


class KilledError(Exception):
    """Stands for a kill: whatever was sent is in the log, and nothing else happens."""


class DyingOutbox(MemoryOutbox):
    """An outbox whose process dies after so many requests, before it hears that the last one is confirmed."""

    def __init__(self, records: list[OutgoingRecord], requests: int) -> None:
        super().__init__()
        self.records, self._left = records, requests

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        await super().send(records)
        self._left -= 1
        if self._left == 0:
            raise KilledError


def run_import(folder: Path, outbox: MemoryOutbox) -> int:
    chosen = read_map_file(folder / "map.yaml")
    files = table_files(chosen, [folder / "usage.csv"])
    _, accounts = check_rows(chosen, files, committed(), NOW)
    dispatcher = Dispatcher(outbox, Topics("t.", 4, 1), committed())
    progress = SentRows(folder / "map.yaml.progress")
    return asyncio.run(send_rows(chosen, files, accounts, dispatcher, committed(), progress, lambda: NOW))


@pytest.mark.parametrize("requests", [1, 2, 3])
def test_an_import_that_was_killed_goes_on_where_it_was(tmp_path: Path, requests: int) -> None:
    count = 3 * CHUNK_ROWS + 7
    written(tmp_path, "map.yaml", USAGE)
    with (tmp_path / "usage.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["company", "person", "when"])
        rows.writerows((f"c{n % 50}", f"p{n}", "2026-02-05") for n in range(count))
    log: list[OutgoingRecord] = []
    with pytest.raises(KilledError):
        run_import(tmp_path, DyingOutbox(log, requests))
    survivor = DyingOutbox(log, -1)
    assert run_import(tmp_path, survivor) == max(0, requests - 2) * CHUNK_ROWS
    ids = [event_id for record in log if record.topic == "t.usage.events" for event_id in ids_of(record)]
    assert len(set(ids)) == count
    assert len(ids) - count in (0, CHUNK_ROWS)  # the chunk that was under way, whose ids the journal knows
    before = len(log)
    assert run_import(tmp_path, survivor) == count
    assert len(log) == before  # again: nothing is left to send


def ids_of(record: OutgoingRecord) -> list[str]:
    if record.events == 1:
        return [codec("usage.events").decode(record.value).event_id]
    return [fields["event_id"] for fields in Envelopes(committed()).unpack(record.value)]


def test_accounts_are_muted_before_their_rows_are_sent(tmp_path: Path) -> None:
    written(tmp_path, "map.yaml", USAGE)
    written(
        tmp_path, "usage.csv", "company,person,when\na,ann,2026-02-05\nb,ann,2026-02-05\nold,ann,2020-02-05\n"
    )
    outbox = MemoryOutbox()
    run_import(tmp_path, outbox)
    profiles = [codec("account.profiles").decode(one.value) for one in outbox.records[:2]]
    assert all(isinstance(one, AccountProfile) for one in profiles)
    assert [(one.account_id, one.own) for one in profiles] == [(a, {MUTED_UNTIL: NOW + HOUR}) for a in "ab"]
    assert [record.topic for record in outbox.records[2:]] == ["t.usage.events"] * (len(outbox.records) - 2)


def test_kafka_that_is_away_ends_the_run_and_keeps_what_was_sent(tmp_path: Path) -> None:
    written(tmp_path, "map.yaml", USAGE)
    written(tmp_path, "usage.csv", "company,person,when\na,ann,2026-02-05\n")
    outbox = MemoryOutbox()
    outbox.down = True
    with pytest.raises(HttpError) as found:
        run_import(tmp_path, outbox)
    assert isinstance(found.value.__cause__, OutboxUnavailableError)
    assert not (tmp_path / "map.yaml.progress").exists()


def test_a_backtest_reads_the_files(tmp_path: Path) -> None:
    mapping = (
        USAGE
        + """
  churn:
    files: [churn.csv]
    into: churn
    fields: {account_id: company, churned_at: left}
"""
    )
    mapping = mapping.replace("occurred_at: when", "occurred_at: {column: when, unit: ms}")
    mapping = mapping.replace("churned_at: left", "churned_at: {column: left, unit: ms}")
    chosen = read_map_file(written(tmp_path, "map.yaml", mapping))
    days = [f"{20_000 + n}" for n in range(200)]
    with (tmp_path / "usage.csv").open("w") as file:
        file.write("company,person,when\n")
        for n, day in enumerate(days):
            at = str(int(day) * DAY)
            file.writelines(f"c{c},ann,{at}\n" for c in range(12) if c > 5 or n < 120 + 5 * c)
    written(
        tmp_path,
        "churn.csv",
        "company,left\n" + "".join(f"c{c},{(20_165 + 5 * c) * DAY}\n" for c in range(6)),
    )
    files = table_files(chosen, [tmp_path / "usage.csv", tmp_path / "churn.csv"])
    history = ImportedHistory(chosen, files, committed(), 21_000 * DAY)
    assert (history.days, history.start, history.faults) == (200, 20_000 * DAY, 0)
    assert [fate.account_id for fate in history.fates if fate.churned_at] == [f"c{c}" for c in range(6)]
    figures = {one.name: one.value for one in run_backtest(history, DEFAULT).figures}
    assert figures["AUC, churn within 30 days"] > 0.9
    assert not any("trouble" in name or "cause" in name for name in figures)
    with pytest.raises(ImportFileError, match="hold no event"):
        ImportedHistory(chosen, files[1:], committed(), NOW)


def test_churn_dates_are_labels_and_no_events(tmp_path: Path) -> None:
    mapping = "tables: {churn: {files: ['*.csv'], into: churn, fields: {account_id: a, churned_at: b}}}"
    [row] = rows_of(tmp_path, mapping, written(tmp_path, "churn.csv", "a,b\nacme,2026-01-05\n"))
    assert row.what == Churn("acme", 20_458 * DAY)
