"""Loader of alert rules: the text of a rule file as a ``RuleSet``, or every fault in it."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from processors.measures import MEASURES, MeasureDefinition
from processors.model.file.validation import known_keys, validated
from processors.model.file.values import stray_brace
from processors.model.file.version import canonical_text, version_of
from processors.model.plan.account_facts import ACCOUNT_FACTS, Fact
from processors.model.plan.conditions import Condition
from processors.model.plan.own import RESERVED, own_facts, own_measures
from processors.model.plan.planner import condition
from processors.rules.facts import HEALTH, PERSON, RuleInput, inputs_of, sampled
from processors.rules.format import FORM, RuleSpec, RulesSpec
from processors.rules.rule import Question, Rule, RuleSet, Template, Tier, arranged
from schemas.checked_files.faults import Fault, FaultyFileError, NoDocumentError
from schemas.checked_files.reader import Document, Path, read
from schemas.inputs import ENGAGEMENT, PROFILES, USAGE
from schemas.suggestions import suggestion

__all__ = ["CheckedRules", "RulesError", "check_rules", "load_rules"]

_PLACEHOLDER = re.compile(r"\{([^{}]*?)(:%)?\}")
_MOST_SAMPLES = 8


class RulesError(FaultyFileError):
    """
    A rule file can't be used; the message lists every fault with its line, column and fix.

    Operator action: correct the named lines; ``bellbuoy rules check FILE`` lists what is still wrong.
    """

    subject = "the rules"


@dataclass(frozen=True, slots=True)
class CheckedRules:
    """Result of a check: the rules unless there are faults."""

    rules: RuleSet | None
    faults: tuple[Fault, ...]


def load_rules(text: str, default: str = "") -> RuleSet:
    """
    Return the rules in a rule file's text; raise RulesError, which lists every fault with its line.

    ``default`` is the text of the set that a file may extend.
    """
    checked = check_rules(text, default)
    if checked.rules is None:
        raise RulesError(checked.faults)
    return checked.rules


def check_rules(text: str, default: str = "") -> CheckedRules:
    """Return the rules in a rule file's text, or every fault in it; ``default`` as in ``load_rules``."""
    try:
        document = read(text)
    except NoDocumentError as error:
        return CheckedRules(None, error.faults)
    loader = _RulesLoader(document, default)
    rules = loader.rules()
    faults = tuple(sorted(dict.fromkeys(loader.faults)))
    return CheckedRules(None if faults else rules, faults)


