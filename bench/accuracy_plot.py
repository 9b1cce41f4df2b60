"""How far measured values are from the truth, to look at: a page of plots as SVG.

A dot is a fruit: what is true of it along, by how much the station was off up. A line is the mean of a variety, a band
where nineteen in twenty of its fruit lie if errors are normal (limits of agreement: J. M. Bland, D. G. Altman, 1986).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BELOW = 460, 270, 52, 30, 12, 34
_COLOURS = ("#b3261e", "#1d5fa8", "#9a7400", "#2e7d32")
_LIMITS = 1.96
_NEARLY_ALL = 0.998
"""Of the dots fit in; those beyond are drawn at the edge."""


class Panel(NamedTuple):
    """One plot. of: by variety, (n, 2) the truth and the error of each fruit, in the unit."""

    title: str
    unit: str
    of: Mapping[str, Values]


def limits_of_agreement(errors: Values) -> tuple[float, float]:
    """Between which nineteen in twenty lie. errors: (n,)."""
    middle, spread = float(errors.mean()), float(errors.std(ddof=1))
    return middle - _LIMITS * spread, middle + _LIMITS * spread


def plots(panels: Sequence[Panel]) -> str:
    """An SVG, two panels a row."""
    rows = -(-len(panels) // 2)
    width, height = 2 * _WIDTH, rows * _HEIGHT + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for index, panel in enumerate(panels):
        parts.append(f'<g transform="translate({index % 2 * _WIDTH} {index // 2 * _HEIGHT})">{_drawn(panel)}</g>')
    for index, variety in enumerate(panels[0].of if panels else ()):
        x, colour = _LEFT + 130 * index, _COLOURS[index % len(_COLOURS)]
        parts.append(f'<circle cx="{x}" cy="{height - 14}" r="5" fill="{colour}"/>')
        parts.append(_text(x + 12, height - 9, variety, 13, "start"))
    return "\n".join([*parts, "</svg>", ""])


def _drawn(panel: Panel) -> str:
    every = np.concatenate(list(panel.of.values()))
    low, high = float(every[:, 0].min()), float(every[:, 0].max())
    most = float(np.quantile(np.abs(every[:, 1]), _NEARLY_ALL)) * 1.15 or 1.0
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BELOW

    def x(value: float) -> float:
        return _LEFT + (value - low) / max(high - low, 1e-9) * (right - _LEFT)

    def y(value: float) -> float:
        return _TOP + (1.0 - np.clip(value / most, -1.0, 1.0)) / 2.0 * (bottom - _TOP)

    parts = [_text(_LEFT, 20, f"{panel.title}, measured less true, {panel.unit}", 14, "start")]
    for value in _ticks(-most, most):
        parts.append(_line(_LEFT, y(value), right, y(value), "#d0d0d0" if value else "#606060", 1))
        parts.append(_text(_LEFT - 6, y(value) + 4, f"{value:g}", 11, "end"))
    for value in _ticks(low, high):
        parts.append(_line(x(value), bottom, x(value), bottom + 5, "#606060", 1))
        parts.append(_text(x(value), bottom + 18, f"{value:g}", 11, "middle"))
    for index, values in enumerate(panel.of.values()):
        colour = _COLOURS[index % len(_COLOURS)]
        dots = "".join(f'<circle cx="{x(true):.1f}" cy="{y(error):.1f}" r="1.6"/>' for true, error in values)
        parts.append(f'<g fill="{colour}" fill-opacity="0.45">{dots}</g>')
    for index, values in enumerate(panel.of.values()):
        colour = _COLOURS[index % len(_COLOURS)]
        below, above = limits_of_agreement(values[:, 1])
        parts.append(_line(_LEFT, y((below + above) / 2), right, y((below + above) / 2), colour, 2))
        for limit in (below, above):
            parts.append(_line(_LEFT, y(limit), right, y(limit), colour, 1, dashed=True))
    return "".join(parts)


def _ticks(low: float, high: float) -> list[float]:
    """Four to ten round numbers between."""
    span = max(high - low, 1e-9)
    step = 10.0 ** np.floor(np.log10(span))
    step *= next(share for share in (1.0, 0.5, 0.2, 0.1) if span / (step * share) >= 4)
    return [round(float(value), 9) + 0.0 for value in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float, *, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    places = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {places} stroke="{colour}" stroke-width="{width}"{dashes}/>'


def _text(x: float, y: float, what: str, size: int, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="#303030">{escape(what)}</text>'
    )
