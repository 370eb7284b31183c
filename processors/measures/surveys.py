"""Measures of what people answer in surveys, and whether they answer."""

from __future__ import annotations

from processors.measures.definition import SUPPORT, SURVEYS, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count
from processors.state.account import RING_DAYS, brief
from processors.view import View
from schemas.records import SupportEvent, SurveyResponse

__all__ = ["csat", "effort", "promoters", "silence"]

_WINDOW = "90 days, and before that the newest of each person"
_DAYS_TO_ANSWER = 7
"""A survey that waits for so many days counts as unanswered."""


@measure(
    "surveys.nps",
    kpi="NPS",
    unit="-100 to 100",
    window=_WINDOW,
    sources=(SURVEYS,),
    needs="an answer",
    example=(
        ago(30, SurveyResponse, survey_id="q", user_id="ann", kind="nps", score=9),
        ago(29, SurveyResponse, survey_id="q", user_id="ben", kind="nps", score=10),
        ago(28, SurveyResponse, survey_id="q", user_id="cleo", kind="nps", score=4),
    ),
)
def promoters(view: View) -> MeasureValue:
    """Return the net promoter score: percent of the people who answer 9 or 10, less those of 0 to 6."""
    answers = view.answers.get("nps")
    if not answers:
        return MeasureValue(None, "No NPS answer known")
    scores = [score for _, score in answers.values()]
    for_us, against = sum(score >= 9 for score in scores), sum(score <= 6 for score in scores)
    value = 100 * (for_us - against) / len(scores)
    reason = f"NPS {value:+.0f} of {count(len(scores), 'answer')}, {count(against, 'detractor')}"
    return MeasureValue(value, reason, as_of=max(at for at, _ in answers.values()))


@measure(
    "surveys.csat",
    kpi="CSAT",
    unit="1 to 5",
    window=_WINDOW,
    sources=(SURVEYS, SUPPORT),
    needs="an answer or a rated ticket",
    example=(
        ago(40, SurveyResponse, survey_id="q", user_id="ann", kind="csat", score=3),
        ago(12, SupportEvent, ticket_id="1", kind="opened"),
        ago(10, SupportEvent, ticket_id="1", kind="rated", csat=5),
    ),
)
def csat(view: View) -> MeasureValue:
    """Return the mean satisfaction of each person's newest answer and of each ticket rated in 90 days."""
    rated = [
        (ticket.csat_at[0], ticket.csat)
        for ticket in view.tickets
        if ticket.csat is not None and view.age(ticket.csat_at[0]) < RING_DAYS
    ]
    return _mean([*rated, *view.answers.get("csat", {}).values()], "Satisfaction", 5)


@measure(
    "surveys.ces",
    kpi="CES",
    unit="1 to 7",
    window=_WINDOW,
    sources=(SURVEYS,),
    needs="an answer",
    example=(
        ago(50, SurveyResponse, survey_id="q", user_id="ann", kind="ces", score=3),
        ago(48, SurveyResponse, survey_id="q", user_id="ben", kind="ces", score=6),
    ),
)
def effort(view: View) -> MeasureValue:
    """Return the mean customer effort score of each person's newest answer; 7 is easiest."""
    return _mean(list(view.answers.get("ces", {}).values()), "Ease", 7)


def _mean(answers: list[tuple[int, int]], name: str, best: int) -> MeasureValue:
    if not answers:
        return MeasureValue(None, f"{name} not known: no answer")
    value = sum(score for _, score in answers) / len(answers)
    reason = f"{name} {value:.1f} of {best} in {count(len(answers), 'answer')}"
    return MeasureValue(value, reason, as_of=max(at for at, _ in answers))


@measure(
    "surveys.silence",
    kpi="Silence after surveys",
    unit="ratio",
    window="90 days; sent a week ago or earlier",
    sources=(SURVEYS,),
    needs="a survey sent, as the source says",
    example=(
        ago(30, SurveyResponse, survey_id="q", user_id="ann", kind="nps", step="sent"),
        ago(30, SurveyResponse, survey_id="q", user_id="ben", kind="nps", step="sent"),
        ago(29, SurveyResponse, survey_id="q", user_id="ben", kind="nps", score=8),
    ),
)
def silence(view: View) -> MeasureValue:
    """Return the share of the surveys sent that were not answered within a week, or declined."""
    sent = [key for key, at in view.state.asked.items() if _DAYS_TO_ANSWER <= view.age(at) < RING_DAYS]
    if not sent:
        return MeasureValue(None, "No survey known to have been sent")
    answered = {brief(key) for key, (_, _, score) in view.state.surveys.items() if score is not None}
    silent = sum(1 for key in sent if key not in answered)
    return MeasureValue(
        silent / len(sent), f"{silent} of {count(len(sent), 'survey')} sent were not answered"
    )
