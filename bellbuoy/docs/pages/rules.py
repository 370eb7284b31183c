"""The page of the default alert rules, docs/reference/alert-rules.md, and the JSON Schema of rule files."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from bellbuoy.docs.markdown import table
from processors.rules import DEFAULT_RULES, Rule, rules_json_schema
from processors.rules.facts import HEALTH, PERSON
from schemas.times import DAY, HOUR

__all__ = ["page", "schema_page"]

_HEAD = """\
# Alert rules

The rules of the default set, `processors/rules/default.yaml`, in the order in which they are asked.
[rules.md](../rules.md) says how a rule is written. *Told* are the measures without which the band is judged
while the rule's alert is open.

This page is printed from the code by `python -m bellbuoy.docs`.
"""

_FACTS = """
## Facts of rules

Beside measures and the [facts of an account](../model.md#conditions), conditions of rules read these.
"""


def page() -> str:
    """Return the text of docs/reference/alert-rules.md."""
    rows = [
        [
            f"`{rule.name}`",
            rule.lane.replace("_", " "),
            _severities(rule),
            _conditions(rule),
            _times(rule),
            _told(rule),
        ]
        for rule in DEFAULT_RULES.rules.values()
    ]
    facts = [[f"`{each.name}`", each.about] for each in (*HEALTH.values(), *PERSON.values())]
    facts += [
        ["`change_28d.MEASURE`, `change_7d.health.score`", "the value less what it was 1 to 90 days ago"],
        [
            "`age_days.MEASURE`",
            "whole days since the newest evidence of a measure that holds until newer comes",
        ],
    ]
    heads = ["rule", "lane", "severity: title", "opens and stays while", "waits", "told"]
    return "\n".join([_HEAD, table(heads, rows), _FACTS, table(["fact", ""], facts), ""])


def schema_page() -> str:
    """Return the text of docs/rules.schema.json."""
    return orjson.dumps(rules_json_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _severities(rule: Rule) -> str:
    return "<br>".join(f"{tier.severity}: {tier.title.source}" for tier in rule.tiers)


def _conditions(rule: Rule) -> str:
    lines = [f"`{tier.question.condition.text}`" for tier in rule.tiers]
    if rule.opens_if is not None:
        lines.append(f"opens if `{rule.opens_if.condition.text}`")
    if rule.stays is not None:
        lines.append(f"stays while `{rule.stays.condition.text}`")
    return "<br>".join(lines)


def _times(rule: Rule) -> str:
    return "<br>".join(_waits(rule))


def _waits(rule: Rule) -> Iterator[str]:
    for tier in rule.tiers:
        if tier.hold:
            yield f"{tier.severity} for {_span(tier.hold)}"
    if rule.keep_firing:
        yield f"ends {_span(rule.keep_firing)} later"
    if rule.cooldown:
        yield f"not again for {_span(rule.cooldown)}"
    if rule.one_of is not None:
        yield f"one of `{rule.one_of}`"


def _told(rule: Rule) -> str:
    return ", ".join(f"`{name}`" for name in rule.tells)


def _span(milliseconds: int) -> str:
    return f"{milliseconds // DAY} d" if milliseconds % DAY == 0 else f"{milliseconds // HOUR} h"
