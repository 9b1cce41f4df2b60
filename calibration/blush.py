"""Where blush ends: the hue up to which skin is called blush, so that the station says what people say.

Somebody who grades by eye says of some fruit how much of their skin is blush. One number is fitted to that. How far off
the station will be on fruit that nobody marked, the marked ones tell: each is measured by the hue that all others give.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.domain.colour import HUES_FROM_DEG, N_HUES, USUAL_BLUSH_TO_DEG
from grader.errors import GraderError
from grader.vision.hues import blush_of

Values = NDArray[np.float64]

LEAST_MARKED = 10
"""Of fewer fruit one odd opinion moves the number by degrees."""
_STEP_DEG = 0.5
_AS_GOOD, _TOO_WIDE_DEG = 0.01, 30.0
"""Hues whose RMSE is so little above that of the best serve as well; where they reach so far, nothing was told."""
_LEAST_SURE_DEG = 6.0
"""Standard error of a number that is worth setting."""


class BlushFit(NamedTuple):
    """to_deg, with its standard error: CIELAB hue angle (D65) at which blush ends. measured: (n,) shares of the marked
    fruit by it. RMSE of such shares from those that people said: rmse, of each fruit by the hue that all others give;
    rmse_usual, by USUAL_BLUSH_TO_DEG."""

    to_deg: float
    to_deg_se: float
    measured: Values
    rmse: float
    rmse_usual: float


def fit_blush(tones: NDArray[np.float32], marked: Values) -> BlushFit:
    """Fit by least squares. tones: (n, 4, N_HUES) as in `FruitMeasurements`; marked: (n,) shares that people said.

    Raises GraderError where the fruit do not tell.
    """
    n = len(marked)
    ends = np.arange(HUES_FROM_DEG + _STEP_DEG, HUES_FROM_DEG + N_HUES, _STEP_DEG)
    squares = np.stack([np.square(blush_of(tones, end) - marked) for end in ends], axis=1)  # (n, ends)
    whole = squares.sum(axis=0)
    serve = ends[np.sqrt(whole / n) < np.sqrt(whole.min() / n) + _AS_GOOD]
    if np.ptp(serve) > _TOO_WIDE_DEG or serve[0] == ends[0] or serve[-1] == ends[-1]:
        raise GraderError(
            f"any hue from {serve[0]:g} to {serve[-1]:g} degrees agrees with what was marked: mark fruit that have "
            "both, much blush and much ground colour"
        )
    without_each = np.array([_best(ends, whole - of_fruit) for of_fruit in squares])
    to_deg = _best(ends, whole)
    others = [blush_of(of_fruit, end) for of_fruit, end in zip(tones, without_each, strict=True)]
    rmse = _rmse(np.array(others) - marked)
    if rmse >= marked.std():
        raise GraderError(
            f"what was marked does not go with what is seen: {100 * rmse:.0f} points off, as one share for all would "
            "be. Are lanes and cups those of the fruit that were looked at?"
        )
    se = float(np.sqrt((n - 1) / n * np.square(without_each - without_each.mean()).sum()))  # jackknife
    if se > _LEAST_SURE_DEG:
        raise GraderError(f"blush ends at {to_deg:g} degrees or {se:.0f} beside it: mark more fruit")
    return BlushFit(
        to_deg=to_deg,
        to_deg_se=se,
        measured=blush_of(tones, to_deg),
        rmse=rmse,
        rmse_usual=_rmse(blush_of(tones, USUAL_BLUSH_TO_DEG) - marked),
    )


def _best(ends: Values, squares: Values) -> float:
    """The middle of all that are best alike: where no skin has these hues, each of them is."""
    best = ends[squares <= squares.min() + 1e-12]
    return float((best[0] + best[-1]) / 2)


def _rmse(off: Values) -> float:
    return float(np.sqrt(np.square(off).mean()))
