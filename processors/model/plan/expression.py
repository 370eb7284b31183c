"""
Parser of CEL expressions (https://cel.dev): the tree of an expression, so that its types can be checked.

The library that evaluates conditions tells of an expression only which names it has. It judges the syntax
too; this parser is given what the library has accepted, and follows the grammar of the language's
specification (https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["ExpressionError", "Node", "parse", "tokens"]

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<bytes>(?:[bB][rR]?|[rR][bB])(?:'''[\s\S]*?'''|\"\"\"[\s\S]*?\"\"\"|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"))
    |(?P<raw>[rR](?:'''[\s\S]*?'''|\"\"\"[\s\S]*?\"\"\"|'[^']*'|"[^"]*"))
    |(?P<text>'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\"|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")
    |(?P<double>[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)
    |(?P<uint>(?:0x[0-9a-fA-F]+|[0-9]+)[uU])
    |(?P<int>0x[0-9a-fA-F]+|[0-9]+)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<operator>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE,
)
_LEVELS = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">=", "in"), ("+", "-"), ("*", "/", "%"))
_LITERALS = {"true": "bool", "false": "bool", "null": "null"}


class ExpressionError(ValueError):
    """An expression that the grammar doesn't allow."""


@dataclass(frozen=True, slots=True)
class Node:
    """
    A part of an expression, with the place of its text.

    ``kind`` is the type of a literal (``int``, ``uint``, ``double``, ``text``, ``bool``, ``null``,
    ``bytes``), or ``name``, ``select`` (of ``parts[0]``), ``operator``, ``call`` (a function of its parts),
    ``method`` (of ``parts[0]`` with the others), ``list`` or ``map`` (keys and values by turns). ``value`` is
    the text of a literal and the name of the others.
    """

    kind: str
    value: str
    parts: tuple[Node, ...]
    start: int
    end: int

    @property
    def path(self) -> str:
        """The dotted name that the node is, such as ``account.plan``; '' for anything else."""
        if self.kind == "select":
            above = self.parts[0].path
            return f"{above}.{self.value}" if above else ""
        return self.value if self.kind == "name" else ""

    def walk(self) -> Iterator[Node]:
        """Yield the node and every node below it, in the order of the text."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True, slots=True)
class Token:
    """A word, literal or operator of an expression."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """The place after it."""
        return self.start + len(self.text)


def tokens(text: str) -> list[Token]:
    """Return the tokens of an expression; raise ExpressionError at what is none."""
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"{text[at]!r} at character {at + 1}")
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup or "", match[0], at))
        at = match.end()
    return found


def parse(text: str) -> Node:
    """Return the tree of an expression; raise ExpressionError at what the grammar doesn't allow."""
    parser = _Parser([*tokens(text), Token("end", "", len(text))])
    node = parser.expression()
    parser.take_end()
    return node


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _is(self, *operators: str) -> bool:
        return self._next.kind in ("operator", "name") and self._next.text in operators

    def _take(self, *operators: str) -> Token:
        token = self._next
        if operators and not self._is(*operators):
            raise ExpressionError(f"{token.text!r} at character {token.start + 1}")
        self._at += 1
        return token

    def take_end(self) -> None:
        if self._next.kind != "end":
            raise ExpressionError(f"{self._next.text!r} at character {self._next.start + 1}")

    def expression(self) -> Node:
        node = self._binary(0)
        if self._is("?"):
            self._take()
            then = self._binary(0)
            self._take(":")
            otherwise = self.expression()
            return Node("operator", "?:", (node, then, otherwise), node.start, otherwise.end)
        return node

    def _binary(self, level: int) -> Node:
        """Return the operators of this precedence or a higher one, each with what is on its left first."""
        node = self._unary()
        while (found := self._level_of_next()) >= level:
            operator = self._take()
            right = self._binary(found + 1)
            node = Node("operator", operator.text, (node, right), node.start, right.end)
        return node

    def _level_of_next(self) -> int:
        return next((level for level, operators in enumerate(_LEVELS) if self._is(*operators)), -1)

    def _unary(self) -> Node:
        signs = []
        while self._is("!", "-"):
            signs.append(self._take())
        node = self._member()
        for sign in reversed(signs):
            node = Node("operator", f"{sign.text}_", (node,), sign.start, node.end)
        return node

    def _member(self) -> Node:
        node = self._primary()
        while self._is(".", "[") or (self._is("{") and node.path):
            opening = self._take()
            if opening.text == "{":
                raise ExpressionError(f"'{{' at character {opening.start + 1}")
            if opening.text == "[":
                index = self.expression()
                node = Node("operator", "[]", (node, index), node.start, self._take("]").end)
                continue
            name = self._take()
            if self._is("("):
                arguments = self._arguments(")")
                node = Node("method", name.text, (node, *arguments), node.start, self._before.end)
            else:
                node = Node("select", name.text, (node,), node.start, name.end)
        return node

    def _primary(self) -> Node:
        token = self._take()
        if token.kind == "name" and token.text in _LITERALS:
            return Node(_LITERALS[token.text], token.text, (), token.start, token.end)
        if token.kind == "name" and token.text != "in":
            if self._is("("):
                arguments = self._arguments(")")
                return Node("call", token.text, arguments, token.start, self._before.end)
            return Node("name", token.text, (), token.start, token.end)
        if token.text == ".":
            name = self._take()
            return Node("name", f".{name.text}", (), token.start, name.end)
        if token.kind not in ("operator", "end", "name"):
            kind = "text" if token.kind == "raw" else token.kind
            return Node(kind, token.text, (), token.start, token.end)
        if token.text == "(":
            node = self.expression()
            self._take(")")
            return node
        if token.text == "[":
            self._at -= 1
            return Node("list", "", self._arguments("]"), token.start, self._before.end)
        if token.text == "{":
            self._at -= 1
            return Node("map", "", self._arguments("}"), token.start, self._before.end)
        raise ExpressionError(f"{token.text!r} at character {token.start + 1}")

    @property
    def _before(self) -> Token:
        return self._tokens[self._at - 1]

    def _arguments(self, closing: str) -> tuple[Node, ...]:
        self._take()
        found: list[Node] = []
        while not self._is(closing):
            found.append(self.expression())
            if closing == "}":
                self._take(":")
                found.append(self.expression())
            if not self._is(closing):
                self._take(",")
        self._take(closing)
        return tuple(found)
