"""
Types of conditions: a check of every part of a condition, also of the branches that no account takes.

The library that evaluates CEL has no type check, and an error while evaluating would leave a condition that
nobody can judge. So each operator's types are checked here, as the library evaluates it: whole numbers and
decimals compare with each other, but are not added or multiplied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from processors.model.plan.expression import Node
from schemas.suggestions import suggestion

__all__ = ["ConditionFault", "FactType", "TypeCheck"]

_WORDS = {
    "int": "a whole number",
    "uint": "an unsigned number",
    "double": "a number",
    "text": "text",
    "bool": "true or false",
    "null": "null",
    "bytes": "bytes",
    "list": "a list",
    "map": "a map",
}
_COMPARABLE = {"int": "number", "uint": "number", "double": "number"}
_SEVERAL = {"int": "numbers", "uint": "numbers", "double": "numbers", "text": "texts, in quotes"}
_METHODS = ("startsWith", "endsWith", "contains", "matches")
_LOOPS = ("all", "exists", "exists_one", "existsOne", "map", "filter")
_FUNCTIONS = ("has", "size", "double", *_METHODS)
_MISSPELT = {"true": "write true", "false": "write false"}
_MISSPELT |= dict.fromkeys(
    ("none", "null", "nil", "undefined"), "ask !has(account.plan) for what is not known"
)


_ELSEWHERE = {
    "health": "ask it in an alert rule (docs/rules.md): a model makes the health",
    "person": "add `about: person` to an alert rule, which then asks it",
}
"""What to do about facts that are known in other places."""


class ConditionFault(NamedTuple):
    """A fault of a condition and its fix; a ``late`` one was no fault for builds without this check."""

    message: str
    fix: str
    late: bool = True


class FactType(NamedTuple):
    """
    The type of what a name stands for, and the values it can have (none given: any).

    ``capitals``: its letters are all capitals, as those of a currency.
    """

    name: str
    choices: tuple[str, ...] = ()
    capitals: bool = False


@dataclass(frozen=True, slots=True)
class _Type:
    """The type of a node; ``of`` is that of a list's items or a map's keys, ``held`` that of its values."""

    name: str
    of: _Type | None = None
    choices: tuple[str, ...] = ()
    held: _Type | None = None
    capitals: bool = False

    @property
    def words(self) -> str:
        return _WORDS[self.name]

    @property
    def number(self) -> bool:
        return self.name in _COMPARABLE

    def like(self, other: _Type) -> bool:
        """Whether values of both types can be equal."""
        if "any" in (self.name, other.name):
            return True
        names = (_COMPARABLE.get(self.name, self.name), _COMPARABLE.get(other.name, other.name))
        if names[0] != names[1]:
            return False
        return self.of is None or other.of is None or self.of.like(other.of)


_ANY, _BOOL, _INT, _DOUBLE, _TEXT = map(_Type, ("any", "bool", "int", "double", "text"))


class TypeCheck:
    """
    The check of one condition: ``faults`` has every fault, ``reads`` the names that it reads.

    ``needs`` are the names that it reads outside ``has()``: while one of them is not known, the condition may
    not be judged. ``value_of`` returns the value of a text literal, and raises ValueError for a pattern that
    is no regular expression.
    """

    def __init__(
        self,
        text: str,
        known: Mapping[str, FactType],
        value_of: Callable[[str], str],
        check_pattern: Callable[[str], None],
    ) -> None:
        self._text = text
        self._known = known
        self._value_of = value_of
        self._check_pattern = check_pattern
        self.faults: list[ConditionFault] = []
        self.reads: dict[str, None] = {}
        self.needs: dict[str, None] = {}

    def check(self, tree: Node) -> None:
        """Check a whole condition, which is true or false."""
        for node in tree.walk():
            if node.kind == "method" and node.value in _LOOPS:
                self._refuse("a condition has no loops", "compare single facts, with `in` for several values")
                return
        found = self._type(tree)
        if found.name not in ("bool", "any"):
            if not self.reads and not self.faults:
                self._refuse("neither true nor false", "compare a fact, such as account.segment == 'smb'")
                return
            self._not_true_or_false(tree, found)

    def _refuse(self, message: str, fix: str) -> None:
        self.faults.append(ConditionFault(message, fix, late=False))

    def _fault(self, node: Node, message: str, fix: str) -> _Type:
        self.faults.append(ConditionFault(f"{self._said(node)}: {message}", fix))
        return _ANY

    def _said(self, node: Node) -> str:
        return self._text[node.start : node.end]

    def _not_true_or_false(self, node: Node, found: _Type) -> None:
        said = self._said(node)
        said = f"({said})" if node.kind == "operator" and len(node.parts) > 1 else said
        how = {"text": f'{said} == "…"', "int": f"{said} > 0", "double": f"{said} > 0.0"}.get(found.name)
        fix = f"compare it, such as {how}" if how else "write a comparison"
        self._fault(node, f"{found.words} where true or false is needed", fix)

    def _type(self, node: Node) -> _Type:
        match node.kind:
            case "name" | "select":
                return self._named(node)
            case "call":
                return self._call(node, node.parts)
            case "method":
                return self._method(node)
            case "operator":
                return self._operator(node)
            case "list":
                return self._list(node)
            case "map":
                keys, values = node.parts[::2], node.parts[1::2]
                return _Type("map", self._alike(node, keys), (), self._alike(node, values))
            case _:
                return _Type(node.kind)

    def _named(self, node: Node, *, asked: bool = False) -> _Type:
        path = node.path
        if not path:
            inner = self._type(node.parts[0])
            return inner.held or _ANY
        fact = self._known.get(path)
        if fact is not None:
            self.reads[path] = None
            if not asked:
                self.needs[path] = None
            return _Type(fact.name, choices=fact.choices, capitals=fact.capitals)
        top, _, name = path.partition(".")
        if path.lower() in _MISSPELT:
            self._refuse(f"no such fact or measure: {path}", _MISSPELT[path.lower()])
            return _ANY
        inside = [known.removeprefix(f"{top}.") for known in self._known if known.startswith(f"{top}.")]
        if top in ("account", "own") and name:
            if inside:
                fix = suggestion(name, inside, "docs/model.md")
            else:
                fix = f"declare it: `own: {{{name}: {{kind: number}}}}`"
            self._refuse(f"no such fact: {path}", fix)
        elif top in _ELSEWHERE and not inside:
            self._refuse(f"no such fact or measure: {path}", _ELSEWHERE[top])
        elif inside and not name:
            self._refuse(f"no such fact or measure: {path}", f"write the fact too, such as {top}.{inside[0]}")
        else:
            fix = suggestion(path, list(self._known), "docs/model.md")
            self._refuse(f"no such fact or measure: {path}", fix)
        return _ANY

    def _call(self, node: Node, arguments: Sequence[Node]) -> _Type:
        if node.value not in _FUNCTIONS:
            fix = suggestion(node.value, _FUNCTIONS, "docs/model.md")
            self._refuse(f"no such function: {node.value}", fix)
            return _ANY
        if node.value in _METHODS:
            if len(arguments) == 2:
                how = f"{self._said(arguments[0])}.{node.value}({self._said(arguments[1])})"
            else:
                how = f'account.plan.{node.value}("…")'
            for argument in arguments:
                self._type(argument)
            self._fault(node, f"{node.value} is asked of a text", f"write {how}")
            return _BOOL
        if len(arguments) != 1:
            return self._fault(node, f"{node.value} takes one value", f"write {node.value}(account.plan)")
        if node.value == "has":
            self._named(arguments[0], asked=True)
            return _BOOL
        found = self._type(arguments[0])
        if node.value == "double":
            if not found.number and found.name != "any":
                self._fault(node, f"{found.words}, where a number is needed", "give it a number")
            return _DOUBLE
        if found.name not in ("text", "list", "map", "any"):
            self._fault(node, f"{found.words} has no size", "ask the size of a text or a list")
        return _INT

    def _method(self, node: Node) -> _Type:
        target, *arguments = node.parts
        if node.value == "size" and not arguments:
            return self._call(node, (target,))
        if node.value not in _METHODS:
            fix = suggestion(node.value, _FUNCTIONS, "docs/model.md")
            self._refuse(f"no such function: {node.value}", fix)
            return _ANY
        found = self._type(target)
        if found.name not in ("text", "any"):
            self._fault(node, f"{self._said(target)} is {found.words}, no text", "ask it of a text")
        if len(arguments) != 1:
            how = f'{self._said(target)}.{node.value}("…")'
            self._fault(node, f"{node.value} takes one value", f"write {how}")
            return _BOOL
        given = self._type(arguments[0])
        if given.name not in ("text", "any"):
            said = self._said(arguments[0])
            fix = f'write it in quotes, such as "{said}"' if _is_literal(arguments[0]) else "give it a text"
            self._fault(node, f"{given.words}, where text is needed", fix)
        elif node.value == "matches":
            self._pattern(node, arguments[0])
        return _BOOL

    def _pattern(self, node: Node, pattern: Node) -> None:
        if pattern.kind != "text":
            self._fault(node, "the pattern is not written out", "write it in quotes, or use contains")
            return
        try:
            self._check_pattern(self._value_of(pattern.value))
        except ValueError as error:
            fix = "correct it (https://github.com/google/re2/wiki/Syntax), or use contains"
            self._fault(node, f"no regular expression, {error}", fix)

    def _operator(self, node: Node) -> _Type:
        if node.value == "?:":
            return self._choice(node)
        if node.value in ("&&", "||", "!_"):
            for part in node.parts:
                found = self._type(part)
                if found.name not in ("bool", "any"):
                    self._not_true_or_false(part, found)
            return _BOOL
        types = [self._type(part) for part in node.parts]
        if node.value in ("==", "!="):
            return self._equality(node, *types)
        if node.value in ("<", "<=", ">", ">="):
            return self._order(node, *types)
        if node.value == "in":
            return self._membership(node, *types)
        if node.value == "[]":
            return self._fault(node, "a condition picks no parts by [ ]", "name the fact itself, or use `in`")
        return self._arithmetic(node, types)

    def _choice(self, node: Node) -> _Type:
        asked, then, otherwise = node.parts
        found = self._type(asked)
        if found.name not in ("bool", "any"):
            self._not_true_or_false(asked, found)
        one, other = self._type(then), self._type(otherwise)
        if not one.like(other):
            return self._fault(node, f"{one.words} or {other.words}", "give both branches the same type")
        return one if one.name != "any" else other

    def _equality(self, node: Node, left: _Type, right: _Type) -> _Type:
        if "null" in (left.name, right.name):
            fact = node.parts[0] if right.name == "null" else node.parts[1]
            said = f"has({self._said(fact)})"
            fix = f"write {said if node.value == '!=' else f'!{said}'}"
            self._fault(node, "what is not known is not null", fix)
        elif not left.like(right):
            self._incomparable(node, left, right)
        self._choices(node, left, node.parts[1])
        self._choices(node, right, node.parts[0])
        return _BOOL

    def _choices(self, node: Node, fact: _Type, literal: Node) -> None:
        if not fact.choices and not fact.capitals:
            return
        for item in literal.parts if literal.kind == "list" else (literal,):
            value = self._value_of(item.value) if item.kind == "text" else ""
            if item.kind == "text" and fact.choices and value not in fact.choices:
                fix = suggestion(value, fact.choices, "docs/model.md")
                self._fault(node, f"it is never {self._said(item)}", fix)
            elif fact.capitals and value != value.upper():
                self._fault(node, f"it is never {self._said(item)}", f'write "{value.upper()}"')

    def _order(self, node: Node, left: _Type, right: _Type) -> _Type:
        if "any" in (left.name, right.name):
            return _BOOL
        if "bool" in (left.name, right.name):
            part = node.parts[left.name != "bool"]
            if part is node.parts[0] and part.kind == "operator" and part.value in ("<", "<=", ">", ">="):
                middle = self._said(part.parts[1])
                fix = f"write {self._said(part)} && {middle} {node.value} {self._said(node.parts[1])}"
            else:
                fix = "compare it with ==, or ask it as it is"
            self._fault(node, "true or false has no order", fix)
        elif not left.like(right) or left.name in ("list", "map", "null"):
            self._incomparable(node, left, right)
        elif choices := left.choices or right.choices:
            fix = f'list those that are meant, such as {self._said(node.parts[0])} in ["{choices[0]}"]'
            self._fault(node, "words are ordered by their letters", fix)
        return _BOOL

    def _incomparable(self, node: Node, left: _Type, right: _Type) -> None:
        fact, literal = node.parts if not _is_literal(node.parts[0]) else node.parts[::-1]
        wanted = left if fact is node.parts[0] else right
        said = self._said(fact)
        if wanted.number:
            bare = self._value_of(literal.value) if literal.kind == "text" else ""
            try:
                float(bare)
            except ValueError:
                fix = f"compare {said} with a number"
            else:
                fix = f"write {bare} without quotes"
        elif wanted.name == "text" and _is_literal(literal):
            fix = f'write "{self._said(literal)}" in quotes, or ask another fact'
        elif wanted.name == "bool":
            fix = f"ask {said} as it is, or !{said}"
        else:
            fix = "compare values of one type"
        self._fault(node, f"{left.words} and {right.words} can't be compared", fix)

    def _membership(self, node: Node, left: _Type, right: _Type) -> _Type:
        one, several = node.parts
        said, where = self._said(one), self._said(several)
        if right.name not in ("list", "map", "any"):
            fix = f"write {said} in [{where}]"
            if right.name == "text":
                whole, part = (where, said) if _is_literal(one) else (said, where)
                fix += f", or {whole}.contains({part}) for a part of it"
            self._fault(node, f"{where} is {right.words}, no list", fix)
        elif several.kind == "list" and not several.parts:
            self._fault(node, "nothing is in an empty list", "write the values in [ ]")
        elif right.of is not None and not left.like(right.of):
            fix = f"list {_SEVERAL.get(left.name, left.words)}"
            self._fault(node, f"{left.words} is never in a list of {right.of.words}", fix)
        self._choices(node, left, several)
        return _BOOL

    def _arithmetic(self, node: Node, types: list[_Type]) -> _Type:
        operator = node.value.removesuffix("_")
        if any(found.name == "any" for found in types):
            return _ANY
        if operator == "+" and types[0].like(types[1]) and types[0].name in ("text", "list"):
            return types[0]
        wrong = next((n for n, found in enumerate(types) if not found.number), None)
        if wrong is not None:
            return self._fault(
                node, f"{self._said(node.parts[wrong])} is {types[wrong].words}, no number", "use numbers"
            )
        if len({found.name for found in types}) > 1:
            whole = node.parts[types[0].name == "double"]
            said = self._said(whole)
            fix = f"write {said}.0" if whole.kind == "int" else f"write double({said})"
            if "uint" in (types[0].name, types[1].name):
                fix = "leave the u out"
            return self._fault(node, f"{types[0].words} and {types[1].words} are not reckoned together", fix)
        if operator == "%" and types[0].name == "double":
            return self._fault(node, "a decimal has no remainder", "use whole numbers")
        if operator in ("/", "%") and node.parts[1].kind in _COMPARABLE and _is_zero(node.parts[1].value):
            return self._fault(node, "a division by zero", "divide by another number")
        return types[0]

    def _list(self, node: Node) -> _Type:
        return _Type("list", self._alike(node, node.parts))

    def _alike(self, node: Node, items: Sequence[Node]) -> _Type | None:
        """Return the type of all items."""
        types = [self._type(item) for item in items]
        for found in types[1:]:
            if not found.like(types[0]):
                fix = "give all items one type"
                return self._fault(node, f"{types[0].words} and {found.words} in one list", fix)
        return types[0] if types else None


def _is_literal(node: Node) -> bool:
    return node.kind in ("int", "double", "text", "bool") or (
        node.kind == "operator" and node.value == "-_" and _is_literal(node.parts[0])
    )


def _is_zero(number: str) -> bool:
    text = number.lower().rstrip("u")
    return (int(text, 16) if text.startswith("0x") else float(text)) == 0
