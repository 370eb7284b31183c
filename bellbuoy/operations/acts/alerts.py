"""Acts of people on alerts: which alert somebody means, and the record of what they did, written to Kafka."""

from __future__ import annotations

import uuid

from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import CONFIGURATION
from bellbuoy.operations.kafka.event_writing import write_event
from bellbuoy.operations.kafka.journal_time import journal_time
from bellbuoy.settings import Settings
from processors.intake.admission import MAX_TEXT
from schemas.records import AlertAction, RiskAlert
from schemas.times import DAY, iso
from sinks.serving import Reader

__all__ = [
    "FEEDBACK",
    "KINDS",
    "MOST_SNOOZE_DAYS",
    "AlertActionError",
    "NoSuchAlertError",
    "find_alert",
    "write_alert_action",
]

KINDS = ("acknowledged", "snoozed", "assigned", "dismissed", "resolved", "reviewed")
"""What can be done with an alert; every kind but ``reviewed`` needs it to be open."""

FEEDBACK = ("useful", "noise", "known")
"""What a person may say of an alert, from which the precision of its rule is computed."""

MOST_SNOOZE_DAYS = 90
"""Days for which an alert can be snoozed at most."""

_SOURCE = "bellbuoy"
_MAX_NOTE = 32_768
_ALL = 1_000_000
_NAMED = 5


class NoSuchAlertError(OperatorError):
    """
    No open alert of the tenant is the one that is named, or several are; the message says which there are.

    Operator action: take an id from `bellbuoy alerts list`.
    """


class AlertActionError(OperatorError):
    """
    An act on an alert lacks something, or has what the journal would refuse; the message says what.

    ``field`` is the argument of ``write_alert_action`` that is at fault.
    """

    exit_code = CONFIGURATION

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def find_alert(reader: Reader, tenant: str, text: str, *, ended: bool = False) -> RiskAlert:
    """
    Return the open alert whose id is *text*, or the only one whose id begins with it.

    With ``ended`` an alert that is resolved is found as well, by its whole id. Raises NoSuchAlertError, and
    ReadError.
    """
    exact = reader.alert(text) if text else None
    if exact is not None and exact.tenant == tenant and not exact.shadow:
        if exact.change != "resolved" or ended:
            return exact
        why = f" ({exact.resolution})" if exact.resolution else ""
        raise NoSuchAlertError(
            f"alert {text} is not open any more: it was resolved at {iso(exact.changed_at)}{why}; "
            "`bellbuoy alerts list` has those that are open"
        )
    opened = [one for one in reader.open_alerts(tenant, _ALL) if not one.shadow]
    begin = [one for one in opened if text and one.alert_id.startswith(text)]
    if len(begin) == 1:
        return begin[0]
    if begin:
        some = "; ".join(f"{one.alert_id} ({one.name or one.account_id})" for one in begin[:_NAMED])
        raise NoSuchAlertError(f"{len(begin)} open alerts begin with {text!r}: {some}; give more of the id")
    raise NoSuchAlertError(
        f"no open alert of tenant {tenant} begins with {text!r}: `bellbuoy alerts list --tenant {tenant}` "
        f"has the {len(opened):,} that are open"
    )


def write_alert_action(
    settings: Settings,
    alert: RiskAlert,
    kind: str,
    *,
    author: str,
    note: str | None = None,
    until: int | None = None,
    assignee: str | None = None,
    feedback: str | None = None,
    action_id: str = "",
) -> AlertAction:
    """
    Write what ``author`` did with an alert, and return the record once Kafka has confirmed it.

    ``kind`` is one of KINDS. ``until`` is the end of a snooze (UTC milliseconds of the journal's time),
    ``assignee`` who has the alert from now on, ``feedback`` one of FEEDBACK. ``action_id`` is the event's id:
    with the same one a repeated act counts once. Raises AlertActionError, and KafkaAwayError, after which the
    act may have been written or not.
    """
    at = journal_time(settings)
    _check(kind, author=author, note=note, until=until, assignee=assignee, feedback=feedback, at=at)
    said = {"note": note, "until": until, "assignee": assignee, "feedback": feedback}
    action = AlertAction(
        event_id=action_id or uuid.uuid4().hex,
        tenant=alert.tenant,
        account_id=alert.account_id,
        source=_SOURCE,
        occurred_at=at,
        received_at=at,
        alert_id=alert.alert_id,
        kind=kind,
        author=author,
        **{name: value for name, value in said.items() if value not in (None, "")},  # type: ignore[arg-type]
    )
    write_event(settings, "alert.actions", action)
    return action


def _check(
    kind: str,
    *,
    author: str,
    note: str | None,
    until: int | None,
    assignee: str | None,
    feedback: str | None,
    at: int,
) -> None:
    """Raise AlertActionError for what would become a dead letter, or would do nothing."""
    if kind not in KINDS:
        raise AlertActionError(f"nobody can have an alert {kind!r}: it is one of {', '.join(KINDS)}", "kind")
    if not author.strip():
        raise AlertActionError("the author is empty: say who does this", "author")
    for field, text, most in (
        ("author", author, MAX_TEXT),
        ("assignee", assignee, MAX_TEXT),
        ("note", note, _MAX_NOTE),
    ):
        if text is not None and len(text) > most:
            told = f"the {field} has {len(text):,} characters, at most {most:,}: shorten it"
            raise AlertActionError(told, field)
    if kind == "assigned" and not (assignee or "").strip():
        raise AlertActionError("it isn't said to whom the alert is assigned: name a person", "assignee")
    if kind == "snoozed":
        if until is None:
            raise AlertActionError("it isn't said until when the alert is snoozed", "until")
        if not at < until <= at + MOST_SNOOZE_DAYS * DAY:
            told = (
                f"{iso(until)} is no end for a snooze: it must be after now ({iso(at)}) and within "
                f"{MOST_SNOOZE_DAYS} days"
            )
            raise AlertActionError(told, "until")
    if kind == "reviewed" and not feedback:
        raise AlertActionError(f"a review says one of {', '.join(FEEDBACK)}", "feedback")
    if feedback and feedback not in FEEDBACK:
        told = f"{feedback!r} is no feedback: it is one of {', '.join(FEEDBACK)}"
        raise AlertActionError(told, "feedback")
