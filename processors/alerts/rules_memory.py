"""The memory of what alert rules read when they last changed nothing: the same is not asked again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from processors.rules import RuleSet, Situation
from processors.state.account import Episode
from processors.state.usage_parts import USERS

__all__ = ["RulesMemory", "same_health", "unchanged"]


@dataclass(slots=True)
class RulesMemory:
    """
    Memory of what rules read when they last changed nothing: levels, episodes, and silent sources.

    ``due`` is when time alone moves an episode. ``judged`` is what the health was made of.
    """

    rules: RuleSet
    levels: tuple[object, ...]
    episodes: dict[str, Episode]
    frozen: Collection[str]
    due: int | None
    judged: tuple[object, str] | None = None


def unchanged(
    memory: RulesMemory, situation: Situation, changed_usage: int | None, frozen: Collection[str]
) -> bool:
    """
    Tell whether no rule can find anything else than when the rules last changed nothing, the health apart.

    After nothing but more usage ``changed_usage`` are the parts of it that may differ.
    """
    view, rules, levels = situation.view, memory.rules, memory.levels
    if memory.episodes is not view.state.episodes or memory.frozen != frozen:
        return False
    if memory.due is not None and memory.due <= view.now:
        return False
    people = rules.asks_persons and view.state.people
    if changed_usage is None:
        if people:
            return False
        for index in range(rules.plain):
            if rules.level(index, rules.inputs[index].read(situation)) != levels[index]:
                return False
        return True
    for index, parts in rules.by_usage:
        if parts & changed_usage and rules.level(index, rules.inputs[index].read(situation)) != levels[index]:
            return False
    return not (changed_usage & USERS and people)


def same_health(memory: RulesMemory, situation: Situation) -> bool:
    """Tell whether the health of a situation is the one that the rules last judged."""
    rules = memory.rules
    return all(
        rules.level(index, rules.inputs[index].read(situation)) == memory.levels[index]
        for index in range(rules.plain, rules.of_person)
    )
