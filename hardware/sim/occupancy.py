"""Which fruit lies in which cup."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hardware.sim.draws import keyed

EMPTY = -1


def filled_cups(
    seed: int, *, fruit: int, passes: int, lanes: int, empty_share: float, loop_cups: int | None
) -> NDArray[np.int64]:
    """(cups, lanes) the number of the fruit in each cup, EMPTY for none.

    Fruit 0, 1, 2 ... are laid over the lanes, cup by cup, leaving some cups empty; every pass lays the same fruit
    again. With loop_cups that many cups are filled once, whatever `fruit` says; the caller repeats them.
    """
    rng = keyed(seed, "occupancy")
    if loop_cups is not None:
        taken = rng.random(loop_cups * lanes) >= empty_share
        fruits = int(taken.sum())
    else:
        fruits = fruit
        taken = np.zeros(0, bool)
        while int(taken.sum()) < fruit * passes:
            taken = np.concatenate([taken, rng.random(4096) >= empty_share])
        last = int(np.flatnonzero(taken)[fruit * passes - 1]) if fruit * passes else -1
        taken = taken[: last + 1]
        taken = np.concatenate([taken, np.zeros(-len(taken) % lanes, bool)])
    number = np.where(taken, (np.cumsum(taken) - 1) % max(fruits, 1), EMPTY)
    return np.asarray(number.reshape(-1, lanes), np.int64)
