"""Pictures of measurements, as SVG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["bars", "lines"]

_INK, _OURS, _OTHERS = "#1b2a34", "#d9481c", "#7d97a5"

mpl.rcParams["svg.hashsalt"] = "bellbuoy"  # the same picture is the same file


def bars(file: Path, title: str, unit: str, values: Mapping[str, float], ours: str) -> None:
    """Draw a bar for each value on a logarithmic scale; names that begin with *ours* are highlighted."""
    figure, axes = _page(title, 0.6 + 0.38 * len(values))
    names = list(values)[::-1]
    colours = [_OURS if name.startswith(ours) else _OTHERS for name in names]
    drawn = axes.barh(names, [values[name] for name in names], color=colours, height=0.7)
    axes.bar_label(drawn, [f" {values[name]:,.0f}" for name in names], color=_INK, fontsize=9)
    axes.set_xscale("log")
    axes.set_xlim(right=4 * max(values.values()))
    axes.set_xlabel(unit)
    _save(figure, file)


def lines(
    file: Path,
    title: str,
    x_unit: str,
    y_unit: str,
    x: Sequence[float],
    values: Mapping[str, Sequence[float]],
) -> None:
    """Draw a line for each series over the same *x*; the y axis begins at zero."""
    figure, axes = _page(title, 4)
    for name, series in values.items():
        axes.plot(x, series, label=name, linewidth=1.4)
    axes.set_xlabel(x_unit)
    axes.set_ylabel(y_unit)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, ncols=len(values), loc="upper center", bbox_to_anchor=(0.5, -0.16))
    _save(figure, file)


def _page(title: str, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8.5, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11, color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, colors=_INK)
    return figure, axes


def _save(figure: Figure, file: Path) -> None:
    figure.savefig(file, format="svg", metadata={"Date": None})
