"""
Surveys: who was asked, and the answer that stands.

Of what a person said to a survey the newest version stands: an answer's version is the time it was
given, that of an edit or a withdrawal the time of the change. An edited answer keeps the time it was
given at, as if it had been right at once.
"""

from __future__ import annotations

from typing import TypeAlias

from processors.observe.retract import retract, retraction
from processors.state.account import Stamp, State, brief
from schemas.inputs import SURVEYS
from schemas.records import SurveyResponse

__all__ = ["Answer", "either", "observe_survey"]

Answer: TypeAlias = tuple[Stamp, str, int | None]
"""(When, kind of survey, score)."""


def observe_survey(state: State, event: SurveyResponse) -> None:
    """Fold one step of a survey; a newer version of what a person said replaces the older."""
    state.applied += 1
    state.heard[SURVEYS.topic] = max(state.heard.get(SURVEYS.topic, -1), event.occurred_at)
    key = f"{event.survey_id}\n{event.user_id or ''}"
    if event.step == "sent":
        asked = brief(key)
        state.asked[asked] = min(state.asked.get(asked, event.occurred_at), event.occurred_at)
        return
    stands = state.surveys.get(key)
    gone = retraction(state, "survey", key)
    newest = max(-1 if stands is None else stands[0][0], -1 if gone is None else gone.at)
    version = max(event.occurred_at, event.edited_at or 0)
    if event.step == "withdrawn" or event.edited_at is not None:
        retract(state, "survey", key, version)
    said: Answer | None = ((event.occurred_at, 0), event.kind, event.score)
    if event.step == "withdrawn":
        said = None
    if version < newest:
        return
    if version == newest:
        said = either(said, stands)
    if said is None:
        state.surveys.pop(key, None)
    else:
        state.surveys[key] = said


def either(said: Answer | None, stands: Answer | None) -> Answer | None:
    """Choose between two versions of one time; any choice will do that doesn't depend on order."""
    return None if said is None or stands is None else max(said, stands, key=_by_content)


def _by_content(answer: Answer) -> tuple[int, str, int]:
    (at, _), kind, score = answer
    return at, kind, -1 if score is None else score
