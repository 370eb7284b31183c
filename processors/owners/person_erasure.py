"""Erasure of a person from the rows of the owners' stage: as owner, recipient, or by an act on an alert."""

from __future__ import annotations

import re

from msgspec.structs import replace

from processors.owners.rows import Rows, TrackedAlert, inbox_key
from processors.state.parts import brief
from schemas.identity.naming import ERASED

__all__ = ["erase_person_from_rows"]

_NAMED = re.compile(r"It (?:went to|came from) (.*)\.\Z", re.DOTALL)
_ACTED = ("acknowledged_by", "dismissed_by", "assignee")


def erase_person_from_rows(rows: Rows, tenant: str, person: int) -> None:
    """
    Erase a person, given by the ``brief`` of the name, from a tenant's rows; ``ERASED`` stands there instead.

    An alert goes on to whoever its account names as owner next.
    """
    for recipient, queue in rows.inboxes(tenant):
        if brief(recipient) == person:
            rows.remove(inbox_key(tenant, recipient))
            rows.put(inbox_key(tenant, ERASED), queue)
    for row in rows.alerts(tenant):
        _erase_from_alert(row, person)


def _erase_from_alert(row: TrackedAlert, person: int) -> None:
    row.owner, row.recipient = _name(row.owner, person), _name(row.recipient, person)
    row.told = [_name(each, person) for each in row.told]
    row.notes = [note for note in row.notes if not _names(note, person)]
    alert = row.alert
    acted = {field: _name(getattr(alert, field) or "", person) or None for field in _ACTED}
    if any(acted[field] != getattr(alert, field) for field in _ACTED):
        alert = replace(alert, **acted, note=None)  # the note may be the person's own
    if alert.owner and brief(alert.owner) == person:
        alert = replace(alert, owner=None)
    row.alert = alert


def _name(name: str, person: int) -> str:
    return ERASED if name and brief(name) == person else name


def _names(note: str, person: int) -> bool:
    named = _NAMED.match(note)
    return named is not None and brief(named[1]) == person
