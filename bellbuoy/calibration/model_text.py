"""Editor of a model file's text: single values are replaced, and comments, order and layout stay."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import yaml

from bellbuoy.errors import ConfigError

__all__ = ["edited", "unified_diff"]

Path: TypeAlias = tuple[str | int, ...]
_Edit: TypeAlias = tuple[int, int, str]


def edited(text: str, numbers: Mapping[Path, float], pairs: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """
    Return a model file's text with these numbers, by their paths; ``pairs`` are lists of pairs at its top.

    A key that isn't there is added: a number before the first key of its mapping, a list at the end of the
    file. The text must be one that passed the check of model files. Raises ConfigError where it has aliases:
    one text would then stand for several numbers.
    """
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
        raise ConfigError(
            "the model file has aliases (*name): write their values out, so that each can change"
        )
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    edits = [_number_edit(root, path, number) for path, number in numbers.items()]
    edits += [_list_edit(text, root, key, points) for key, points in pairs.items()]
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def unified_diff(before: str, after: str, name: str, other: str) -> list[str]:
    """Return the lines that differ in two texts, with those around them, in the form of ``diff -u``."""
    return list(difflib.unified_diff(before.splitlines(), after.splitlines(), name, other, lineterm=""))


def _number_edit(root: Any, path: Path, number: float) -> _Edit:
    node = root
    for depth, part in enumerate(path):
        found = _below(node, part)
        if found is None:
            if depth != len(path) - 1 or not isinstance(node, yaml.MappingNode):
                raise KeyError(path)
            start = node.value[0][0].start_mark
            after = ", " if node.flow_style else "\n" + " " * start.column
            return start.index, start.index, f"{part}: {_worded(number)}{after}"
        node = found
    return node.start_mark.index, node.end_mark.index, _worded(number)


def _list_edit(text: str, root: Any, key: str, points: Sequence[Sequence[float]]) -> _Edit:
    """Return the edit of a list of pairs at the top of the file; it is written in flow style."""
    new = "[" + ", ".join(f"[{', '.join(map(_worded, point))}]" for point in points) + "]"
    node = _below(root, key)
    if node is None and root.flow_style:
        end = root.end_mark.index - 1
        return end, end, f', "{key}": {new}'
    if node is None:
        gap = "" if text.endswith("\n") else "\n"
        return len(text), len(text), f"{gap}{key}: {new}\n"
    start, end = node.start_mark.index, node.end_mark.index
    if not node.flow_style:
        end = _last(node).end_mark.index
        start = text.rindex(":", 0, start) + 1
        new = f" {new}"
    return start, end, new


def _last(node: Any) -> Any:
    """Return the node with which a list ends: the list itself also holds the comments that follow."""
    while isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        node = node.value[-1]
    return node


def _below(node: Any, part: str | int) -> Any:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        return node.value[part]
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    return None


def _worded(number: float) -> str:
    return f"{number:.10g}"
