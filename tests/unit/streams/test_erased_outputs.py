"""What was published before somebody was erased reaches no sink again, also when a sink is rebuilt."""

from __future__ import annotations

from msgspec.structs import replace

from processors.state.parts import brief
from schemas.identity.erasures import NOBODY, Erasure, Erasures, account_digest, person_digest
from schemas.identity.naming import ERASED
from schemas.records import Note, Task
from streams.delivery.erased import without_erased
from tests.support.output_records import AT, alert, health, kpis

SALT = b"0123456789abcdef"
PEOPLE = {person_digest(SALT, "demo", "acme", brief("ann")): AT + 5}
GONE = Erasures({account_digest(SALT, "demo", "gone"): Erasure(salt=SALT, erased_at=AT, until=AT + 5)})
PERSON = Erasures({account_digest(SALT, "demo", "acme"): Erasure(salt=SALT, people=PEOPLE)})


def test_outputs_of_an_erased_account_are_left_out_up_to_its_end() -> None:
    last = replace(health("gone", 5, 0.0, as_of=AT + 5), deleted=True)
    assert without_erased(last, GONE) == last
    for older in (
        health("gone", 5, 9.0, as_of=AT + 5),
        kpis("gone", {}, 5),
        alert("a", 5, account_id="gone"),
    ):
        moved = replace(older, as_of=AT + 5) if hasattr(older, "as_of") else replace(older, changed_at=AT + 5)
        assert without_erased(moved, GONE) is None
        assert without_erased(moved, NOBODY) == moved
    later = health("gone", 6, 9.0, as_of=AT + 6)
    assert without_erased(later, GONE) == later
    other = health("other", 5, 9.0, as_of=AT)
    assert without_erased(other, GONE) == other


def test_a_person_is_named_no_more_in_what_was_published_before() -> None:
    told = alert("a", 5, account_id="acme", owner="ann", acknowledged_by="ann", assignee="kim", note="mine")
    without = replace(told, owner=None, acknowledged_by=ERASED, note=None)
    assert without_erased(told, PERSON) == without
    later = replace(told, changed_at=AT + 6)
    assert without_erased(later, PERSON) == later
    scored = health("acme", 5, 9.0, as_of=AT + 5, owner="ann")
    assert without_erased(scored, PERSON) == replace(scored, owner=None)
    mine = (
        Note(note_id="n1", at=AT, author="ann", text="I left"),
        Task(task_id="k1", title="Mine", author="ann"),
    )
    theirs = Task(task_id="k2", title="Call", author="kim", assignee="ann", done_at=AT, done_by="ann")
    written = replace(scored, owner=None, notes=[mine[0]], tasks=[mine[1], theirs])
    kept = replace(theirs, assignee=ERASED, done_by=ERASED)
    assert without_erased(written, PERSON) == replace(written, notes=[], tasks=[kept])
    by_kim = replace(told, owner="kim", acknowledged_by=None)
    assert without_erased(by_kim, PERSON) == by_kim
