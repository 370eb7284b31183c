"""Contact between the customer and the team: the last touch, replies to e-mail, and silence."""

from __future__ import annotations

from statistics import median

from processors.measures.measured import ENGAGEMENT, MeasureValue, measure
from processors.measures.view import View
from processors.measures.wording import count
from schemas.times import HOUR

__all__ = ["last_touch", "reply_latency", "silence"]

_SOURCES = (ENGAGEMENT,)
_TOUCHES = ("touch", "meeting", "email_received", "training_attended")


@measure(
    "engagement.last_touch",
    unit="days",
    window="since the last one",
    sources=_SOURCES,
    needs="a touch, a meeting, an e-mail from the customer or a training",
)
def last_touch(view: View) -> MeasureValue:
    """Return the days since the customer and the team last were in touch."""
    known = [view.state.engagement[kind] for kind in _TOUCHES if kind in view.state.engagement]
    if not known:
        return MeasureValue(None, "No contact known")
    age = view.age(max(known))
    return MeasureValue(age, f"Last in touch {count(age, 'day')} ago" if age else "In touch today")


@measure(
    "engagement.reply_latency",
    unit="hours",
    window="90 days",
    sources=_SOURCES,
    needs="an e-mail to the customer that was answered",
)
def reply_latency(view: View) -> MeasureValue:
    """Return the median hours the customer took to answer an e-mail, by e-mail or in a meeting."""
    waits, _ = _replies(view)
    if not waits:
        return MeasureValue(None, "No answered e-mail known")
    hours = median(wait for wait, _ in waits) / HOUR
    return MeasureValue(hours, f"E-mails answered after {hours:.1f} hours", as_of=max(at for _, at in waits))


@measure(
    "engagement.silence",
    unit="days",
    window="90 days",
    sources=_SOURCES,
    needs="an e-mail to or from the customer",
)
def silence(view: View) -> MeasureValue:
    """Return the days since the first e-mail that the customer has not answered; 0 when none waits."""
    if not any(kind in view.state.moments for kind in ("email_sent", "email_received")):
        return MeasureValue(None, "No e-mail known")
    _, waiting = _replies(view)
    if waiting is None:
        return MeasureValue(0, "No e-mail waits for an answer")
    age = view.age(waiting)
    return MeasureValue(age, f"No answer to e-mail for {count(age, 'day')}")


def _replies(view: View) -> tuple[list[tuple[int, int]], int | None]:
    """Return each wait for an answer (milliseconds, and when it ended), and since when one is waited for."""
    moments = view.state.moments
    ours = [(at, False) for at in moments.get("email_sent", ())]
    theirs = [(at, True) for kind in ("email_received", "meeting") for at in moments.get(kind, ())]
    waits: list[tuple[int, int]] = []
    waiting: int | None = None
    for at, answer in sorted(ours + theirs):
        if not answer:
            waiting = at if waiting is None else waiting
        elif waiting is not None:
            waits.append((at - waiting, at))
            waiting = None
    return waits, waiting