@dataclass(slots=True)
class _RulesLoader:
    document: Document
    default: str
    faults: list[Fault] = field(default_factory=list)
    measures: Mapping[str, MeasureDefinition] = field(default_factory=lambda: MEASURES)
    facts: Mapping[str, Fact] = field(default_factory=dict)
    inputs: dict[str, RuleInput] = field(default_factory=dict)
    read: dict[str, None] = field(default_factory=dict)
    conditions: dict[Path, Condition] = field(default_factory=dict)

    def rules(self) -> RuleSet | None:
        self.faults.extend(self.document.faults)
        data = self._whole(self.document.data)
        spec, faults = validated(RulesSpec, data, self.document.marks.fault, FORM)
        self.faults.extend(faults)
        if spec is None:
            return None
        own = own_measures(spec.own)
        self.measures = {**MEASURES, **own}
        self.facts = {**ACCOUNT_FACTS, **own_facts(spec.own, own)}
        for name in RESERVED.intersection(spec.own):
            self._report(("own", name), f"{name} is a word of conditions", "choose another name")
        texts = [text for rule in spec.rules.values() for text in _texts(rule)]
        self.inputs = inputs_of(self.facts, self.measures, texts)
        for name, rule in spec.rules.items():
            self._conditions(name, rule)
        self._check_samples()
        if self.faults:
            for name, rule in spec.rules.items():
                self._texts(name, rule)
            return None
        inputs, plain, of_person = arranged(self.inputs | PERSON, [*self.read])
        places = {each.name: index for index, each in enumerate(inputs)}
        rules = {name: self._rule(name, rule, places) for name, rule in spec.rules.items()}
        if self.faults:
            return None
        samples: dict[str, int] = {}
        for each in inputs:
            if (change := sampled(each.name)) is not None:
                samples[change[0]] = max(change[1], samples.get(change[0], 0))
        text = canonical_text(data)
        return RuleSet(
            name=spec.ruleset,
            version=version_of(spec.version, text),
            text=text,
            rules=rules,
            inputs=inputs,
            limits=tuple(self._limits(each.name) for each in inputs),
            plain=plain,
            of_person=of_person,
            by_usage=tuple((index, each.parts) for index, each in enumerate(inputs[:plain]) if each.parts),
            samples=samples,
            asks_persons=any(rule.about_person for rule in rules.values()),
            asks_band_days="health.band_days" in places,
        )

    def _whole(self, data: Any) -> Any:
        """Return the document with the rules of the set that it extends."""
        if not isinstance(data, dict) or data.get("extends") != "default" or not self.default:
            return data
        base = read(self.default).data
        rules = copy.deepcopy(base["rules"])
        keys = known_keys(("rules", "*"), FORM)
        given = data.get("rules")
        for name, change in given.items() if isinstance(given, dict) else ():
            if change is None:
                if rules.pop(name, None) is None:
                    fix = suggestion(name, list(base["rules"]), "the default rules")
                    self._report(("rules", name), "nothing to remove: the default set has no such rule", fix)
            elif isinstance(change, dict) and name in rules:
                for key in [key for key, value in change.items() if value is None and key not in keys]:
                    self._report(("rules", name, key), "no such key", suggestion(key, keys, "docs/rules.md"))
                rules[name] = {
                    key: value for key, value in (rules[name] | _instead(change)).items() if value is not None
                }
            elif isinstance(change, dict) and not {"title", "when", "tiers"} & change.keys():
                fix = suggestion(name, list(base["rules"]), "the default rules")
                fix += " A new rule has a `title`, and `when` or `tiers`"
                self._report(("rules", name), "no rule of the default set to change", fix)
            else:
                rules[name] = change
        if not rules:
            self._report(("rules",), "no rule is left", "keep one")
            rules = copy.deepcopy(base["rules"])
        return {key: value for key, value in data.items() if key != "extends"} | {"rules": rules}

    def _conditions(self, name: str, rule: RuleSpec) -> None:
        known = self.inputs | (PERSON if rule.about == "person" else {})
        facts = {
            each.name: each.fact
            for each in known.values()
            if each.name not in self.measures or each.measure is None
        }
        for path, text in _conditions_of(name, rule):
            compiled = condition(text, self.measures, facts, path, self._report)
            if compiled is not None:
                self.conditions[path] = compiled
                self.read |= dict.fromkeys(compiled.names)

    def _check_samples(self) -> None:
        changing = dict.fromkeys(change[0] for name in self.read if (change := sampled(name)) is not None)
        if len(changing) > _MOST_SAMPLES:
            self._report(
                ("rules",),
                f"the changes of {len(changing)} measures are asked",
                f"ask those of {_MOST_SAMPLES} at most: an account keeps the past of each",
            )

    def _texts(self, name: str, rule: RuleSpec) -> None:
        """Check every text with placeholders, and the measures that are told."""
        self._tells(name, rule, ())
        for path, text in _templates_of(name, rule):
            self._template(path, text, rule)

    def _template(self, path: Path, text: str, rule: RuleSpec) -> Template:
        known = self.inputs | (PERSON if rule.about == "person" else {})
        texts, names, end = [], [], 0
        if brace := stray_brace(text):
            self._report(path, f"a {brace} without its other brace", "write {name} or {name:%}")
        for match in _PLACEHOLDER.finditer(text):
            given = known.get(match[1])
            if given is None:
                fix = suggestion(match[1], list(known), "docs/rules.md")
                self._report(path, f"{match[0]} stands for nothing", fix)
                continue
            if match[2] and given.type.name not in ("int", "double"):
                self._report(path, f"{match[0]} is no number", f"write {{{match[1]}}}")
            texts.append(text[end : match.start()])
            names.append((given, bool(match[2])))
            end = match.end()
        return Template(text, (*texts, text[end:]), tuple(names))

    def _rule(self, name: str, rule: RuleSpec, places: Mapping[str, int]) -> Rule:
        at: Path = ("rules", name)

        def question(path: Path) -> Question | None:
            compiled = self.conditions.get(path)
            return (
                None
                if compiled is None
                else Question(compiled, tuple(places[read] for read in compiled.names))
            )

        title = self._template((*at, "title"), rule.title, rule)
        tiers = []
        for index, spec in enumerate(rule.tiers or ()):
            asked = question((*at, "tiers", index, "when"))
            own = (
                title
                if spec.title is None
                else self._template((*at, "tiers", index, "title"), spec.title, rule)
            )
            hold = rule.hold if spec.hold is None else spec.hold
            action = rule.action if spec.action is None else spec.action
            if asked is not None:
                tiers.append(Tier(spec.severity, asked, hold, own, action))
        alone = question((*at, "when"))
        if alone is not None:
            tiers.append(Tier(rule.severity, alone, rule.hold, title, rule.action))
        read = [each for path, _ in _conditions_of(name, rule) for each in self.conditions[path].names]
        reads_health = any(each in HEALTH or each.endswith(".health.score") for each in read)
        measured = [self.inputs[each].measure for each in read if each in self.inputs]
        named = dict.fromkeys(each.name for each in measured if each is not None)
        return Rule(
            name=name,
            lane=rule.lane,
            tiers=tuple(tiers),
            opens_if=question((*at, "opens_if")),
            stays=question((*at, "while")),
            keep_firing=rule.keep_firing,
            cooldown=rule.cooldown,
            most=None if rule.at_most is None else (rule.at_most.alerts, rule.at_most.within),
            one_of=rule.one_of,
            about_person=rule.about == "person",
            tells=self._tells(name, rule, () if reads_health else tuple(named)),
            reason=None if rule.reason is None else self._template((*at, "reason"), rule.reason, rule),
            resolved=self._template((*at, "resolved"), rule.resolved, rule),
            shadow=rule.shadow,
            sources=_sources(read, [each for each in measured if each is not None]),
            reads_health=reads_health,
        )  # fmt: skip

    def _tells(self, name: str, rule: RuleSpec, read: tuple[str, ...]) -> tuple[str, ...]:
        for place, told in enumerate(rule.tells or ()):
            if told not in self.measures:
                fix = suggestion(told, list(self.measures), "docs/measures.md")
                self._report(("rules", name, "tells", place), f"no such measure: {told}", fix)
        return read if rule.tells is None else tuple(rule.tells)

    def _limits(self, name: str) -> tuple[float, ...] | None:
        """Return the numbers that conditions compare a name with; ``None``: one uses it in another way."""
        limits: set[float] = set()
        for each in self.conditions.values():
            if name in each.names:
                if name not in each.limits:
                    return None
                limits.update(each.limits[name])
        return tuple(sorted(limits))

    def _report(
        self, path: Path, message: str, fix: str, *, warning: bool = False, late: bool = False
    ) -> None:
        del late  # there are no older builds whose files must stay valid
        self.faults.append(self.document.marks.fault(path, message, fix, warning=warning))


