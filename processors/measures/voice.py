"""What the customer says unasked: praise and complaints by what they are about, and advocacy."""

from __future__ import annotations

from processors.measures.measured import ENGAGEMENT, MeasureValue, measure
from processors.measures.view import View
from processors.measures.wording import count
from processors.state.account import RING_DAYS

__all__ = ["advocacy", "feedback"]


@measure(
    "voice.feedback",
    unit="-1 to 1",
    window="90 days",
    sources=(ENGAGEMENT,),
    needs="praise or a complaint in 90 days",
)
def feedback(view: View) -> MeasureValue:
    """Return the praise less the complaints over both; who records them says which it is, and about what."""
    praise, complaints = _heard(view, "praise_received"), _heard(view, "complaint_received")
    if not praise and not complaints:
        return MeasureValue(None, "No feedback in 90 days")
    value = (len(praise) - len(complaints)) / (len(praise) + len(complaints))
    at, about = max(praise + complaints)
    newest = f", the last about {about}" if about else ""
    said = f"{len(praise)} x praise, {count(len(complaints), 'complaint')} in 90 days{newest}"
    return MeasureValue(value, said, as_of=at)


@measure(
    "voice.advocacy",
    unit="acts",
    window="400 days",
    sources=(ENGAGEMENT,),
    needs="nothing: no advocacy is a fact",
)
def advocacy(view: View) -> MeasureValue:
    """Count what the customer did for us in public: references, reviews, referrals, community posts."""
    times = view.state.moments.get("advocacy_shown", [])
    return MeasureValue(
        len(times), f"{count(len(times), 'act')} of advocacy" if times else "No advocacy known"
    )


def _heard(view: View, kind: str) -> list[tuple[int, str]]:
    found = []
    for key, times in view.state.moments.items():
        said, _, about = key.partition("\n")
        if said == kind:
            found += [(at, about) for at in times if view.age(at) < RING_DAYS]
    return found
