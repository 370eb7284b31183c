"""The page of the dead-letter reasons: what each means, who gives it, and what an operator does about it."""

from __future__ import annotations

from typing import NamedTuple

from bellbuoy.docs.markdown import table
from schemas.records.dead_letters import REASONS, STATUSES

__all__ = ["EXPLAINED", "page"]

_HEAD = """# Dead-letter reasons

Why a record became a dead letter: a closed set. Generated from the code by `python -m bellbuoy.docs`; a test
holds it to the code.

A dead letter is a record that can't be used, kept whole on `events.deadletter` with the reason, the topic,
partition and offset it came from, and, where one field is at fault, the field's JSON pointer. How to look at
dead letters, repair and send them again: [operations.md](../operations.md#dead-letters).
"""


class _Explanation(NamedTuple):
    meaning: str
    given_by: str
    remedy: str


EXPLAINED = {
    "undecodable": _Explanation(
        "The bytes are not what their schema id says. An envelope is kept whole.",
        "journal, deliver",
        "Correct the producer and send the events again; or give the record: `repair --file record.json`",
    ),
    "unknown_schema": _Explanation(
        "The schema id is not in the registry.",
        "journal, deliver",
        "Register the schema, then `redrive` the record as it is; or `repair --file`",
    ),
    "invalid": _Explanation(
        "The record can be read, but a field has a value that can't be used; or a sink will never take it.",
        "gateway, journal, deliver",
        "`repair` names the field; for a sink, correct the sink, then `bellbuoy rebuild`",
    ),
    "too_late": _Explanation(
        "The event is older than `journal.horizon_days`, so its day's bucket is gone.",
        "journal",
        "Nothing: it can't count any more, and `redrive` says so. `repair` only where the time is wrong",
    ),
    "from_future": _Explanation(
        "The event is more than `journal.future_minutes` ahead of journal time.",
        "journal",
        "Check the producer's clock; `redrive` when the time has come, or `repair` the time",
    ),
    "unresolved_account": _Explanation(
        "An event of the gateway has no account, and no user whose account may be known later.",
        "gateway",
        "`repair --set /context/groupId=ACCOUNT`",
    ),
}
"""What the page says of each reason."""

_STATUSES = {
    "open": "It came as a dead letter and nothing was done yet.",
    "repaired": "`bellbuoy deadletters repair` has written a right record beside the original.",
    "redriven": "`bellbuoy deadletters redrive` has sent the record through the pipeline again, once.",
}


def page() -> str:
    """Return the text of docs/reference/dead-letter-reasons.md."""
    reasons = [(f"`{reason}`", *EXPLAINED[reason]) for reason in REASONS]
    statuses = [(f"`{status}`", _STATUSES[status]) for status in STATUSES]
    return "\n".join(
        [
            _HEAD,
            table(("reason", "what it means", "given by", "what to do"), reasons),
            "",
            "## Statuses",
            "",
            "What became of a dead letter, in the order in which it happens. Repair and redrive write it to",
            "`events.deadletter` again under the same id; the furthest status counts.",
            "",
            table(("status", "what it means"), statuses),
            "",
        ]
    )
