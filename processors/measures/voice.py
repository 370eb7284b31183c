"""Measures of what the customer says unasked: praise, complaints and advocacy."""

from __future__ import annotations

from processors.measures.definition import ENGAGEMENT, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count
from processors.state.account import RING_DAYS
from processors.view import View
from schemas.records import EngagementEvent

__all__ = ["advocacy", "feedback"]


@measure(
    "voice.feedback",
    kpi="Qualitative feedback",
    unit="-1 to 1",
    window="90 days",
    sources=(ENGAGEMENT,),
    needs="praise or a complaint in 90 days",
    example=(
        ago(40, EngagementEvent, kind="praise_received", name="reports"),
        ago(12, EngagementEvent, kind="complaint_received", name="single sign-on"),
        ago(11, EngagementEvent, kind="complaint_received", name="prices"),
    ),
)
def feedback(view: View) -> MeasureValue:
    """
    Return the praise less the complaints, divided by both.

    Whoever records a remark says which of the two it is, and what it is about.
    """
    praise, complaints = _remarks(view, "praise_received"), _remarks(view, "complaint_received")
    if not praise and not complaints:
        return MeasureValue(None, "No feedback in 90 days")
    value = (len(praise) - len(complaints)) / (len(praise) + len(complaints))
    at, about = max(praise + complaints)
    newest = f", the last about {about}" if about else ""
    reason = f"{len(praise)} x praise, {count(len(complaints), 'complaint')} in 90 days{newest}"
    return MeasureValue(value, reason, as_of=at)


@measure(
    "voice.advocacy",
    kpi="Community and advocacy",
    unit="acts",
    window="400 days",
    sources=(ENGAGEMENT,),
    needs="nothing: 0 without an act of advocacy",
    example=(ago(90, EngagementEvent, kind="advocacy_shown", name="review"),),
)
def advocacy(view: View) -> MeasureValue:
    """Return the number of references, reviews, referrals and community posts that the customer gave."""
    times = view.state.moments.get("advocacy_shown", [])
    return MeasureValue(
        len(times), f"{count(len(times), 'act')} of advocacy" if times else "No advocacy known"
    )


def _remarks(view: View, kind: str) -> list[tuple[int, str]]:
    """Return the time and the subject of each remark of this kind in 90 days."""
    remarks = []
    for key, times in view.state.moments.items():
        remark, _, about = key.partition("\n")
        if remark == kind:
            remarks += [(at, about) for at in times if view.age(at) < RING_DAYS]
    return remarks
