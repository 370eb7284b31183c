"""
Compiler of conditions in CEL, the Common Expression Language (https://cel.dev): no side effects, no eval.

``account.<name>`` reads a fact of ``ACCOUNT`` and a measure's name its value. What is not known is absent: a
condition that needs it can't be judged, unless it asks ``has(account.segment)`` first. Loops are refused, so
that the cost of a condition is bounded by its length.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from types import ModuleType
from typing import Any

from processors.model.plan.account_facts import ACCOUNT_FACTS, Fact
from processors.model.plan.condition_types import ConditionFault, FactType, TypeCheck
from processors.model.plan.expression import ExpressionError, Node, parse, tokens
from processors.view import View

__all__ = ["Condition", "ConditionError", "compile_condition"]

_SYNTAX_ERROR = re.compile(r"ERROR: <input>:\d+:(\d+): (?:Syntax error: )?(.+)")
_SYNTAX = (
    (re.compile(r"missing '([])}])'"), "no {0}", "close what is open"),
    (re.compile(r"extraneous input '([])}])'"), "a {0} too many", "leave it out"),
    (
        re.compile(r"token recognition error at: '(.)"),
        "{0} means nothing",
        "leave it out",
    ),
    (
        re.compile(r"invalid (int|double|uint) literal"),
        "a number beyond what can be compared",
        "write a smaller one",
    ),
    (
        re.compile(r"reserved identifier: (\w+)"),
        "{0} is no name",
        "leave it out, and write && or ||",
    ),
    (re.compile(r"(?:extraneous|mismatched) input '([^']+)'"), "{0} is not expected", "see docs/model.md"),
)
_UNCLOSED = re.compile(r"""token recognition error at: '["'](.*)""")
_MATCHES = 'account.plan.matches("…")'
_WORDS = {
    "and": "&&",
    "or": "||",
    "not": "!",
    "is": "has(account.plan), or !has(account.plan)",
    "between": "account.seats >= 1 && account.seats <= 5",
    "like": 'account.plan.contains("…")',
    "contains": 'account.plan.contains("…")',
    "startswith": 'account.plan.startsWith("…")',
    "endswith": 'account.plan.endsWith("…")',
    "matches": _MATCHES,
}
"""Words of other languages, and how a condition says it."""

_OPERATORS = {
    "&": "&&",
    "|": "||",
    "<>": "!=",
    "===": "==",
    "!==": "!=",
    "=<": "<=",
    "=>": ">=",
    "=~": _MATCHES,
    "~": _MATCHES,
}
_FOREIGN_OPERATOR = re.compile(r"<>|={3,}|!==|(?<![=!<>])=[<>]|(?<!&)&(?!&)|(?<!\|)\|(?!\|)|=?~")
_CACHED_ANSWERS = 4_096
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


class ConditionError(ValueError):
    """A condition that can't be compiled, with each fault and its fix; the message is that of the first."""

    def __init__(self, faults: Iterable[ConditionFault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults[0].message)

    @property
    def fix(self) -> str:
        """The fix of the first fault."""
        return self.faults[0].fix


@dataclass(frozen=True, slots=True)
class Condition:
    """
    A compiled condition; ``facts`` and ``measures`` name what it reads.

    ``needs`` are those of them that it can't be judged without. ``faults`` are what builds before the check
    of types let pass: such a condition may never be judged. ``limits`` has, of each name that is compared
    with numbers and used in no other way, these numbers: the answer changes only where a value passes one.
    """

    text: str
    facts: Mapping[str, Fact]
    measures: tuple[str, ...]
    needs: tuple[str, ...]
    faults: tuple[ConditionFault, ...]
    limits: Mapping[str, tuple[float, ...]]
    _ask: Callable[[tuple[Any, ...]], bool | None] = field(repr=False, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all that it reads: facts, then measures."""
        return (*self.facts, *self.measures)

    def answer(self, values: tuple[Any, ...]) -> bool | None:
        """Tell whether the condition holds for these values of its ``names``; ``None`` as in ``holds``."""
        return self._ask(values)

    def holds(self, view: View, measures: Mapping[str, float | None]) -> bool | None:
        """
        Tell whether the condition holds for an account whose measures have these values.

        ``None``: it can't be judged, because something that it needs is not known, or can't be computed, such
        as a division by a number that is 0.
        """
        facts = [fact.read(view) for fact in self.facts.values()]
        return self._ask((*facts, *(measures[name] for name in self.measures)))

    def doubt(self, view: View, measures: Mapping[str, float | None]) -> str:
        """Say why the condition can't be judged for an account: the names that are not known."""
        known = {name: fact.read(view) for name, fact in self.facts.items()} | dict(measures)
        unknown = [name for name in self.needs if known[name] is None]
        why = f"{' and '.join(unknown)} not known" if unknown else "it can't be computed"
        return f"the condition {self.text} can't be judged: {why}"


def compile_condition(
    text: str, measures: Iterable[str], facts: Mapping[str, Fact] = ACCOUNT_FACTS
) -> Condition:
    """Return the condition over facts and these measures; raise ConditionError."""
    known = {name: fact.type for name, fact in facts.items()}
    known |= {name: FactType("double") for name in measures if name not in known}
    program = _compile(text)
    check = TypeCheck(text, known, _text_of, _check_pattern)
    try:
        tree = parse(text)
        check.check(tree)
    except ExpressionError as error:
        raise _error(f"not CEL that conditions may use, {error}") from None
    if any(not fault.late for fault in check.faults):
        raise ConditionError(check.faults)
    account = {name: facts[name] for name in check.reads if name in facts}
    read = tuple(name for name in check.reads if name not in facts)
    asker = _asker(program, tuple(account), read)
    if not check.reads and not check.faults and asker(()) is False:
        check.faults.append(
            ConditionFault("it never holds", "compare a fact, such as account.segment == 'smb'")
        )
    limits = _limits(tree, check.reads)
    return Condition(text, account, read, tuple(check.needs), tuple(check.faults), limits, asker)


def _limits(tree: Node, names: Iterable[str]) -> dict[str, tuple[float, ...]]:
    """Return the numbers that names are compared with, of those that are used in no other way."""
    limits: dict[str, set[float]] = {name: set() for name in names}

    def visit(node: Node) -> None:
        if node.path:
            limits.pop(node.path, None)  # used in a way that is not known here
            return
        if node.kind == "operator" and node.value in _COMPARISONS:
            for fact, other in (node.parts, node.parts[::-1]):
                if fact.path and (number := _number(other)) is not None:
                    if fact.path in limits:
                        limits[fact.path].add(number)
                    return
        if node.kind == "operator" and node.value == "in" and node.parts[0].path:
            numbers = [_number(item) for item in node.parts[1].parts]
            if node.parts[1].kind == "list" and None not in numbers:
                if node.parts[0].path in limits:
                    limits[node.parts[0].path].update(number for number in numbers if number is not None)
                return
        if node.kind == "call" and node.value == "has":
            return
        for part in node.parts:
            visit(part)

    visit(tree)
    return {name: tuple(sorted(numbers)) for name, numbers in limits.items()}


def _number(node: Node) -> float | None:
    """Return the number that a node is; ``None`` for anything else."""
    if node.kind == "operator" and node.value == "-_":
        inner = _number(node.parts[0])
        return None if inner is None else -inner
    if node.kind == "double":
        return float(node.value)
    if node.kind in ("int", "uint"):
        return float(int(node.value.rstrip("uU"), 16 if node.value.lower().startswith("0x") else 10))
    return None


def _error(message: str, fix: str = "see docs/model.md") -> ConditionError:
    return ConditionError([ConditionFault(message, fix, late=False)])


def _compile(text: str) -> Any:
    try:
        return _cel().compile(text)
    except ValueError as error:
        raise _foreign(text) or _syntax_error(str(error)) from None


def _syntax_error(text: str) -> ConditionError:
    error_at = _SYNTAX_ERROR.search(text)
    column, message = (error_at[1], error_at[2]) if error_at else ("1", "not CEL")
    if message.startswith("token recognition error at: '="):
        return _error("a single =", "compare with ==")
    if unclosed := _UNCLOSED.match(message):
        if "\\" in unclosed[1]:
            return _error(f"a backslash in the text at character {column}", 'write r"…", or two backslashes')
        return _error(f"the text at character {column} has no end", "close it with the quote that begins it")
    if "<EOF>" in message and not message.startswith(("missing", "extraneous")):
        return _error("the condition ends too early", "write the rest of it")
    for pattern, told, fix in _SYNTAX:
        if found := pattern.match(message):
            return _error(f"{told.format(*found.groups())} at character {column}", fix)
    return _error(f"not CEL at character {column}, {message:.80}")


def _foreign(text: str) -> ConditionError | None:
    """Return the fault of a text with an operator of another language."""
    bare = re.sub(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", lambda quoted: " " * len(quoted[0]), text)
    if found := _FOREIGN_OPERATOR.search(bare):
        operator = found[0]
        return _error(
            f"{operator} at character {found.start() + 1}", f"write {_OPERATORS.get(operator, '==')}"
        )
    try:
        words = tokens(text)
    except ExpressionError:
        return None
    for before, token in zip([None, *words], words, strict=False):
        operator = _WORDS.get(token.text.lower(), "") if token.kind == "name" else ""
        if operator and (before is None or before.text != "."):
            return _error(f"{token.text} at character {token.start + 1}", f"write {operator}")
        if before is not None and before.text == "in" and token.text == "(":
            return _error(f"( at character {token.start + 1}", "write the list in [ ]")
        if before is not None and before.kind == "int" and before.end == token.start and token.kind == "name":
            said = f"{before.text}{token.text}"
            digits = said.replace("_", "")
            fix = f"write {digits}" if digits.isdecimal() else f"write {before.text}, in the unit of the fact"
            return _error(f"{said} at character {before.start + 1}", fix)
    return None


def _text_of(literal: str) -> str:
    """Return the text that a literal stands for."""
    text: str = _cel().compile(literal).execute({})
    return text


def _check_pattern(pattern: str) -> None:
    """Raise ValueError with the reason when a text is no regular expression of the library's."""
    try:
        _cel().compile("''.matches(pattern)").execute({"pattern": pattern})
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].removeprefix("error: ")
        raise ValueError(reason.partition(". ")[0]) from None


def _asker(
    program: Any, facts: tuple[str, ...], measures: tuple[str, ...]
) -> Callable[[tuple[Any, ...]], bool | None]:
    """Return the condition as a function of what it reads; few values differ, so answers are cached."""
    paths = [tuple(name.split(".")) for name in (*facts, *measures)]
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
    # The package loads its command line, which takes seven times as long as all else in it: 0.23 s.
    sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
    import cel  # noqa: PLC0415 - only models and rules with a condition need it

    return cel
