"""Diameter, height and volume from the widths of a fruit.

Where its axis is known, every width that a view shows is at some angle from the stem-calyx axis, however
the fruit lies. Near the equator
widths follow a smooth curve whose top is the diameter; towards the poles a fruit rests on the rim of its hollows, so
the curve comes down to the height in a corner, as that of a ring does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from grader.vision.width_map import NOISE, Values, across, quantile, robust_fit

_EQUATOR_SINE = 0.7
"""Widths at 45 degrees or more from the axis tell the equator: beyond, hollows and flat ends have their say."""
_SCALES = (4.0, 2.0, 1.0, 1.0)
_USUAL_BEND, _USUAL_OVAL, _USUAL_TILT = 0.15, 0.013, 0.02
"""Usual sizes, as shares of the width, of the curve's terms, of an oval equator and of what an axis that is not quite
right makes of the map."""
_LATITUDES, _LATITUDE_WEIGHTS = (np.array(each) for each in np.polynomial.legendre.leggauss(16))


class Form(NamedTuple):
    """n fruit, (n,) float64, in the unit of the widths; NaN where too little was seen.

    diameter, narrowest: largest and least width across the axis. height: along it. volume: of the body of revolution
    with these widths, its hollows filled.
    """

    diameter: Values
    narrowest: Values
    height: Values
    volume: Values


def forms(widths: Values, towards: Values, axis: Values, trust: Values) -> Form:
    """Forms of n fruit from widths (n, v, k) in directions (n, v, k, 3), about axes (n, 3), trusted 0..1 (n, v, k)."""
    n = len(widths)
    widths, towards, trust = widths.reshape(n, -1), towards.reshape(n, -1, 3), trust.reshape(n, -1)
    weight = trust.sum(axis=1)
    usual = np.where(weight > 0, (trust * np.nan_to_num(widths)).sum(axis=1) / np.maximum(weight, 1e-9), np.nan)
    share = np.where(trust > 0, widths / usual[:, None] - 1.0, 0.0)
    along, out, oval = _about(towards, axis)

    equator = _fit([np.ones_like(along), along**2, along**4], oval, share, trust * (out > _EQUATOR_SINE))
    swing = np.hypot(equator[:, 3], equator[:, 4])
    mean = 1.0 + equator[:, 0]
    a, b, c, d = _fit([np.abs(along), out, np.ones_like(along), along**2], oval, share, trust)[:, :4].T
    return Form(
        diameter=usual * (mean + swing),
        narrowest=usual * (mean - swing),
        height=usual * (1.0 + a + c + d),
        volume=usual**3 * _volume(a, b, 1.0 + c, d, mean),
    )


def forms_by_views(widest: Values, callipers: Values, area: Values) -> Form:
    """Forms of n fruit of which nobody knows how they turn: widest (n, v), callipers (n, v, k), area (n, v), NaN where
    there is no view.

    The largest width across the axis shows in nearly every view of a turning fruit, the axis in full in some; quantiles
    keep a single bad outline from deciding. Angular fruit come out up to 2 % too wide: their diagonals show, too. The
    volume is that of a spheroid, two thirds of its outline's area times its width, with the outline as it is seen.
    """
    diameter = quantile(widest, 0.8)
    height = np.minimum(quantile(callipers.min(axis=2), 0.1), diameter)
    narrowest = quantile(callipers[:, :, callipers.shape[2] // 2], 0.5)  # along the turning axis
    return Form(diameter, np.minimum(narrowest, diameter), height, 2.0 / 3.0 * quantile(area, 0.1) * diameter)


def _about(towards: Values, axis: Values) -> tuple[Values, Values, list[Values]]:
    """Cosine and sine of directions (n, rows, 3) from their axes (n, 3); and the terms of what is not alike about it:
    an oval equator's two and a tilt's two."""
    along = np.einsum("nri,ni->nr", towards, axis)
    one, two = across(axis)
    x = np.einsum("nri,ni->nr", towards, one)
    y = np.einsum("nri,ni->nr", towards, two)
    out = np.hypot(x, y)
    return along, out, [x * x - y * y, 2.0 * x * y, along * x, along * y]


def _fit(curve: list[Values], oval: list[Values], share: Values, trust: Values) -> Values:
    """Coefficients (n, terms): the curve's, then two of an oval and two of a tilt."""
    usual = np.array([_USUAL_BEND] * len(curve) + [_USUAL_OVAL] * 2 + [_USUAL_TILT] * 2)
    coefficients, _ = robust_fit(np.stack(curve + oval, axis=-2), share, trust, (NOISE / usual) ** 2, _SCALES)
    return coefficients


def _volume(a: Values, b: Values, c: Values, d: Values, equator: Values) -> Values:
    """Volume of the body of revolution whose width at the angle t from its axis is a cos t + b sin t + c + d cos^2 t.

    With half the width h(t), its outline is r = h sin t + h' cos t, z = h cos t - h' sin t, and the volume the integral
    of pi r^2 dz: over the rounded part dz = (h + h'') sin t dt, and the corner of a |cos t| at the equator is a
    cylinder of height a. All is scaled to the equator's own mean width, which is better known.
    """
    cosine, share = (_LATITUDES + 1.0) / 2.0, _LATITUDE_WEIGHTS / 2.0
    sine = np.sqrt(1.0 - cosine**2)
    a, b, c, d = (each[:, None] for each in (a, b, c, d))
    radius = (b + c * sine + d * (cosine**2 * sine - 2.0 * sine * cosine**2)) / 2.0
    rise = (c + d * (2.0 - 3.0 * cosine**2)) / 2.0
    middle = (b + c)[:, 0] / 2.0
    rounded = 2.0 * np.pi * (radius**2 * rise * share).sum(axis=1)
    return np.asarray((rounded + np.pi * middle**2 * a[:, 0]) * (equator / (b + c)[:, 0]) ** 2)
