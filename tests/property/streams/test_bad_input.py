"""Malformed input that does not come by HTTP: topics, settings, arguments. (HTTP: ``test_gateway_input``.)"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.main import get_command

from bellbuoy.cli import app as cli
from bellbuoy.errors import ConfigError
from bellbuoy.settings import Settings, load
from processors.intake.admission import Admission
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.identity.keys import account_key
from schemas.inputs import INPUT_TOPICS
from schemas.times import DAY
from schemas.topics import Topics
from streams.journal.sorting import EventSorter
from streams.kafka.record_batches import RawBatch, committed_batches
from tests.support import generators as strategies
from tests.support.stored_usage import written

LIMITS = Admission(90 * DAY, 3_600_000)
TOPIC_OF = {
    "UsageEvent": "usage.events",
    "SupportEvent": "support.events",
    "BillingEvent": "billing.events",
    "SurveyResponse": "survey.responses",
    "EngagementEvent": "engagement.events",
    "AccountProfile": "account.profiles",
}


@st.composite
def whole(draw: st.DrawFn) -> bytes:
    """A good record of any topic."""
    made, fields = draw(strategies.events())
    event = made(event_id=draw(st.text(max_size=4)), **fields)
    return codec(TOPIC_OF[type(event).__name__]).encode(event)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A record with bytes changed, cut or added, or framed as another schema."""
    data = bytearray(draw(whole()))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.sampled_from(("change", "cut", "add", "id"))):
            case "change":
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del data[at:]
            case "add":
                data[at:at] = draw(st.binary(min_size=1, max_size=6))
            case _:
                data[4:5] = draw(st.integers(0, 20)).to_bytes(1, "big")
    return bytes(data)


values = st.none() | whole() | damaged() | damaged() | st.binary(max_size=80)
keys = st.none() | st.just(account_key("acme", "a")) | st.binary(max_size=8)


def stored(topic: str, records: list[tuple[bytes | None, bytes | None]]) -> list[RawBatch]:
    """The records as one batch, as a broker keeps it."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0,
        producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=10**6,
    )  # fmt: skip
    for number, (key, value) in enumerate(records):
        builder.append(number, timestamp=strategies.NOW, key=key, value=value, headers=[])
    return committed_batches(topic, 0, bytes(builder.build()), 0, [])[0]


@given(
    topic=st.sampled_from(INPUT_TOPICS),
    records=st.lists(st.tuples(keys, values), min_size=20, max_size=30),
    partitions=st.sampled_from((1, 4)),
)
@settings(max_examples=250)
def test_every_record_on_a_topic_is_accounted_for(topic: str, records: list[Any], partitions: int) -> None:
    batches = stored(topic, records)
    sorted_ = EventSorter(Topics(partitions=partitions), 0, committed(), LIMITS, 1_000).sort(
        batches, strategies.NOW
    )
    counted = sorted_.admitted + sorted_.duplicates + len(sorted_.dead_letters) + len(sorted_.misplaced)
    assert counted == len(records)
    assert written(sorted_)
    assert all(letter.reason and letter.detail and letter.offset >= 0 for letter in sorted_.dead_letters)


AREAS = {
    name: list(getattr(field.annotation, "model_fields", {})) for name, field in Settings.model_fields.items()
}
KNOWN = [(area, name) for area, names in AREAS.items() for name in names or [""]]
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
literals = st.one_of(
    st.integers().map(str),
    st.floats().map(repr),
    st.sampled_from(
        ("true", '""', '"127.0.0.1:9092"', "[]", "{}", "[1, ''", "1979-05-27", '"\\ud800"', "1_0", "8080")
    ),
    text.map(lambda word: f'"{word}"'),
)
keys_ = st.sampled_from(KNOWN) | st.tuples(text, text)
assignments = st.tuples(keys_, literals).map(lambda it: f"{'.'.join(filter(None, it[0][0:2]))} = {it[1]}")
files = st.one_of(
    st.lists(assignments, max_size=4).map(lambda lines: "\n".join(lines).encode()),
    st.lists(st.sampled_from([f"[{area}]" for area in AREAS]) | assignments | text, max_size=5).map(
        lambda lines: "\n".join(lines).encode()
    ),
    st.binary(max_size=40),
)
variables = st.dictionaries(
    keys_.map(lambda it: "__".join(filter(None, it)).upper().replace("=", "")), literals | text, max_size=3
)


@contextmanager
def surroundings(file: bytes | None, changes: dict[str, str]) -> Iterator[Path]:
    """An empty working directory with this settings file, and these BELLBUOY_ variables alone."""
    before, home = dict(os.environ), Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        try:
            os.chdir(folder)
            for name in [name for name in os.environ if name.startswith("BELLBUOY_")]:
                del os.environ[name]
            if file is not None:
                Path("bellbuoy.toml").write_bytes(file)
            os.environ.update({f"BELLBUOY_{name}": value for name, value in changes.items()})
            yield Path(folder)
        finally:
            os.chdir(home)
            os.environ.clear()
            os.environ.update(before)


@given(file=st.none() | files, changes=variables)
@settings(max_examples=1_500)
def test_settings_are_taken_or_refused_in_words(file: bytes | None, changes: dict[str, str]) -> None:
    with surroundings(file, changes):
        try:
            load()
        except ConfigError as refused:
            words = str(refused)
        else:
            return
    assert "\n  - " in words or "not a file" in words


COMMANDS = """
    up demo simulate explain check gateway journal worker deliver topics create list deadletters show
    repair redrive rebuild replay model diff portfolio
"""
OPTIONS = """
    --json --data --seconds --accounts --seed --limit --reason --topic --tenant --config --days --start
    --speed --events --rate --at --from --to --model --fresh --direct --dry-run --set -h --help --version --
    --since --by --parent --owner --segment
"""
commands, options = st.sampled_from(COMMANDS.split()), st.sampled_from(OPTIONS.split())
arguments = st.lists(
    commands
    | options
    | text
    | literals
    | st.sampled_from(("-1", "0", "1e400", "2026-13-40", "\udcff", "..")),
    max_size=6,
)

COMMAND = get_command(cli.app)
"""What the app makes of itself at each call, nine tenths of the call's time."""


@given(arguments=arguments, leading=commands)
@settings(max_examples=1_000)
@example(arguments=["--config", "\udcff"], leading="check")
def test_arguments_are_taken_or_refused_in_words(arguments: list[str], leading: str) -> None:
    # One setting is wrong, so that nothing starts: what passes the arguments ends there.
    out, err = (
        io.TextIOWrapper(io.BytesIO(), "utf-8"),
        io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace"),
    )
    with (
        surroundings(b"[kafka]\npartitions = 0\n", {"JOURNAL__CLOCK": "cuckoo"}),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(cli, "app", COMMAND)
        patch.setattr(sys, "argv", ["bellbuoy", leading, *arguments])
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as ended:
            cli.main()
    out.flush()
    err.flush()
    output = (out.buffer.getvalue() + err.buffer.getvalue()).decode(errors="replace")
    assert ended.value.code in (0, 1, 2)
    assert "Traceback" not in output
    assert "bellbuoy: internal error" not in output
