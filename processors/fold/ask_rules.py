"""The asking of alert rules about one account: what they judge, and whether they must be asked at all."""

from __future__ import annotations

from collections.abc import Sequence

from processors.alerts.changes import EpisodeChange
from processors.alerts.episodes import RulesUpdate, told_measures, update_episodes
from processors.alerts.rules_memory import same_health, unchanged
from processors.fold.evaluation_cache import Evaluation, LoadedAccount
from processors.measures import MEASURES, MeasureDefinition, MeasureValue
from processors.rules import JudgedHealth, RuleSet, Situation
from processors.rules.facts import SCORE
from processors.scoring.score import REASONS, Verdict, in_force, weigh
from processors.silent_sources import NOTHING_FROZEN, FrozenSources, frozen_values

__all__ = ["Grounds", "ask_rules", "measure", "reasons_of_alert", "sample"]

_WELL = ("watch", "healthy")


class Grounds:
    """
    The health that alert rules judge, and the verdict whose reasons their alerts give.

    Both are those of the account but for what is told already: an override, which a person set, and measures
    that an open alert of their own tells of.
    """

    def __init__(self, evaluation: Evaluation, verdict: Verdict, band: str) -> None:
        self._evaluation = evaluation
        self._published = verdict
        self._band = band
        self.verdict = verdict
        self.reasons = verdict.reasons

    def made_of(self, parts: tuple[object, str] | None) -> bool:
        """Tell whether the verdict and the band are those of before, as objects."""
        return parts is not None and parts[0] is self._published.measures and parts[1] == self._band

    @property
    def parts(self) -> tuple[object, str]:
        """What the health is made of, to be compared later."""
        return self._published.measures, self._band

    def health(self, told: frozenset[str]) -> JudgedHealth:
        """Return the health without what is told of these measures."""
        verdict, band, view = self._published, self._band, self._evaluation.view
        if band not in _WELL and band != "unknown" and (told or in_force(view)):
            untold = weigh(self._evaluation.plan, self._evaluation.values, view, untold=told)
            bands = untold.plan.bands
            if not untold.judged:
                band = "unknown"
            elif untold.score > verdict.score:
                band = bands.severity(bands.of(untold.score))
            verdict = untold
        self.verdict = verdict
        if band == "unknown":
            return JudgedHealth()
        if band in _WELL:
            return JudgedHealth(band, verdict.score / 100)
        cause = _cause(verdict)
        return JudgedHealth(band, verdict.score / 100, cause, self._is_held(cause, told))

    def _is_held(self, cause: str | None, told: frozenset[str]) -> bool:
        """Tell whether the cause, or a bad band, rests on values from before a source fell silent."""
        evaluation = self._evaluation
        if not evaluation.frozen:  # nearly always
            return False
        plan, values, view = evaluation.plan, evaluation.values, evaluation.view
        held = {measure.name for measure, value in zip(plan.reads, values, strict=True) if value.held}
        of_cause = {plan.reads[term.at].name for term in plan.terms if cause in (term.group, term.name)}
        if held & of_cause:
            return True
        without = weigh(plan, values, view, untold=told | held)
        return plan.bands.severity(plan.bands.of(without.score)) in _WELL


def _cause(verdict: Verdict) -> str | None:
    """Return the group, or the measure without a group, that takes the most from the score."""
    lost: dict[str, float] = {}
    takes_away = verdict.plan.root.kind == "product"
    for measure in verdict.measures:
        name = measure.group or measure.name
        best = 0.0 if takes_away or measure.contribution < 0 else measure.weight
        lost[name] = lost.get(name, 0.0) + best - measure.contribution
    worst = max(lost, key=lost.__getitem__, default=None)
    return worst if worst is not None and lost[worst] > 0 else None


def measure(evaluation: Evaluation, measure: MeasureDefinition) -> MeasureValue:
    """Return the value of a measure, from the evaluation where the model reads it too."""
    place = evaluation.plan.places.get(measure)
    if place is not None:
        return evaluation.values[place]
    return frozen_values([measure], evaluation.view, evaluation.frozen)[0]


def ask_rules(
    account: LoadedAccount,
    rules: RuleSet,
    situation: Situation,
    grounds: Grounds,
    changed_usage: int,
    *,
    switched: bool,
    replaced: bool,
    score_before: int | None,
) -> RulesUpdate:
    """Ask the alert rules, unless they would read what they read when they last changed nothing."""
    evaluation, memory = account.evaluation, account.rules
    frozen: FrozenSources = NOTHING_FROZEN if evaluation is None else evaluation.frozen
    if memory is not None and memory.rules is rules and evaluation is not None and not (switched or replaced):
        parts = changed_usage if evaluation.usage_only else None
        if unchanged(memory, situation, parts, frozen):
            if grounds.made_of(memory.judged) and not rules.asks_band_days:
                return RulesUpdate([], memory.due, memory)
            situation.health = grounds.health(told_measures(rules, account.state))
            if same_health(memory, situation):
                memory.judged = grounds.parts
                return RulesUpdate([], memory.due, memory)
    asked = update_episodes(
        rules,
        situation,
        grounds.health,
        frozen=frozen,
        switched=switched,
        replaced=replaced,
        score_before=score_before,
    )
    account.rules = asked.memory
    if asked.memory is not None:
        asked.memory.judged = grounds.parts
    return asked


def sample(rules: RuleSet, situation: Situation, verdict: Verdict) -> None:
    """Keep the day's first value of each measure whose change is asked, for as many days as are asked."""
    state, today = situation.view.state, situation.view.today
    if state.samples.keys() == rules.samples.keys() and all(today in each for each in state.samples.values()):
        return
    samples: dict[str, dict[int, float]] = {}
    for name, days in sorted(rules.samples.items()):
        known = state.samples.get(name, {})
        value = verdict.score / 100 if name == SCORE else situation.value(rules.measure(name))
        if today not in known and value is not None and (name != SCORE or verdict.judged):
            known = known | {today: value}
        older = max((day for day in known if day <= today - days), default=today - days)
        samples[name] = {day: known[day] for day in sorted(known) if day >= older}
    state.samples = samples


def reasons_of_alert(
    rules: RuleSet, situation: Situation, grounds: Grounds, change: EpisodeChange
) -> Sequence[str]:
    """Return the reasons in an alert: its rule's own first, then those of the account."""
    rule = rules.rules.get(change.rule)
    own = [change.reason] if change.reason is not None else []
    if rule is None or rule.reads_health:
        return tuple(dict.fromkeys((*own, *grounds.verdict.reasons)))[:REASONS]
    if not own:
        told = (situation.measure(MEASURES[name]) for name in rule.tells if name in MEASURES)
        own = [value.reason for value in told if value.value]
    return tuple(dict.fromkeys((*own, *grounds.reasons)))[:REASONS]
