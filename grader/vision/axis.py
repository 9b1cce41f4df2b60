"""How a fruit lies and turns, told by the widths of its outline in many views.

The width of an outline in a direction of the picture is the width of the body itself in that direction of space. A
fruit that turns shows its width in every direction within half a turn, so all its views together draw a map of widths
over the sphere, whatever its axis is. The map is smooth and the same after half a turn, so only the right turn makes
the views agree; and it is alike all round only about the stem-calyx axis. (Width and support functions: R. J. Gardner,
Geometric Tomography, 2nd ed. 2006.)

World frame: x along the belt, y across it as in the picture, z up to the lens. Fruit turn about y; the frame that
turns with a fruit is the world's at the middle of its views. A body cannot be told by outlines from its mirror image
in z that turns the other way, but for perspective: the sense of the turn may be taken wrongly, sizes are the same.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.vision.width_map import (
    NOISE,
    OUTLIER,
    Floats,
    Values,
    across,
    belief,
    calm,
    columns,
    far_off,
    legendre,
    longitude,
    map_columns,
    orders,
    quantile,
    robust_fit,
)

_SEARCH_DEGREE, _MAP_DEGREE = 4, 6
_EVERY = 2
"""The turn is sought with every second calliper: a map of degree 4 has no finer detail."""
_ROUGH_SCALES, _SEARCH_SCALES, _MAP_SCALES = (6.0,), (8.0, 4.0, 1.5), (8.0, 4.0, 2.0, 1.0)
"""Of fits: to tell the best of the turns tried, to find the turn near it, to draw the map."""
_TOGETHER = 0.1
"""Worth of one width when turns are weighed: neighbouring widths of a view err together."""
_TURN_SHARES = np.linspace(0.5, 1.5, 11)
"""Turns that are tried, as shares of the nominal one. From one to the next, the last of 21 views turns by 24 degrees
against the middle one: half a wave of the finest detail of the map at _SEARCH_DEGREE is 45."""
_FINE_STEPS = np.linspace(-0.6, 0.6, 5)
_PARABOLA = np.linalg.pinv(np.vander(_FINE_STEPS, 3)).T
"""Through misfits at _FINE_STEPS, parts of a step around the best of the turns tried: (5, 3) to its coefficients."""
_OTHER_SENSE = 6.0
"""A sense is believed that is better than the other by so much, in units of -2 log of likelihood."""
_UNEVEN = {2: 0.012, 4: 0.005, 6: 0.003}
"""Usual size of what is not alike about the stem-calyx axis: an oval or lobed equator, a high shoulder."""
_N_AXES = 1500
_LOW = 0.3
"""Quantile of all widths that is taken for the usual one: leaves make many too wide, little makes them too narrow."""
_BLOCK = 4
"""Fruit measured at a time: their arrays stay in the cache."""


class LieSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How fruit use to lie and turn on a line: the reference line's, of its level `changing`.

    turn_spread: SD from fruit to fruit of the turn per pulse, as a share of the nominal one. axis_sd_deg: SD of the
    stem-calyx axis from the turning axis. any_axis_share: of fruit that lie any way instead.
    """

    turn_spread: float = 0.15
    axis_sd_deg: float = 15.0
    any_axis_share: float = 0.3


class Lie(NamedTuple):
    """How n fruit lay while they were seen in v views with k callipers each.

    axis: (n, 3) the stem-calyx axis, either way round, in the frame that turns with the fruit. towards: (n, v, k, 3)
    direction of every calliper in that frame. trust: (n, v, k) 0..1, how far each is believed. turn_rad_per_pulse:
    (n,) without its sense. turn_doubt: (n,) its standard error as a share of it; inf where its sense is doubtful, for
    with the other sense the turn would be another.
    """

    axis: Values
    towards: Values
    trust: Values
    turn_rad_per_pulse: Values
    turn_doubt: Values


