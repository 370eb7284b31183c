"""
Alert episodes of one account at one time: all its rules are asked, and what changed is returned.

What a rule finds moves its episodes on by transitions (``processors.alerts.transitions``) only, never by
computing anew. What a person does with an alert (``processors.alerts.actions``) is kept beside what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from processors.alerts.changes import (
    EpisodeChange,
    ended,
    is_listed,
    keep,
    settled,
    split_episode_key,
)
from processors.alerts.episode_due import next_due
from processors.alerts.rules_memory import RulesMemory
from processors.alerts.transitions import EpisodeTransitions
from processors.rules import Answers, JudgedHealth, Rule, RuleSet, Situation
from processors.state.account import State

__all__ = ["RulesUpdate", "resolve_all", "told_measures", "update_episodes"]


@dataclass(slots=True)
class RulesUpdate:
    """Result of asking the rules: the changes to publish in the rules' order, and when to ask again."""

    changes: list[EpisodeChange]
    due: int | None
    memory: RulesMemory | None


def update_episodes(
    rules: RuleSet,
    situation: Situation,
    health: Callable[[frozenset[str]], JudgedHealth],
    *,
    frozen: Collection[str] = (),
    switched: bool = False,
    replaced: bool = False,
    score_before: int | None = None,
) -> RulesUpdate:
    """
    Ask every rule; change the state's episodes and return what changed.

    ``health`` returns the health that rules judge, without what is told of these measures. A rule that rests
    on a ``frozen`` source can't tell. Where another model has ``switched`` the band, or other rules have
    ``replaced`` those before, nothing has happened to the customer: what this opens is muted until it gets
    worse. ``score_before`` is the score before this one.
    """
    view = situation.view
    state = view.state
    if view.churned:
        return RulesUpdate(resolve_all(state, "No customer any more", "churned", view.now), None, None)
    before = state.episodes
    answers = Answers(rules, situation)
    transitions = EpisodeTransitions(rules, situation, frozen, switched, replaced, score_before)
    episodes = transitions.episodes
    _ask(answers, transitions, health)
    if episodes.ended:  # what one alert kept from opening may open now
        _ask(answers, transitions, health)
    episodes.withdraw()
    episodes.wake()
    due = next_due(rules, state, view.now)
    memory = None
    if state.episodes is before and not (switched or replaced):
        memory = RulesMemory(rules, tuple(answers.levels), before, frozen, due)
    return RulesUpdate(episodes.in_order(), due, memory)


def resolve_all(state: State, title: str, resolution: str, now: int) -> list[EpisodeChange]:
    """Resolve every open episode of an account that isn't judged any more; the title says why."""
    changes = []
    for key, before in sorted(state.episodes.items()):
        if before.severity:
            rule, subject = split_episode_key(key)
            after = ended(before, now, resolution)
            keep(state, key, after)
            if is_listed(before) or (before.shadow and not before.dismissed):
                changes.append(
                    EpisodeChange(
                        rule, "resolved", before.severity, title, "", after, subject, resolution=resolution
                    )
                )
        elif before.pending:
            keep(state, key, settled(before))
    return changes


def told_measures(rules: RuleSet, state: State) -> frozenset[str]:
    """Return the measures that open alerts of their own tell of, also those that a person has closed."""
    if not any(episode.severity for episode in state.episodes.values()):
        return frozenset()
    open_rules = (
        rules.rules.get(split_episode_key(key)[0])
        for key, episode in state.episodes.items()
        if episode.severity
    )
    return frozenset(
        name for rule in open_rules if rule is not None and not rule.shadow for name in rule.tells
    )


def _ask(
    answers: Answers, transitions: EpisodeTransitions, health: Callable[[frozenset[str]], JudgedHealth]
) -> None:
    """Ask the rules that don't judge the health, then, without what these tell, the others."""
    rules = answers.rules
    for rule in rules.rules.values():
        if not rule.reads_health:
            _ask_rule(rule, answers, transitions)
    answers.situation.health = health(told_measures(rules, answers.situation.view.state))
    answers.with_health()
    for rule in rules.rules.values():
        if rule.reads_health:
            _ask_rule(rule, answers, transitions)


def _ask_rule(rule: Rule, answers: Answers, transitions: EpisodeTransitions) -> None:
    """Ask a rule about the account, or about each of its people who has a role."""
    if not rule.about_person:
        transitions.move(rule, "", answers)
        return
    situation = answers.situation
    for user, person in sorted(situation.view.state.people.items()):
        if person.role:
            transitions.move(rule, f"{user:08x}", answers.about(situation.about(user, person)))
