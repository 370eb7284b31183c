"""The measures in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from processors.measures import MeasureDefinition
from processors.model import DEFAULT

__all__ = ["data", "lines", "page"]

_DEFAULT = {read.name for read in (*DEFAULT.plan.reads, *DEFAULT.plan.shows)}
_HEAD = """# Measures

What a health model may weigh ([model.md](model.md)). Written by `bellbuoy model measures --markdown`; a
test holds it to the code. A measure whose *needs* have not been seen is not known: it brings no points and
lowers the coverage. Those in **bold** are part of the default model.
"""


def data(measures: Iterable[MeasureDefinition]) -> list[dict[str, object]]:
    """Return the measures for programs."""
    return [
        {
            "name": one.name,
            "about": one.about,
            "unit": one.unit,
            "window": one.window,
            "sources": list(one.sources),
            "needs": one.needs,
            "default": one.name in _DEFAULT,
        }
        for one in measures
    ]


def lines(measures: Iterable[MeasureDefinition]) -> Iterator[str]:
    """Yield the measures for a terminal."""
    for one in measures:
        yield f"{one.name}  ({one.unit}; {one.window}){' *' if one.name in _DEFAULT else ''}"
        yield f"    {_said(one)}"
        yield f"    from {', '.join(one.sources) or 'the state itself'}; needs {one.needs}"
    yield "* part of the default model"


def page(measures: Iterable[MeasureDefinition]) -> str:
    """Return docs/measures.md, without its last line break."""
    parts = [_HEAD]
    for subject, some in groupby(sorted(measures, key=_subject), _subject):
        parts += [f"## {subject}", "", "| measure | what it measures | unit | window | sources | needs |"]
        parts += ["| --- | --- | --- | --- | --- | --- |", *map(_row, some), ""]
    return "\n".join(parts).rstrip()


def _subject(one: MeasureDefinition) -> str:
    return one.name.partition(".")[0]


def _row(one: MeasureDefinition) -> str:
    name = f"**`{one.name}`**" if one.name in _DEFAULT else f"`{one.name}`"
    sources = ", ".join(f"`{source}`" for source in one.sources)
    return f"| {name} | {_said(one)} | {one.unit} | {one.window} | {sources} | {one.needs} |"


def _said(one: MeasureDefinition) -> str:
    """Return what is measured, as a thing rather than an order."""
    said = one.about.removeprefix("Return ").replace("``", "`")
    return said[:1].upper() + said[1:]