def _sources(read: Iterable[str], measures: Iterable[MeasureDefinition]) -> frozenset[str]:
    """Return the topics that these inputs rest on, without master data, which nobody expects every day."""
    sources = {source for each in measures for source in each.sources}
    sources |= {ENGAGEMENT.topic for name in read if name.startswith("person.")}
    sources |= {USAGE.topic for name in read if name == "person.silent_days"}
    return frozenset(sources - {PROFILES.topic})


def _instead(change: Mapping[str, Any]) -> dict[str, Any]:
    """Return the change of a rule in which `when` takes the place of tiers, and tiers that of `when`."""
    other = {"when": "tiers", "tiers": "when"}
    removed = {other[key]: None for key in ("when", "tiers") if change.get(key) is not None}
    return removed | dict(change)


def _conditions_of(name: str, rule: RuleSpec) -> Iterator[tuple[Path, str]]:
    at: Path = ("rules", name)
    if rule.when is not None:
        yield (*at, "when"), rule.when
    for index, tier in enumerate(rule.tiers or ()):
        yield (*at, "tiers", index, "when"), tier.when
    if rule.opens_if is not None:
        yield (*at, "opens_if"), rule.opens_if
    if rule.stays is not None:
        yield (*at, "while"), rule.stays


def _templates_of(name: str, rule: RuleSpec) -> Iterator[tuple[Path, str]]:
    at: Path = ("rules", name)
    yield (*at, "title"), rule.title
    yield (*at, "resolved"), rule.resolved
    if rule.reason is not None:
        yield (*at, "reason"), rule.reason
    for index, tier in enumerate(rule.tiers or ()):
        if tier.title is not None:
            yield (*at, "tiers", index, "title"), tier.title


def _texts(rule: RuleSpec) -> Iterator[str]:
    yield from (text for _, text in _conditions_of("", rule))
    yield from (text for _, text in _templates_of("", rule))
