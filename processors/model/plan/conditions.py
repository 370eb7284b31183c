"""
Compiler of conditions in CEL, the Common Expression Language (https://cel.dev): no side effects, no eval.

``account.<name>`` reads a fact of ``ACCOUNT`` and a measure's name its value. What is not known is absent: a
condition that needs it can't be judged, unless it asks ``has(account.segment)`` first. Loops are refused, so
that the cost of a condition is bounded by its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from processors.model.plan.account_facts import ACCOUNT, Value
from schemas.suggestions import suggestion

__all__ = ["Condition", "ConditionError", "compile_condition"]

_STRINGS = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")
_LOOPS = re.compile(r"\.\s*(all|exists|exists_one|existsOne|map|filter)\s*\(")
_PATHS = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(\s*\()?")
_SYNTAX_ERROR = re.compile(r"ERROR: <input>:\d+:(\d+): (?:Syntax error: )?(.+)")
_FUNCTIONS = {"startsWith", "endsWith", "contains", "matches", "size"}
_CACHED_ANSWERS = 4_096


class ConditionError(ValueError):
    """A condition that can't be compiled; ``fix`` says how to correct it."""

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
        """Tell whether the condition holds; ``None``: something that it needs is not known."""
        return self._ask((*(account[n] for n in self.account), *(measures[n] for n in self.measures)))


def compile_condition(text: str, measures: tuple[str, ...]) -> Condition:
    """Return the condition over account facts and these measures; raise ConditionError."""
    plain = _STRINGS.sub("''", text)
    if _LOOPS.search(plain):  # a program no longer tells a loop from the operators that it is expanded to
        raise ConditionError("a condition has no loops", "compare single facts, with `in` for several values")
    program = _compile(text)
    for function in program.functions():
        if function.isidentifier() and function not in _FUNCTIONS:  # an operator's name is no identifier
            raise _unknown(f"function: {function}", function, ["has", *_FUNCTIONS])
    account, read = _read(plain, set(program.variables()), measures)
    condition = Condition(text, account, read, _asker(program, account, read))
    if not account and not read and condition.holds({}, {}) is None:
        raise ConditionError("neither true nor false", "compare a fact, such as account.segment == 'smb'")
    return condition


def _compile(text: str) -> Any:
    try:
        return _cel().compile(text)
    except ValueError as error:
        error_at = _SYNTAX_ERROR.search(str(error))
        column, message = (error_at[1], error_at[2]) if error_at else ("1", "not CEL")
        if message.startswith("token recognition error at: '="):
            raise ConditionError("a single =", "compare with ==") from None
        raise ConditionError(f"not CEL at character {column}, {message:.80}", "see docs/model.md") from None


def _read(
    plain: str, variables: set[str], measures: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the account facts and the measures that a text reads; the library names the variables only."""
    account, read = [], []
    for match in _PATHS.finditer(plain):
        path = match[0].removesuffix(match[1] or "")
        if match[1]:  # a call: has(...), size(...) or fact.startsWith(...)
            path = path.rpartition(".")[0]
        if path.partition(".")[0] not in variables:
            continue
        if path.startswith("account."):
            name = path.removeprefix("account.")
            if name not in ACCOUNT:
                raise _unknown(f"fact: {path}", name, list(ACCOUNT))
            account.append(name)
        elif path in measures:
            read.append(path)
        else:
            known = [*measures, *(f"account.{name}" for name in ACCOUNT)]
            raise _unknown(f"fact or measure: {path}", path, known)
    return tuple(dict.fromkeys(account)), tuple(dict.fromkeys(read))


def _unknown(what: str, name: str, known: list[str]) -> ConditionError:
    return ConditionError(f"no such {what}", suggestion(name, known, "docs/model.md"))


def _asker(
    program: Any, account: tuple[str, ...], measures: tuple[str, ...]
) -> Callable[[tuple[Any, ...]], bool | None]:
    """Return the condition as a function of what it reads; few values differ, so answers are cached."""
    paths = [("account", name) for name in account] + [tuple(name.split(".")) for name in measures]
    tops = {path[0] for path in paths}

    @lru_cache(_CACHED_ANSWERS)
    def ask(values: tuple[Any, ...]) -> bool | None:
        context: dict[str, Any] = {top: {} for top in tops}
        for path, value in zip(paths, values, strict=True):
            if value is not None:
                inner = context
                for part in path[:-1]:
                    inner = inner.setdefault(part, {})
                inner[path[-1]] = value
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
