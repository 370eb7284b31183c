"""
Message of a notification as a value: its words and links, before any markup.

Every channel makes its markup of the same lines, so a reader of all of them learns one form: what changed and
by how much, since when, why, what it is worth, what to do. A message has at most twelve lines, title and link
included.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

import msgspec

from schemas.money import places
from schemas.records import AlertNotification, RiskAlert
from schemas.times import DAY, EPOCH, HOUR, MINUTE
from sinks.notify.links import Links
from sinks.notify.text import MOST_NAME, isolated, one_line

__all__ = ["MOST_LINES", "Act", "Line", "Message", "compose"]

MOST_LINES = 12
"""Most lines of a message, with its title and its link."""

_MINUS = "\N{MINUS SIGN}"
_MOST_REASONS = 3
_MOST_LISTED = 8
_BANDS = {"at_risk": "at risk"}
_ENDS = {
    "recovered": "the account recovered",
    "dismissed": "dismissed",
    "done": "done",
    "churned": "the account churned",
    "merged": "the account was merged into another",
    "deleted": "the account was deleted",
    "not_judged": "too little is known to judge the account",
}
_ACTS = (("acknowledged", "Acknowledge"), ("snoozed", "Snooze a week"), ("dismissed", "Dismiss"))


class Line(NamedTuple):
    """
    One line: what it is about, empty where the text says so itself, and the text.

    A ``listed`` one is an account of several, by its name; ``url`` leads to it.
    """

    label: str
    text: str
    url: str | None = None
    listed: bool = False


class Act(NamedTuple):
    """Something that the reader may do to the alert: the kind of the action, its words, and a signed link."""

    kind: str
    words: str
    url: str | None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """
    The words of a notification.

    ``mood`` is what colours and icons say: a severity, or ``resolved``. ``reference`` is the beginning of the
    notification's id, by which a person recognises a repetition. ``acts`` is empty where there is no single
    open alert.
    """

    title: str
    mood: str
    lines: tuple[Line, ...]
    url: str | None
    reference: str
    acts: tuple[Act, ...] = ()

    def text(self) -> str:
        """Return the message as plain text, a line each."""
        lines = [f"{line.label}: {line.text}" if line.label else line.text for line in self.lines]
        return "\n".join([self.title, *lines, f"{self.url or 'Bellbuoy'} ({self.reference})"])


def compose(content: AlertNotification, links: Links, sent_at: int) -> Message:
    """
    Return the message of a notification; everything in it is one line, bounded and without controls.

    Its times are told from when it was decided; its links are good for some days from ``sent_at`` (UTC
    milliseconds of the wall clock, which a simulation's journal time is not).
    """
    alone = content.alerts[0] if len(content.alerts) == 1 and content.kind != "digest" else None
    if content.redriven:
        late = f"It is from {_day(content.created_at)}, and could not be delivered then."
        content = msgspec.structs.replace(content, notes=[late, *content.notes])
    lines = tuple(_alone(content, alone) if alone else _several(content, links))
    urls = [links.account(alert) for alert in content.alerts]
    return Message(
        title=_title(content, alone),
        mood="resolved" if _ended(content) else content.severity,
        lines=lines[: MOST_LINES - 2],
        url=urls[0] if alone else links.console,
        reference=content.notification_id[:8],
        acts=tuple(_acts(content, alone, links, sent_at)) if alone else (),
    )


def _title(content: AlertNotification, alone: RiskAlert | None) -> str:
    """Return the title, which names the account where it is about one."""
    title = one_line(content.title)
    if alone is None or not alone.account_id:
        return isolated(title) or "Alerts"
    name = one_line(alone.name or "", MOST_NAME) or one_line(alone.account_id, MOST_NAME)
    if title and name in title:
        return isolated(title)
    return f"{isolated(name)}: {isolated(title) or 'an alert'}"


def _ended(content: AlertNotification) -> bool:
    return bool(content.alerts) and all(alert.change == "resolved" for alert in content.alerts)


def _alone(content: AlertNotification, alert: RiskAlert) -> Iterator[Line]:
    notes = [Line("Note", isolated(one_line(note))) for note in content.notes[:2]]
    if content.kind == "escalation":  # why it comes now is the first thing to know
        yield from notes
    yield Line("What", _change(alert))
    if alert.change == "resolved":
        yield Line("Ended", _end(alert))
    since = alert.opened_at if alert.since is None else alert.since
    yield Line("Since", f"{_day(since)} ({_span(content.created_at - since)})")
    reasons = [isolated(one_line(reason)) for reason in alert.reasons[:_MOST_REASONS]]
    for number, reason in enumerate(filter(None, reasons)):
        yield Line("" if number else "Why", reason)
    if worth := _worth(alert, content.created_at):
        yield Line("Worth", worth)
    if alert.action and alert.change != "resolved":
        yield Line("Do", isolated(one_line(alert.action)))
    if who := _who(alert):
        yield Line("Who", who)
    if content.kind != "escalation":
        yield from notes


def _several(content: AlertNotification, links: Links) -> Iterator[Line]:
    notes = content.notes[: 1 if content.alerts else MOST_LINES - 2]
    room = min(_MOST_LISTED, MOST_LINES - 3 - len(notes))
    for note in notes:
        yield Line("", isolated(one_line(note)))
    for alert in content.alerts[:room]:
        yield Line(_name(alert), _in_short(alert, content.created_at), links.account(alert), listed=True)
    beyond = content.more + len(content.alerts[room:])
    if beyond:
        yield Line("", f"and {beyond} more")


def _in_short(alert: RiskAlert, now: int) -> str:
    title = one_line(alert.title.removeprefix(f"{alert.name or alert.account_id} "), 100)
    parts = [isolated(title), _moved(alert), _arr(alert)]
    if alert.renewal_at is not None and alert.renewal_at > now:
        parts.append(f"renewal in {_span(alert.renewal_at - now)}")
    return " · ".join(part for part in parts if part)


def _name(alert: RiskAlert) -> str:
    name = one_line(alert.name or "", MOST_NAME) or one_line(alert.account_id, MOST_NAME)
    return isolated(name)


def _change(alert: RiskAlert) -> str:
    """Return what changed by how much: from what score to what, and the band."""
    return f"{_moved(alert)}, {_BANDS.get(alert.band, alert.band)}"


def _moved(alert: RiskAlert) -> str:
    before, after = alert.score_before, alert.score
    moved = round(after) - round(before) if before is not None else 0
    if moved:
        return f"score {round(before or 0)} → {round(after)} ({'+' if moved > 0 else _MINUS}{abs(moved)})"
    return f"score {round(after)}"


def _end(alert: RiskAlert) -> str:
    why = _ENDS.get(alert.resolution or "", alert.resolution or "its cause has ended")
    by = f" by {_person(alert.dismissed_by)}" if alert.dismissed_by else ""
    return f"{one_line(why)}{by}, after {_span(alert.changed_at - alert.opened_at)}"


def _worth(alert: RiskAlert, now: int) -> str:
    parts = [_arr(alert)]
    if alert.renewal_at is not None:
        left = alert.renewal_at - now
        when = f"in {_span(left)}" if left > 0 else f"{_span(-left)} ago"
        parts.append(f"renewal {_day(alert.renewal_at)} ({when})")
    return " · ".join(filter(None, parts))


def _arr(alert: RiskAlert) -> str:
    if alert.arr_minor is None:
        return ""
    amount = alert.arr_minor / 10 ** places(alert.currency or "")
    return f"ARR {amount:,.0f} {one_line(alert.currency or '', 3)}".rstrip()


def _who(alert: RiskAlert) -> str:
    parts = []
    if alert.acknowledged_by:
        parts.append(f"acknowledged by {_person(alert.acknowledged_by)}")
    if alert.assignee:
        parts.append(f"assigned to {_person(alert.assignee)}")
    if alert.snoozed_until is not None:
        parts.append(f"snoozed until {_day(alert.snoozed_until)}")
    return ", ".join(parts)


def _person(name: str | None) -> str:
    return isolated(one_line(name or "", MOST_NAME))


def _acts(content: AlertNotification, alert: RiskAlert, links: Links, sent_at: int) -> Iterator[Act]:
    if alert.change == "resolved" or not alert.account_id:
        return
    for kind, words in _ACTS:
        if kind != "acknowledged" or not alert.acknowledged_by:
            yield Act(kind, words, links.act(alert, kind, content.recipient, sent_at))


def _day(at: int) -> str:
    try:
        day = EPOCH + timedelta(milliseconds=at)
    except OverflowError:
        return "an unknown day"
    return f"{day.day} {day:%b %Y}"


def _span(milliseconds: int) -> str:
    for unit, size in (("day", DAY), ("hour", HOUR), ("minute", MINUTE)):
        if milliseconds >= size:
            count = milliseconds // size
            return f"{count:,} {unit}{'s' if count > 1 else ''}"
    return "moments"
