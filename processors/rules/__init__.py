"""
Alert rules: files that say when an alert opens on an account, how bad it is, and what it says.

A rule file is YAML (docs/rules.md teaches it). ``load_rules`` returns its text as a frozen :class:`RuleSet`;
``processors.alerts`` opens, changes and ends alerts by it.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib import resources

from processors.rules.facts import JudgedHealth, Situation
from processors.rules.format import rules_json_schema
from processors.rules.loading import CheckedRules, RulesError, check_rules, load_rules
from processors.rules.rule import SEVERITY_RANK, Answers, Rule, RuleSet, Tier

__all__ = [
    "DEFAULT_RULES",
    "SEVERITY_RANK",
    "Answers",
    "CheckedRules",
    "JudgedHealth",
    "Rule",
    "RuleSet",
    "RulesError",
    "Situation",
    "Tier",
    "check_rules",
    "default_rules_text",
    "load_rules",
    "loaded_rules",
    "rules_json_schema",
]


@cache
def default_rules_text() -> str:
    """Return the text of the default set's file."""
    return (resources.files("processors") / "rules" / "default.yaml").read_text()


@lru_cache(256)
def loaded_rules(text: str) -> RuleSet:
    """Return the rules of a canonical text that was checked before; raise RulesError."""
    return load_rules(text)


DEFAULT_RULES = load_rules(default_rules_text())
"""The default set."""
