"""
Conditions in CEL, the Common Expression Language (https://cel.dev): no loops, no side effects, no eval.

``account.<name>`` reads a fact of ``ACCOUNT`` and a measure's name its value. What is not known is
absent: a condition that needs it can't be judged, unless it asks ``has(account.segment)`` first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from processors.model.file.faults import nearest
from processors.model.plan.account_facts import ACCOUNT, Value

__all__ = ["Condition", "ConditionError", "compile_condition"]

_STRINGS = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")
_PATHS = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(\s*\()?")
_MACROS = re.compile(r"\.\s*(all|exists|exists_one|existsOne|map|filter)\s*\(")
_ASSIGNMENT = re.compile(r"(?<![=!<>])=(?!=)")
_WORDS = {"true", "false", "null", "in"}
_METHODS = {"startsWith", "endsWith", "contains", "matches", "size"}
_REMEMBERED = 4_096


class ConditionError(ValueError):
    """A condition that can't be compiled; ``fix`` says how to mend it."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition; ``account`` and ``measures`` name what it reads."""

    text: str
    account: tuple[str, ...]
    measures: tuple[str, ...]
    _ask: Callable[[tuple[Any, ...]], bool | None] = field(repr=False, compare=False)

    def holds(self, account: Mapping[str, Value], measures: Mapping[str, float | None]) -> bool | None:
        """Tell whether it holds; ``None``: something it needs is not known."""
        return self._ask((*(account[n] for n in self.account), *(measures[n] for n in self.measures)))


def compile_condition(text: str, measures: tuple[str, ...]) -> Condition:
    """Return the condition over account facts and these measures; raise ConditionError."""
    plain = _STRINGS.sub("''", text)
    if _MACROS.search(plain):
        raise ConditionError("a condition has no loops", "compare single facts, with `in` for several values")
    if _ASSIGNMENT.search(plain):
        raise ConditionError("a single =", "compare with ==")
    account, read = _names(plain, measures)
    try:
        program = _cel().compile(text)
    except ValueError as error:
        found = re.search(r"ERROR: <input>:\d+:(\d+): (?:Syntax error: )?(.+)", str(error))
        where, told = (found[1], found[2]) if found else ("1", "not CEL")
        raise ConditionError(f"not CEL at character {where}, {told:.80}", "see docs/model.md") from None
    condition = Condition(text, account, read, _asker(program, account, read))
    if not account and not read and condition.holds({}, {}) is None:
        raise ConditionError("neither true nor false", "compare a fact, such as account.segment == 'smb'")
    return condition


def _names(plain: str, measures: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    account, read = [], []
    for found in _PATHS.finditer(plain):
        path = found[0].removesuffix(found[1] or "")
        if found[1]:  # a call: has(...), size(...) or fact.startsWith(...)
            path, _, method = path.rpartition(".")
            if method not in _METHODS and (path or method != "has"):
                raise ConditionError(f"no such function: {method}", nearest(method, ["has", *_METHODS]))
        if not path or path in _WORDS:
            continue
        if path.startswith("account."):
            name = path.removeprefix("account.")
            if name not in ACCOUNT:
                raise ConditionError(f"no such fact: account.{name}", nearest(name, list(ACCOUNT)))
            account.append(name)
        elif path in measures:
            read.append(path)
        else:
            known = [*measures, *(f"account.{name}" for name in ACCOUNT)]
            raise ConditionError(f"no such fact or measure: {path}", nearest(path, known))
    return tuple(dict.fromkeys(account)), tuple(dict.fromkeys(read))


def _asker(
    program: Any, account: tuple[str, ...], measures: tuple[str, ...]
) -> Callable[[tuple[Any, ...]], bool | None]:
    """Return the condition as a function of its facts; few differ, so answers are remembered."""
    paths = [("account", name) for name in account] + [tuple(name.split(".")) for name in measures]
    tops = {path[0] for path in paths}

    @lru_cache(_REMEMBERED)
    def ask(facts: tuple[Any, ...]) -> bool | None:
        context: dict[str, Any] = {top: {} for top in tops}
        for path, fact in zip(paths, facts, strict=True):
            if fact is not None:
                inner = context
                for part in path[:-1]:
                    inner = inner.setdefault(part, {})
                inner[path[-1]] = fact
        try:
            answer = program.execute(context)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
            return None
        return answer if isinstance(answer, bool) else None

    return ask


@cache
def _cel() -> Any:
    import cel  # noqa: PLC0415 - it loads its command line too; most models have no condition

    return cel
