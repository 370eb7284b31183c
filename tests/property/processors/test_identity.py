"""What is sent under an alias, or to a merged account, ends as if it had been sent to the account."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.merging.merge import merge
from processors.state.account import State
from processors.state.encoding import decode_state
from processors.state.position import Position
from schemas.records import JournalBatch
from tests.support.fold_partitions import Partitions, link
from tests.support.generators import NOW, histories, times
from tests.support.known_state import knowledge

USER, DOMAIN = "~user:u-1", "~domain:acme.example"
NAMES = (USER, DOMAIN, "old", "a")


def placed(happened: list[Any], account_id: str) -> list[Any]:
    return [replace(event, account_id=account_id) for event in happened]


def at_once(happened: list[Any]) -> bytes | None:
    """What is known when all of it was sent to the account itself."""
    direct = Partitions(1)
    direct.send(*placed(happened, "a"))
    direct.run()
    raw = direct.raw("a")
    return None if raw is None else knowledge(raw)


def interleaved(data: st.DataObject, events: list[Any], links: list[Any]) -> list[Any]:
    return data.draw(st.permutations([*events, *links]))


@given(st.data(), st.booleans())
def test_it_does_not_matter_under_which_name_and_when_it_was_linked(data: st.DataObject, twice: bool) -> None:
    happened = data.draw(histories())
    split = [replace(event, account_id=data.draw(st.sampled_from(NAMES))) for event in happened]
    links = [link(name, "a", data.draw(times)) for name in NAMES[:3]]
    said_again = data.draw(st.lists(st.sampled_from(links), max_size=3))
    repeated = [replace(one, event_id=f"again {n}", occurred_at=NOW) for n, one in enumerate(said_again)]
    found = Partitions()
    found.send(*interleaved(data, split, [*links, *said_again, *repeated]))
    found.run(data, twice=twice)

    assert (None if (raw := found.raw("a")) is None else knowledge(raw)) == at_once(happened)
    for name in NAMES[:3]:
        left = found.state(name)
        assert left is not None
        assert (left.link.into, left.applied, left.due, left.score) == ("a", left.link.count, None, None)
    found.balanced()
    published = {health.account_id for outcome in found.outcomes for _, health in outcome.health}
    assert published <= {"a", "old"}


@given(st.data())
def test_merges_follow_one_another(data: st.DataObject) -> None:
    """A chain of three, heard in any order, also where the evidence is there already."""
    happened = data.draw(histories())
    chain = (USER, "first", "second", "a")
    split = [replace(event, account_id=data.draw(st.sampled_from(chain))) for event in happened]
    links = [link(one, into, data.draw(times)) for one, into in itertools.pairwise(chain)]
    found = Partitions()
    found.send(*interleaved(data, split, links))
    found.run(data)

    assert (None if (raw := found.raw("a")) is None else knowledge(raw)) == at_once(happened)
    found.balanced()


@given(st.data(), st.integers(2, 5))
def test_a_circle_of_links_ends_at_the_account_with_the_oldest(data: st.DataObject, length: int) -> None:
    circle = [f"c{number}" for number in range(length)]
    beside = [USER, "tail"]  # they lead into the circle and are no part of it
    moments = data.draw(st.lists(times, min_size=length + 2, max_size=length + 2, unique=True))
    links = [link(one, circle[(n + 1) % length], moments[n]) for n, one in enumerate(circle)]
    links += [
        link(one, data.draw(st.sampled_from(circle)), moments[length + n]) for n, one in enumerate(beside)
    ]
    happened = data.draw(histories())
    split = [replace(event, account_id=data.draw(st.sampled_from([*circle, *beside]))) for event in happened]
    found = Partitions()
    found.send(*interleaved(data, split, links))
    found.run(data)
    last = replace(data.draw(histories(1).filter(bool))[0], event_id="last", account_id="tail")
    found.send(last)
    found.run(data)

    oldest = min(range(length), key=lambda n: moments[n])
    survivor = circle[oldest]
    raw = found.raw(survivor)
    assert raw is not None
    kept = decode_state(raw)
    assert kept.link.into == ""
    kept.applied -= kept.link.count
    expected = decode_state(at_once([*happened, last]) or b"")
    expected.account_id = survivor
    assert as_known(kept) == as_known(expected)
    for name in [*circle, *beside]:
        state = found.state(name)
        assert state is not None
        assert name == survivor or (state.link.into != "", state.applied) == (True, state.link.count)
    found.balanced()


@given(st.data())
def test_merging_commutes(data: st.DataObject) -> None:
    """In whichever order three parts of a history come together."""
    parts = [[], [], []]
    for event in data.draw(histories()):
        data.draw(st.sampled_from(parts)).append(event)
    known = [part_known(part) for part in parts]
    one, other = known[0](), known[2]()
    merge(one, known[1]())
    merge(one, known[2]())
    both = known[1]()
    merge(both, known[0]())
    merge(other, both)
    assert as_known(one) == as_known(other)


def part_known(happened: list[Any]) -> Any:
    raw = at_once(happened)
    return lambda: State(tenant="acme", account_id="a") if raw is None else decode_state(raw)


def as_known(state: State) -> bytes:
    return knowledge(msgspec.msgpack.encode(state))


@given(st.data())
def test_batches_with_links_folded_together_say_what_they_say_alone(data: st.DataObject) -> None:
    """As a worker that is behind folds them, and a replay: accounts as values, transfers from the journal."""
    names = data.draw(st.permutations([*NAMES, "b"]))
    split = [replace(event, account_id=data.draw(st.sampled_from(names))) for event in data.draw(histories())]
    real = ("a", "b", "old")
    links = [
        link(data.draw(st.sampled_from(names)), data.draw(st.sampled_from(real)), data.draw(times))
        for _ in range(data.draw(st.integers(0, 4)))
    ]
    found = Partitions()
    found.send(*interleaved(data, split, [one for one in links if one.account_id != one.into]))
    found.run(data)
    found.balanced()
    for partition in found.all:
        again = folded_together(data, partition.journal)
        assert again == (partition.folded.states, partition.folded.position)


def folded_together(data: st.DataObject, journal: list[JournalBatch]) -> tuple[dict[bytes, bytes], Position]:
    folded, left = FoldedPartition(0, Shared()), list(enumerate(journal))
    while left:
        size = data.draw(st.integers(1, len(left)))
        together, left = left[:size], left[size:]
        for _ in folded.apply(together):
            pass
    return folded.states, folded.position
