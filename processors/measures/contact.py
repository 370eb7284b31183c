"""Measures of contact between the customer and the team: the last touch, replies to e-mail, and silence."""

from __future__ import annotations

from statistics import median

from processors.measures.definition import ENGAGEMENT, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count
from processors.view import View
from schemas.records import EngagementEvent
from schemas.times import DAY, HOUR

__all__ = ["last_touch", "reply_latency", "silence", "unanswered"]

_SOURCES = (ENGAGEMENT,)
_PATIENCE_DAYS = 3
_TOUCHES = ("touch", "meeting", "email_received", "training_attended")


@measure(
    "engagement.last_touch",
    kpi="Last touch",
    unit="days",
    window="since the last one",
    sources=_SOURCES,
    needs="a touch, a meeting, an e-mail from the customer or a training",
    example=(ago(11, EngagementEvent, kind="meeting", user_id="ann"),),
)
def last_touch(view: View) -> MeasureValue:
    """Return the days since the customer and the team last were in touch."""
    known = [view.state.engagement[kind] for kind in _TOUCHES if kind in view.state.engagement]
    if not known:
        return MeasureValue(None, "No contact known")
    age = view.contact_age(max(known))
    return MeasureValue(age, f"Last in touch {count(age, 'day')} ago" if age else "In touch today")


@measure(
    "engagement.reply_latency",
    kpi="E-mail reply latency",
    unit="hours",
    window="90 days",
    sources=_SOURCES,
    needs="an e-mail to the customer that was answered",
    example=(
        ago(14, EngagementEvent, kind="email_sent", user_id="ann"),
        ago(13.5, EngagementEvent, kind="email_received", user_id="ann"),
    ),
)
def reply_latency(view: View) -> MeasureValue:
    """Return the median hours that the customer took to answer an e-mail, by e-mail or in a meeting."""
    waits, _ = _replies(view)
    if not waits:
        return MeasureValue(None, "No answered e-mail known")
    hours = median(wait for wait, _ in waits) / HOUR
    return MeasureValue(hours, f"E-mails answered after {hours:.1f} hours", as_of=max(at for _, at in waits))


@measure(
    "engagement.silence",
    kpi="Customer silence",
    unit="days",
    window="90 days",
    sources=_SOURCES,
    needs="an e-mail to or from the customer",
    example=(ago((9, 6), EngagementEvent, kind="email_sent", user_id="ann"),),
)
def silence(view: View) -> MeasureValue:
    """Return the days since the first e-mail that the customer has not answered; 0 when none waits."""
    if not any(kind in view.state.moments for kind in ("email_sent", "email_received")):
        return MeasureValue(None, "No e-mail known")
    _, waiting = _replies(view)
    if waiting is None:
        return MeasureValue(0, "No e-mail waits for an answer")
    age = view.contact_age(waiting)
    return MeasureValue(age, f"No answer to e-mail for {count(age, 'day')}")


@measure(
    "engagement.unanswered",
    kpi="Customer silence",
    unit="e-mails",
    window="90 days",
    sources=_SOURCES,
    needs="nothing: 0 without an e-mail",
    example=(ago((30, 16, 9), EngagementEvent, kind="email_sent", user_id="ann"),),
)
def unanswered(view: View) -> MeasureValue:
    """Return the number of e-mails since the customer last answered, without those of the last 3 days."""
    times = view.state.moments
    answers = [at for kind in ("email_received", "meeting") for at in times.get(kind, ())]
    last = max(answers, default=0)
    sent = [at for at in times.get("email_sent", ()) if at > last and view.age(at) >= _PATIENCE_DAYS]
    waiting = [at for at in sent if not _answer_lost(view, at)]
    if not waiting:
        return MeasureValue(0, "No e-mail waits for an answer")
    return MeasureValue(len(waiting), f"{count(len(waiting), 'e-mail')} without an answer")


def _replies(view: View) -> tuple[list[tuple[int, int]], int | None]:
    """
    Return the waits for an answer, and the time of the first e-mail that is still without one.

    A wait is its length in milliseconds and the time at which it ended.
    """
    times = view.state.moments
    ours = [(at, False) for at in times.get("email_sent", ())]
    theirs = [(at, True) for kind in ("email_received", "meeting") for at in times.get(kind, ())]
    waits: list[tuple[int, int]] = []
    waiting: int | None = None
    for at, answer in sorted(ours + theirs):
        if not answer:
            waiting = at if waiting is None else waiting
        elif waiting is not None:
            waits.append((at - waiting, at))
            waiting = None
    return waits, None if waiting is None or _answer_lost(view, waiting) else waiting


def _answer_lost(view: View, sent_at: int) -> bool:
    """Tell whether the days on which an e-mail would have been answered are lost."""
    day = sent_at // DAY
    return view.contact_lost(day, day + _PATIENCE_DAYS + 1)
