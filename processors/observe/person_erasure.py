"""
Erasure of one person of an account: whoever used the product, answered, was a champion, or acted for us.

What sums tell stays (events of a day, tickets): they name nobody. What remains of the person's use is only
in such sums, as if somebody without an id had come. A person is told by the ``brief`` of the user id, as
everywhere in a state; texts of people are compared by theirs.

Of what the person says later nothing is lost, and what is sent again of before is dropped by the journal
(``schemas.identity.erasures``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from msgspec.structs import replace

from processors.state.account import Episode, OverrideValue, State, brief
from processors.state.encoding import decode_state, encode_state
from schemas.identity.naming import ERASED

__all__ = ["erase_person", "knows_person"]

V = TypeVar("V")


def erase_person(state: State, person: int) -> None:
    """Erase what an account's state knows of a person; the erasure counts as one event."""
    state.applied += 1
    state.usage.users = _others(state.usage.users, person)
    state.people = _others(state.people, person)
    for counter in state.own_counts.values():
        counter.users = _others(counter.users, person)
    answers = [key for key in state.surveys if _is(key.partition("\n")[2], person)]
    for key in answers:
        del state.surveys[key]
    for key in [key for key in state.retracted if _is(key.rpartition("\n")[2], person)]:
        del state.retracted[key]
    gone = {brief(key) for key in answers}
    state.asked = {asked: at for asked, at in state.asked.items() if asked not in gone}
    owner = state.profile.get("owner")
    if owner is not None and _is(str(owner[1]), person):
        del state.profile["owner"]
    state.overrides = {target: _override(value, person) for target, value in state.overrides.items()}
    state.notes = {key: note for key, note in state.notes.items() if not _is(note.author, person)}
    state.tasks = {key: task for key, task in state.tasks.items() if not _is(task.author, person)}
    for task in state.tasks.values():
        if _is(task.assignee, person):
            task.assignee = ERASED
        if _is(task.done_by, person):
            task.done_by = ERASED
    for name, fact in state.own.items():
        if _is(fact.author, person):
            state.own[name] = replace(fact, author=ERASED)
    for episode in state.episodes.values():
        _erase_from_episode(episode, person)


def knows_person(state: State, person: int) -> bool:
    """Tell whether an account's state knows of a person, so that an erasure would change it."""
    before, without = (decode_state(encode_state(state)) for _ in range(2))
    erase_person(without, person)
    without.applied -= 1
    return without != before


def _others(known: Mapping[int, V], person: int) -> dict[int, V]:
    return {each: value for each, value in known.items() if each != person}


def _is(text: str | None, person: int) -> bool:
    return bool(text) and brief(text or "") == person


def _override(value: OverrideValue, person: int) -> OverrideValue:
    return replace(value, author=ERASED, reason="") if _is(value.author, person) else value


def _erase_from_episode(episode: Episode, person: int) -> None:
    acted = False
    for name in ("acknowledged_by", "dismissed_by", "assignee"):
        if _is(getattr(episode, name), person):
            setattr(episode, name, ERASED)
            acted = True
    if acted:
        episode.note = None  # it may be the person's own
