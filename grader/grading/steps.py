"""Values and limits as whole numbers of steps: how a comparison becomes exact.

A value is compared as a whole number of steps: 0.4137 at four decimals is 4137, a limit of 0.5 is 5000. So >= and <=
are exact, and a limit between two steps means the step inside it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grader.domain.fruit import QUANTITIES

Numbers = NDArray[np.float64]

_SLACK = 1e-6
"""Steps by which a limit may miss a whole step and still mean it: 0.29 * 100 is 28.999999999999996."""


def table_step(quantities: tuple[str, ...]) -> float:
    """One unit of the last decimal of the table; for a sum, of its finest term."""
    return float(10.0 ** -max(QUANTITIES[name].decimals for name in quantities))


def in_steps(values: Numbers, step: float) -> Numbers:
    """Values as multiples of a step, not yet rounded.

    By the whole number of steps per unit where there is one: that product is the one that np.round
    makes, so that the steps are exactly the digits of the table.
    """
    per_unit = round(1.0 / step)
    if per_unit >= 1 and abs(per_unit * step - 1.0) < 1e-9:
        return values * float(per_unit)
    return values / step


def first_step(limits: Numbers, step: float) -> Numbers:
    """The least whole step that is at or above each limit."""
    return np.ceil(in_steps(limits, step) - _SLACK)


def last_step(limits: Numbers, step: float) -> Numbers:
    """The largest whole step that is at or below each limit."""
    return np.floor(in_steps(limits, step) + _SLACK)


def band_steps(from_: float | None, to: float | None, below: float | None, step: float) -> tuple[float, float]:
    """First and last step of a size band, both inclusive, infinite where it is open; `below` is not part of it."""
    first = -np.inf if from_ is None else float(first_step(np.array(from_), step))
    if below is not None:
        return first, float(first_step(np.array(below), step)) - 1.0
    return first, np.inf if to is None else float(last_step(np.array(to), step))
