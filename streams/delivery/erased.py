"""Outputs about the erased: left out where the account was, without the name where a person of it was."""

from __future__ import annotations

from msgspec.structs import replace

from processors.state.parts import brief
from schemas.identity.erasures import Erasure, Erasures
from schemas.identity.naming import ERASED
from schemas.records import AccountHealth, AccountKpis, AlertNotification, RiskAlert, Task
from sinks.port import Output, version

__all__ = ["without_erased"]

_ACTED = ("acknowledged_by", "dismissed_by", "assignee")


def without_erased(output: Output, erasures: Erasures) -> Output | None:
    """
    Return what may be delivered of an output of before an erasure; ``None``: nothing.

    The end of an account is delivered. A notification isn't looked at: it may tell of several accounts, and
    is delivered once.
    """
    entry = None if isinstance(output, AlertNotification) else erasures.of(output.tenant, output.account_id)
    if entry is None or isinstance(output, AlertNotification):
        return output
    ends = isinstance(output, AccountHealth | AccountKpis) and output.deleted
    if not ends and version(output)[0] <= max(entry.erased_at, entry.until):
        return None
    return _without_people(output, entry) if entry.people else output


def _without_people(output: Output, entry: Erasure) -> Output:
    if isinstance(output, RiskAlert):
        acted = {field: ERASED for field in _ACTED if _is_erased(output, getattr(output, field), entry)}
        output = replace(output, **acted, note=None) if acted else output
    elif isinstance(output, AccountHealth):
        overrides = [
            replace(each, author=ERASED, reason="") if _is_erased(output, each.author, entry) else each
            for each in output.overrides
        ]
        output = replace(
            output,
            overrides=overrides,
            notes=[note for note in output.notes if not _is_erased(output, note.author, entry)],
            tasks=[
                _without_people_of_task(output, task, entry)
                for task in output.tasks
                if not _is_erased(output, task.author, entry)
            ],
        )
    else:
        return output
    return replace(output, owner=None) if _is_erased(output, output.owner, entry) else output


def _without_people_of_task(output: AccountHealth, task: Task, entry: Erasure) -> Task:
    told = {
        field: ERASED for field in ("assignee", "done_by") if _is_erased(output, getattr(task, field), entry)
    }
    return replace(task, **told) if told else task


def _is_erased(output: AccountHealth | RiskAlert, name: str | None, entry: Erasure) -> bool:
    if not name:
        return False
    erased_at = entry.of_person(output.tenant, output.account_id, brief(name))
    return version(output)[0] <= erased_at
