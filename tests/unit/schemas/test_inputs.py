"""
Every part of the pipeline knows every input topic of ``schemas.inputs``.

A failure names the part that doesn't. The events are those kept beside the golden bytes of the newest schema.
"""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bellbuoy.query.batch_summary import batch_summary
from gateway.http.sender import Sender
from gateway.sources.typed import forms
from processors.fold.outcome import Outcome
from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.intake.usage_rollup_rows import roll_up
from processors.measures import MEASURES
from processors.silent_sources import changed_feeds
from processors.state.account import State
from processors.state.encoding import decode_state, encode_state
from schemas.codec.registry import committed, entries
from schemas.identity.keys import account_key
from schemas.inputs import (
    ACCOUNT_FIELDS,
    BY_TOPIC,
    INPUT_TOPICS,
    INPUTS,
    MODELS,
    OFFERED_TOPICS,
    OWNER_ALERTS,
    TRANSFERS,
    USAGE,
    Input,
    batch_lists,
    input_of,
)
from schemas.records import InputEvent, JournalBatch, UsageCell
from streams.journal.sorting import SortedEvents

ROOT = Path(__file__).parents[3]
BATCH_TYPES = typing.get_type_hints(JournalBatch)

each_input = pytest.mark.parametrize("given", INPUTS, ids=INPUT_TOPICS)
each_offered = pytest.mark.parametrize("topic", OFFERED_TOPICS)


def sample(given: Input) -> Any:
    """Return an event of the topic, of an account that nothing else is known of."""
    newest = {entry.subject: entry for entry in entries()}[f"{given.topic}-value"]
    kept = ROOT / "tests/data/golden" / f"{newest.file.removesuffix('.avsc')}.json"
    event = msgspec.json.decode(kept.read_bytes(), type=given.record)
    if given is TRANSFERS:
        return msgspec.structs.replace(event, state=encode_state(State(tenant="acme", account_id="~user:u1")))
    return msgspec.structs.replace(event, text=None) if given is MODELS else event


def batch_of(given: Input, event: InputEvent) -> JournalBatch:
    usage = roll_up([msgspec.structs.asdict(event)]) if given is USAGE else []
    others = {} if given is USAGE else batch_lists([event])
    return JournalBatch(sequence=0, written_at=event.received_at, usage=usage, **others)


def folded(batch: JournalBatch) -> Outcome:
    [outcome] = FoldedPartition(0, Shared()).apply([(0, batch)])
    return outcome


def test_topics_records_and_lists_belong_to_one_input_each() -> None:
    for name in ("topic", "record", "batch_field"):
        values = [getattr(given, name) for given in INPUTS]
        assert len(set(values)) == len(values), f"schemas/inputs.py: a {name} stands twice"


@each_input
def test_the_journal_has_a_list_for_it(given: Input) -> None:
    item = UsageCell if given is USAGE else given.record
    assert BATCH_TYPES.get(given.batch_field) == list[item], (  # type: ignore[valid-type]
        f"schemas/records/journal.py: JournalBatch misses {given.batch_field}: list[{item.__name__}]"
    )


def test_every_list_of_the_journal_belongs_to_an_input() -> None:
    lists = {name for name, type_ in BATCH_TYPES.items() if typing.get_origin(type_) is list}
    assert lists == {"offsets", *(given.batch_field for given in INPUTS)}
    everywhere = {given.batch_field for given in INPUTS if given.everywhere}
    assert lists == {"offsets", *everywhere, *ACCOUNT_FIELDS}


@each_input
def test_the_journal_stage_puts_its_events_into_that_list(given: Input) -> None:
    event = sample(given)
    if given is not USAGE:
        sorted_events = SortedEvents(events={given.topic: [msgspec.structs.asdict(event)]})
        assert getattr(sorted_events.batch(0, event.received_at, []), given.batch_field) == [event]
    assert input_of(event) is BY_TOPIC[given.topic] is given


@each_input
def test_the_worker_folds_and_counts_it(given: Input) -> None:
    event = sample(given)
    outcome = folded(batch_of(given, event))

    if given is OWNER_ALERTS:
        assert outcome.owner_rows, "processors/owners: the dispatcher doesn't take it"
        assert not outcome.states
    elif given.everywhere:
        assert outcome.shared_entries, (
            f"processors/fold/shared.py: Shared doesn't take in {given.batch_field}"
        )
    else:
        key = account_key(event.tenant, event.account_id)
        assert key in outcome.states, f"processors/observe: OBSERVERS misses {given.batch_field}"
    assert outcome.position.applied == (given.written_by != "worker")


@each_input
def test_the_state_knows_when_a_watched_source_was_last_heard(given: Input) -> None:
    event = sample(given)
    batch = batch_of(given, event)

    assert set(changed_feeds({}, batch)) == ({(event.tenant, given.topic)} if given.watched else set())
    if given.watched and given is not USAGE:
        state = decode_state(folded(batch).states[account_key(event.tenant, event.account_id)])
        assert state.heard.get(given.topic) == event.occurred_at, (
            f"processors/observe: the observer of {given.batch_field} doesn't set heard[{given.topic!r}]"
        )


@each_input
def test_the_history_of_an_account_has_words_for_it(given: Input) -> None:
    phrases = batch_summary(batch_of(given, sample(given)))
    expected = 0 if given.everywhere else 1
    assert len(phrases) == expected, f"bellbuoy/query/batch_summary.py: no phrase for {given.batch_field}"


@each_offered
def test_the_gateway_takes_it_as_typed_json(topic: str) -> None:
    event = sample(BY_TOPIC[topic])
    if topic == USAGE.topic:
        event = msgspec.structs.replace(event, duration_ms=1)  # the kept one is longer than the form takes
    fields = msgspec.to_builtins(event)
    del fields["received_at"]

    form = forms.Form(topic, committed())
    assert form.read(msgspec.json.encode(fields), Sender("acme", "api", event.received_at)) == event


@each_offered
def test_the_docs_name_it(topic: str) -> None:
    assert f"`{topic}`" in (ROOT / "docs/ingest.md").read_text(), f"docs/ingest.md doesn't name {topic}"


def test_what_the_gateway_narrows_is_a_field_of_an_offered_record() -> None:
    fields = {name for topic in OFFERED_TOPICS for name in BY_TOPIC[topic].record.__struct_fields__}
    assert forms._FIELD_TYPES.keys() <= fields, "gateway/sources/typed/forms.py narrows a field that is gone"


def test_measures_name_topics_that_are_watched_or_describe_the_account() -> None:
    sources = {topic for one in MEASURES.values() for topic in one.sources}
    assert sources <= set(INPUT_TOPICS)
    assert {given.topic for given in INPUTS if given.watched} <= sources, (
        "a watched topic informs no measure: what would be frozen while it is silent?"
    )
