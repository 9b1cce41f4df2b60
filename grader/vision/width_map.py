"""The widths of a body in every direction, as a smooth map over the sphere.

The width of a body in a direction is the distance between the two planes across it that just hold the body; it is the
same both ways, so the map is made of spherical harmonics of even degree, with their pole at y, the turning axis. All
widths here are shares of a fruit's usual width less 1, so that one set of numbers holds for all sizes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Floats = NDArray[Any]  # float32 while a turn is sought, float64 afterwards
Legendre = dict[tuple[int, int], Floats]

NOISE = 0.004
"""Error of one width in one view: 0.3 mm of 75."""
OUTLIER = 3.0
"""A width so many errors off the map counts a third of what it would on it; twice as many where it is too small, for
leaves, labels and stalks make outlines wider, little makes them narrower."""
_USUAL = {0: 1.0, 2: 0.08, 4: 0.02, 6: 0.007}
"""Usual size of a coefficient of each degree: keeps the map calm in directions that no view showed."""


def across(axis: Values) -> tuple[Values, Values]:
    """Two unit vectors across each axis (n, 3), and across each other."""
    helper = np.where(np.abs(axis[:, :1]) < 0.8, np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    one = np.cross(axis, helper)
    one /= np.linalg.norm(one, axis=1, keepdims=True)
    return one, np.cross(axis, one)


def orders(degree: int) -> list[tuple[int, int]]:
    """(l, m) of every column of a map, m < 0 for the sines: even l up to degree."""
    return [(l, m) for l in range(0, degree + 1, 2) for k in range(l + 1) for m in ((k, -k) if k else (0,))]


def legendre(degree: int, y: Floats) -> Legendre:
    """Normalised associated Legendre functions of the cosine y from the pole, even l and 0 <= m <= l: the usual
    recursion upwards in l (Numerical Recipes, 3rd ed., 6.7)."""
    s = np.sqrt(np.maximum(1.0 - y * y, 0.0))
    table: Legendre = {}
    top = np.full_like(y, np.sqrt(0.25 / np.pi))
    for m in range(degree + 1):
        if m:
            top = top * (s * np.sqrt((2 * m + 1) / (2 * m)).astype(y.dtype))
        below, at = np.zeros_like(y), top
        for l in range(m, degree + 1):
            if l > m:
                a = np.sqrt((4 * l * l - 1) / (l * l - m * m)).astype(y.dtype)
                b = np.sqrt(((l - 1) ** 2 - m * m) / (4 * (l - 1) ** 2 - 1)).astype(y.dtype)
                below, at = at, a * (y * at - b * below)
            if l % 2 == 0:
                table[l, m] = at
    return table


def longitude(towards: Floats) -> Floats:
    """exp(i longitude) about y of directions (..., 3)."""
    flat = towards[..., 2] + 1j * towards[..., 0]
    return np.asarray(flat / np.maximum(np.abs(flat), 1e-9))


def columns(table: Legendre, around: Floats, degree: int) -> Floats:
    """Real orthonormal harmonics (..., columns, rows) of directions (..., rows), `orders(degree)` of them.

    table, around: `legendre` and `longitude` of the directions.
    """
    waves = [np.ones_like(around), np.sqrt(2.0).astype(around.real.dtype) * around]
    for _ in range(2, degree + 1):
        waves.append(waves[-1] * around)
    of_order = orders(degree)
    made = np.empty((*around.shape[:-1], len(of_order), around.shape[-1]), around.real.dtype)
    for column, (l, m) in enumerate(of_order):
        wave = waves[abs(m)].real if m >= 0 else waves[-m].imag
        np.multiply(table[l, abs(m)], wave, out=made[..., column, :])
    return made


def map_columns(towards: Values, degree: int) -> Values:
    """The same from directions (..., rows, 3) alone."""
    return np.asarray(columns(legendre(degree, towards[..., 1]), longitude(towards), degree))


def calm(degree: int) -> Values:
    """Diagonal of the matrix that a fit adds for `_USUAL`."""
    return np.array([(NOISE / _USUAL[l]) ** 2 for l, _ in orders(degree)])


def solved(made: Floats, values: Floats, weight: Floats, ridge: Floats) -> Floats:
    """Weighted least squares: made (..., columns, rows), values and weight (..., rows), ridge (columns,)."""
    weighted = made * weight[..., None, :]
    normal = weighted @ np.swapaxes(made, -1, -2) + np.diag(ridge)
    return np.asarray(np.linalg.solve(normal, weighted @ values[..., None])[..., 0])


def predicted(made: Floats, coefficients: Floats) -> Floats:
    """Values (..., rows) of a fit."""
    return np.asarray((coefficients[..., None, :] @ made)[..., 0, :])


def far_off(residual: Floats, scale: float) -> Floats:
    """Squared distance in units of what is still believed; scale widens that."""
    limit = np.where(residual > 0, OUTLIER, 2.0 * OUTLIER).astype(residual.dtype) * (NOISE * scale)
    return np.asarray((residual / limit) ** 2)


def belief(residual: Floats, scale: float) -> Floats:
    """Weight 0..1 of widths so far off: Cauchy's, steeper, so that what is very far off does not pull at all."""
    return np.asarray((1.0 + far_off(residual, scale)) ** -1.5)


def robust_fit(
    made: Floats, values: Floats, trust: Floats, ridge: Floats, scales: tuple[float, ...]
) -> tuple[Floats, Floats]:
    """Coefficients and residuals of a fit that leaves out more and more of what does not agree with it.

    trust: (..., rows) 0..1 before anything is fitted. scales: of `far_off`, a round each, falling, so that the fit is
    not caught by what lies beside the fruit; the first round judges values against 0.
    """
    residual = values
    for scale in scales:
        coefficients = solved(made, values, trust * belief(residual, scale), ridge)
        residual = values - predicted(made, coefficients)
    return coefficients, residual


def quantile(values: Values, share: float) -> Values:
    """Quantile of (n, m) along each row, between neighbours by a straight line, NaN left out; NaN where all are."""
    ordered = np.sort(values, axis=1)  # NaN last
    known = np.isfinite(ordered).sum(axis=1)
    place = share * np.maximum(known - 1, 0)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(known - 1, 0))
    row = np.arange(len(values))
    below, above = ordered[row, low], ordered[row, high]
    return np.asarray(below + (above - below) * (place - low))