def outline_trust(hollow: Values, doubtful_hollow: float) -> Values:
    """0..1 of outlines whose hulls are empty by these shares: half where the share is doubtful; NaN stays."""
    return np.asarray(1.0 / (1.0 + (np.maximum(hollow, 0.0) / doubtful_hollow) ** 2))


def lies(
    widths_mm: Values,
    towards: Values,
    pulses: NDArray[np.int64],
    trust: Values,
    turn_rad_per_pulse: Values,
    settings: LieSettings = LieSettings(),
) -> Lie:
    """The lie of n fruit, n > 0.

    widths_mm: (n, v, k); towards: (n, v, k, 3) unit vectors in the world; pulses: (n, v); trust: (n, v) 0..1 of each
    view, 0 where there is none. turn_rad_per_pulse: (n,) what is nominal for each fruit.
    """
    found = []
    for start in range(0, len(widths_mm), _BLOCK):  # a loop over blocks of fruit: the arrays of all are megabytes each
        rows = slice(start, start + _BLOCK)
        nominal = turn_rad_per_pulse[rows]
        found.append(_lies(widths_mm[rows], towards[rows], pulses[rows], trust[rows], nominal, settings))
    return Lie(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def lies_turning(
    widths_mm: Values, towards: Values, turned_rad: Values, trust: Values, settings: LieSettings = LieSettings()
) -> tuple[Values, Values, Values]:
    """axis, towards and trust, as of `Lie`, of n fruit whose turn in each view, (n, v) with its sense, is known."""
    return _lying(_shares(widths_mm, trust), towards, turned_rad, trust, settings)


def _lies(
    widths_mm: Values,
    towards: Values,
    pulses: NDArray[np.int64],
    trust: Values,
    nominal: Values,
    settings: LieSettings,
) -> Lie:
    share, pulse = _shares(widths_mm, trust), _from_middle(pulses, trust > 0)
    rate, doubt = _turn_rates(share, towards, pulse, trust, nominal, settings)
    axis, turned, believed = _lying(share, towards, rate[:, None] * pulse, trust, settings)
    return Lie(axis, turned, believed, np.abs(rate), doubt)


def _shares(widths_mm: Values, trust: Values) -> Values:
    """Widths as shares of each fruit's usual one, less 1; 0 where there is no view."""
    seen = trust > 0
    known = np.where(seen[:, :, None], widths_mm, np.nan).reshape(len(widths_mm), -1)
    usual = np.where(seen.any(axis=1), quantile(known, _LOW), 1.0)
    return np.where(seen[:, :, None], widths_mm / usual[:, None, None] - 1.0, 0.0)


def _lying(
    share: Values, towards: Values, turned_rad: Values, trust: Values, settings: LieSettings
) -> tuple[Values, Values, Values]:
    n, v, k = share.shape
    turned = _turned(towards, turned_rad)
    made = map_columns(turned.reshape(n, v * k, 3), _MAP_DEGREE)
    each = np.repeat(trust, k, axis=1)
    coefficients, residual = robust_fit(made, share.reshape(n, -1), each, calm(_MAP_DEGREE), _MAP_SCALES)
    return _most_alike_axis(coefficients, settings), turned, (each * belief(residual, 1.0)).reshape(n, v, k)


def _from_middle(pulses: NDArray[np.int64], seen: NDArray[np.bool_]) -> Values:
    """Pulses from the middle of each fruit's views; 0 where there is no view."""
    first = np.where(seen, pulses, np.iinfo(np.int64).max).min(axis=1)
    last = np.where(seen, pulses, np.iinfo(np.int64).min).max(axis=1)
    return np.where(seen, pulses - (first + (last - first) // 2)[:, None], 0).astype(np.float64)


def _turned(towards: Values, turn_rad: Values) -> Values:
    """World directions (n, v, k, 3) in a frame turned by (n, v) about y."""
    c, s = np.cos(turn_rad)[:, :, None], np.sin(turn_rad)[:, :, None]
    x, y, z = towards[..., 0], towards[..., 1], towards[..., 2]
    return np.stack([c * x - s * z, y, s * x + c * z], axis=-1)


# -- the turn ----------------------------------------------------------------------------------------------------------


def _turn_rates(
    share: Values, towards: Values, pulse: Values, trust: Values, nominal: Values, settings: LieSettings
) -> tuple[Values, Values]:
    """Turn per pulse with its sense, rad (n,), and its standard error as a share."""
    search = _TurnSearch(share[:, :, ::_EVERY], towards[:, :, ::_EVERY], pulse, trust)
    row = np.arange(len(share))
    tried = nominal[:, None] * _TURN_SHARES
    unusual = np.broadcast_to(((_TURN_SHARES - 1.0) / settings.turn_spread) ** 2, tried.shape)
    width = tried[:, 1] - tried[:, 0]
    rates, costs, bends = [], [], []
    for sense in (1.0, -1.0):
        cost = search.misfit(sense * tried, _ROUGH_SCALES) + unusual
        best = cost.argmin(axis=1)
        rate, beyond = sense * tried[row, best], unusual[row, best]
        near = rate[:, None] + width[:, None] * _FINE_STEPS
        bend, slope, least = (search.misfit(near, _SEARCH_SCALES) @ _PARABOLA).T
        further = np.clip(-slope / (2.0 * np.maximum(bend, 1e-9)), _FINE_STEPS[0], _FINE_STEPS[-1])
        rates.append(rate + further * width)
        costs.append(least + (slope + bend * further) * further + beyond)
        bends.append(2.0 * bend / width**2)
    better = (costs[1] < costs[0]).astype(int)
    rate, bend = np.stack(rates)[better, row], np.stack(bends)[better, row]
    doubt = np.sqrt(2.0 / np.maximum(bend, 1e-9)) / np.maximum(np.abs(rate), 1e-9)
    doubt[np.abs(costs[1] - costs[0]) < _OTHER_SENSE] = np.inf
    return rate, doubt


class _TurnSearch:
    """How badly the views agree on one map if the fruit turned so and so fast."""

    def __init__(self, share: Values, towards: Values, pulse: Values, trust: Values) -> None:
        n, _, k = share.shape
        self._values = share.reshape(n, 1, -1).astype(np.float32)
        self._trust = np.repeat(trust, k, axis=1)[:, None].astype(np.float32)
        self._legendre = legendre(_SEARCH_DEGREE, towards[..., 1].reshape(n, 1, -1).astype(np.float32))
        self._longitude = longitude(towards)[:, None].astype(np.complex64)
        self._pulse = pulse

    def misfit(self, rates: Values, scales: tuple[float, ...]) -> Values:
        """(n, r) turns per pulse -> (n, r), like -2 log of their likelihood. scales: as of `robust_fit`."""
        back = np.exp(-1j * rates[:, :, None] * self._pulse[:, None, :]).astype(np.complex64)
        around = (self._longitude * back[..., None]).reshape(*rates.shape, -1)
        made = columns(self._legendre, around, _SEARCH_DEGREE)
        ridge = calm(_SEARCH_DEGREE).astype(np.float32)
        coefficients, residual = robust_fit(made, self._values, self._trust, ridge, scales)
        off = OUTLIER**2 * (self._trust * np.log1p(far_off(residual, 1.0))).sum(axis=-1)
        return np.asarray(_TOGETHER * off + (coefficients**2 * ridge).sum(axis=-1) / NOISE**2, np.float64)


# -- the axis ----------------------------------------------------------------------------------------------------------


def _half_sphere(n: int) -> Values:
    """(n, 3) unit vectors spread evenly over the half of the sphere with y > 0 (golden spiral)."""
    height = (np.arange(n) + 0.5) / n
    turn = np.pi * (1.0 + np.sqrt(5.0)) * np.arange(n)
    flat = np.sqrt(1.0 - height**2)
    return np.stack([flat * np.sin(turn), height, flat * np.cos(turn)], axis=1)


_AXES = _half_sphere(_N_AXES)
_AXIS_COLUMNS = map_columns(_AXES, _MAP_DEGREE)
_DEGREE = np.array([l for l, _ in orders(_MAP_DEGREE)])
_NEAR = np.array([(i, j) for i in range(-2, 3) for j in range(-2, 3)], np.float64)
_NEAR_RAD = np.radians(1.5)
"""Steps around the best of `_AXES`, which lie 3.7 degrees apart."""
_PARABOLOID = np.linalg.pinv(
    np.column_stack([np.ones(len(_NEAR)), _NEAR, _NEAR[:, 0] ** 2, _NEAR[:, 0] * _NEAR[:, 1], _NEAR[:, 1] ** 2])
).T
"""(25, 6): costs around the best axis to the coefficients of a paraboloid."""


def _most_alike_axis(coefficients: Floats, settings: LieSettings) -> Values:
    """(n, 3): the axis about which the map is most alike all round, in view of how fruit use to lie: near the best of
    `_AXES`, where a paraboloid through what lies around that one is lowest."""
    usual = _unusual(_AXES, settings)
    axis = _AXES[(usual + _unlike(coefficients[:, None, :], _AXIS_COLUMNS)[:, 0]).argmin(axis=1)]
    one, two = across(axis)
    around = axis[:, None] + _NEAR_RAD * (_NEAR[:, :1] * one[:, None] + _NEAR[:, 1:] * two[:, None])
    around /= np.linalg.norm(around, axis=-1, keepdims=True)
    cost = _unusual(around, settings) + _unlike(coefficients[:, None, :], map_columns(around, _MAP_DEGREE))[:, 0]
    slope_one, slope_two, bend_one, twist, bend_two = (cost @ _PARABOLOID)[:, 1:].T
    hollow = 4.0 * bend_one * bend_two - twist**2
    is_bowl = (bend_one > 0) & (hollow > 1e-12)
    safe = np.where(is_bowl, hollow, 1.0)
    steps = np.stack(
        [twist * slope_two - 2.0 * bend_two * slope_one, twist * slope_one - 2.0 * bend_one * slope_two], axis=1
    )
    steps = np.where(is_bowl[:, None], np.clip(steps / safe[:, None], -2.0, 2.0), _NEAR[cost.argmin(axis=1)])
    lowest = axis + _NEAR_RAD * (steps[:, :1] * one + steps[:, 1:] * two)
    return np.asarray(lowest / np.linalg.norm(lowest, axis=1, keepdims=True))


def _unlike(coefficients: Floats, columns: Floats) -> Values:
    """How little alike a map is about axes, by how uneven fruit are: (..., 1, columns) and the harmonics of the axes
    (..., columns, axes) -> (..., 1, axes).

    Of degree l, what is alike about an axis a has the power 4 pi / (2 l + 1) (sum over m of c_lm Y_lm(a))^2: the
    addition theorem of spherical harmonics.
    """
    cost = np.zeros(())
    for l, uneven in _UNEVEN.items():
        mine = _DEGREE == l
        of_degree = coefficients[..., mine]
        alike = (of_degree @ columns[..., mine, :]) ** 2 * (4.0 * np.pi / (2 * l + 1))
        cost = cost + ((of_degree**2).sum(axis=-1, keepdims=True) - alike) / uneven**2
    return np.asarray(cost)


def _unusual(axes: Values, settings: LieSettings) -> Values:
    """-2 log of how often a fruit lies along each of (..., 3) axes, up to a constant."""
    sd = np.radians(settings.axis_sd_deg)
    leaning = np.arccos(np.minimum(np.abs(axes[..., 1]), 1.0))
    near = np.exp(-0.5 * (leaning / sd) ** 2) / sd**2
    return np.asarray(-2.0 * np.log(settings.any_axis_share + (1.0 - settings.any_axis_share) * near))
