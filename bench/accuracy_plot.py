"""How far measured values are from the truth, to look at: a page of plots.

A dot is a fruit: what is true of it along, by how much the station was off up. A line is the mean of a variety, dashes
are between which nineteen in twenty of its fruit lie if errors are normal (limits of agreement: J. M. Bland,
D. G. Altman, 1986).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

Values = NDArray[np.float64]

_LIMITS = 1.96
_PANEL_INCHES, _DPI = (5.0, 3.0), 100


class Panel(NamedTuple):
    """One plot. of: by variety, (n, 2) what is true of each fruit, and its error in the unit."""

    title: str
    unit: str
    of: Mapping[str, Values]


def limits_of_agreement(errors: Values) -> tuple[float, float]:
    """Between which nineteen in twenty lie. errors: (n,)."""
    middle, spread = float(errors.mean()), float(errors.std(ddof=1))
    return middle - _LIMITS * spread, middle + _LIMITS * spread


def plotted(panels: Sequence[Panel]) -> Figure:
    """Two panels a row."""
    rows = -(-len(panels) // 2)
    figure = Figure(figsize=(2 * _PANEL_INCHES[0], rows * _PANEL_INCHES[1]), layout="constrained")
    for index, panel in enumerate(panels):
        axes = figure.add_subplot(rows, 2, index + 1)
        axes.set_title(f"{panel.title}, measured less true, {panel.unit}", loc="left")
        axes.axhline(0.0, color="0.4", linewidth=0.8)
        for variety, values in panel.of.items():
            (dots,) = axes.plot(values[:, 0], values[:, 1], ".", markersize=3, alpha=0.5, label=variety)
            below, above = limits_of_agreement(values[:, 1])
            axes.axhline((below + above) / 2, color=dots.get_color(), linewidth=1.5)
            for limit in (below, above):
                axes.axhline(limit, color=dots.get_color(), linewidth=0.8, linestyle="--")
        if index == 0:
            axes.legend(loc="upper left", fontsize="small")
    return figure


def write_plots(panels: Sequence[Panel], path: Path) -> None:
    """As PNG: an SVG has an element for every fruit."""
    plotted(panels).savefig(path, format="png", dpi=_DPI)
