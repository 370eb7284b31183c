"""
Reader of YAML files that people write: text as plain values, with the line and the column of each.

libyaml parses; the tree is composed here from its events, for what no YAML library offers together: line and
column of every key and value, all faults at once, limits on size and depth (libyaml's own composer overflows
the C stack on deeply nested text, which ends the process), and scalars of YAML 1.2's core schema, in which
``no`` is a word and not false.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import yaml

from schemas.checked_files.faults import Fault, NoDocumentError

__all__ = ["Document", "Marks", "Path", "decoded", "read"]

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indices from the top of the document to a value."""

_MAX_CHARACTERS = 200_000
"""Characters of a file; a longer one is refused."""

_MAX_NODES = 10_000
"""Values and keys in a file; one with more is refused."""

_MAX_DEPTH = 16
"""Levels of nesting in a file; deeper ones are refused."""

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_NULL = re.compile(r"|~|null|Null|NULL")
_TRUE, _FALSE = re.compile(r"true|True|TRUE"), re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"[-+]?0[0-9]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass(slots=True)
class Marks:
    """Line and column, both from 1, of every key and every value, by path."""

    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def of(self, path: Path) -> tuple[int, int]:
        """Return the position of a path's key or list item, or of the nearest thing that encloses it."""
        while path:
            for marks in (self.keys, self.values):
                if path in marks:
                    return marks[path]
            path = path[:-1]
        return self.values.get((), (1, 1))

    def fault(self, path: Path, message: str, fix: str, *, warning: bool = False) -> Fault:
        """Return a fault at the position of this path."""
        return Fault(*self.of(path), ".".join(map(str, path)), message, fix, warning)


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML mapping, the positions of its parts, and its faults as YAML."""

    data: dict[str, Any]
    marks: Marks
    faults: tuple[Fault, ...] = ()


def decoded(content: bytes) -> str:
    """Return a file's content as text; raise NoDocumentError with the place where it is no UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        begin = content.rfind(b"\n", 0, error.start) + 1
        other = "UTF-16 text" if content[:2] in _UTF_16 else f"byte {content[error.start]:#04x}"
        line, column = content.count(b"\n", 0, begin) + 1, error.start - begin + 1
        _refuse(line, column, f"not UTF-8, {other}", "save it as UTF-8 text")


def read(text: str) -> Document:
    """Return the mapping in this YAML text; raise NoDocumentError when it can't be read."""
    if len(text) > _MAX_CHARACTERS:
        _refuse(1, 1, "the file is too long", f"such a file has at most {_MAX_CHARACTERS:,} characters")
    if control := _CONTROL.search(text):
        begin = text.rfind("\n", 0, control.start()) + 1
        line, column = text.count("\n", 0, begin) + 1, control.start() - begin + 1
        _refuse(
            line, column, f"the control character {ord(control[0]):#04x}", "save it as UTF-8 text without it"
        )
    reader = _Reader()
    try:
        data = reader.document(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        colonless = error.problem == "could not find expected ':'"  # the mark is where the next thing begins
        mark = (error.context_mark if colonless else None) or error.problem_mark or error.context_mark
        line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        if _tab_at(text, line, column):
            _refuse(line, column, "a tab", "indent with spaces: YAML allows no tabs there")
        if colonless:
            _refuse(
                line, column, "no colon after the key", "write `name: value`, with a space after the colon"
            )
        problem = " ".join(filter(None, (error.context, error.problem)))
        _refuse(line, column, f"not YAML, {problem}", "check the indentation, colons and brackets before it")
    except (yaml.YAMLError, UnicodeError) as error:
        _refuse(1, 1, "not YAML", f"save it as UTF-8 text ({str(error).splitlines()[0]})")
    if data is None:
        _refuse(1, 1, "the file is empty", "begin it with a key, such as `name: value`")
    if not isinstance(data, dict):
        _refuse(1, 1, "not a mapping", "the file begins with a key, such as `name: value`")
    return Document(data, reader.marks, tuple(reader.faults))


def _tab_at(text: str, line: int, column: int) -> bool:
    """Tell whether a tab stands there, or the line is indented with one; both are counted from 1."""
    lines = text.split("\n")
    indented = lines[line - 1] if line <= len(lines) else ""
    return indented[column - 1 : column] == "\t" or "\t" in indented[: len(indented) - len(indented.lstrip())]


class _Reader:
    def __init__(self) -> None:
        self.marks = Marks()
        self.faults: list[Fault] = []
        self._nodes = 0
        self._anchors: dict[str, Any] = {}
        self._events: Iterator[Any] = iter(())

    def document(self, events: Iterator[Any]) -> Any:
        self._events = events
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                data = self._value(next(events), ())
                self._only_one(events)
                return data
        return None

    def _only_one(self, events: Iterator[Any]) -> None:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                _refuse(*_at(event), "a second document", "one file holds one document")

    def _value(self, event: Any, path: Path) -> Any:
        self._nodes += 1
        if self._nodes > _MAX_NODES or len(path) > _MAX_DEPTH:
            _refuse(*_at(event), "too much in one file", "a file of this kind is smaller and flatter")
        self.marks.values[path] = _at(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        if event.tag not in (None, "!"):
            self._fault(event, path, f"the tag {event.tag}", "leave it out: the format knows its types")
        if isinstance(event, yaml.ScalarEvent):
            value: Any = _scalar(event)
            if event.implicit[0] and _OCTAL.fullmatch(event.value):
                self._fault(
                    event, path, f"{event.value} begins with 0", f"write {value}, or quotes around a text"
                )
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
                value.append(self._value(item, (*path, len(value))))
        else:
            value = self._mapping(path)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _mapping(self, path: Path) -> dict[str, Any]:
        value: dict[str, Any] = {}
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                _refuse(*_at(key), "a key that is not a word", "write `name: value`")
            name = str(key.value)
            below = (*path, name)
            if name in value:
                first = self.marks.keys[below][0]
                self._fault(key, below, f"given twice, first in line {first}", "keep one of them")
            self.marks.keys[below] = _at(key)
            if name == "<<" and key.implicit[0]:
                self._fault(key, below, "keys of other mappings are not merged here", "write the keys out")
                known = len(self.faults)
                self._value(next(self._events), below)
                del self.faults[known:]
                continue
            value[name] = self._value(next(self._events), below)
        return value

    def _alias(self, event: Any, path: Path) -> Any:
        if event.anchor not in self._anchors:
            self._fault(event, path, f"no anchor &{event.anchor} before it", "write the value out")
            return None
        value = self._anchors[event.anchor]
        if not isinstance(value, str | int | float):
            self._fault(event, path, f"the alias *{event.anchor}", "aliases stand for single values only")
        return value

    def _fault(self, event: Any, path: Path, message: str, fix: str) -> None:
        self.faults.append(Fault(*_at(event), ".".join(map(str, path)), message, fix))


def _at(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _scalar(event: Any) -> Any:
    text: str = event.value
    if not event.implicit[0]:  # quoted, or a block of text
        return text
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INT.fullmatch(text) and len(text) < 16:
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _refuse(line: int, column: int, message: str, fix: str) -> NoReturn:
    raise NoDocumentError([Fault(line, column, "", message, fix)])
