"""Which outlet of its product a fruit goes to: each outlet of a lane gets its share, fruit by fruit.

The next fruit goes to the outlet that is furthest behind its share: the one with the least (fruit it had + 1/2) /
weight (Sainte-Laguë's divisors, which deal out seats and turns alike). That needs no memory but one number per outlet,
so a batch cut in two is allocated as the whole; and many fruit at once are the least keys of a merge, so there is no
loop over fruit. Keys are whole numbers: sums in floating point would drift apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from grader.domain.decisions import DEFAULT_OUTLET

Full = frozenset[tuple[int, int]]
"""(lane, outlet) that can take no more."""


@dataclass(frozen=True, slots=True)
class ProductOutlets:
    """Outlets of every product, best place first, and how far a fruit moves an outlet's key.

    outlets: (n_products, most) int16, filled up with the default outlet. strides: the same shape, int64:
    inverse to the weight; 0 where filled up.
    """

    outlets: NDArray[np.int16]
    strides: NDArray[np.int64]

    @classmethod
    def of(cls, weights: Sequence[dict[int, int]]) -> Self:
        """From outlet to weight, whole numbers from 1 to 20, per product."""
        shape = (len(weights), max((len(outlets) for outlets in weights), default=0))
        outlets, strides = np.full(shape, DEFAULT_OUTLET, np.int16), np.zeros(shape, np.int64)
        for row, of_product in enumerate(weights):
            # Twice the least common multiple, so that half a stride is whole too.
            whole = 2 * math.lcm(*of_product.values())
            for column, (outlet, weight) in enumerate(of_product.items()):
                outlets[row, column], strides[row, column] = outlet, whole // weight
        return cls(outlets, strides)


@dataclass(frozen=True, slots=True)
class Allocation:
    """What the outlets have had. next_key: (lanes, n_products, most) int64, of each outlet's next fruit;
    last_key: (lanes, n_products) int64, of the latest fruit: no outlet may be further behind than that."""

    next_key: NDArray[np.int64]
    last_key: NDArray[np.int64]

    @classmethod
    def fresh(cls, products: ProductOutlets, lanes: int) -> Self:
        """Before the first fruit of a lot."""
        return cls(
            next_key=np.repeat(products.strides[None] // 2, lanes, axis=0),
            last_key=np.zeros((lanes, len(products.outlets)), np.int64),
        )


def allocate(
    products: ProductOutlets,
    lane: NDArray[np.int16],
    product: NDArray[np.int16],
    state: Allocation,
    full: Full = frozenset(),
) -> tuple[NDArray[np.int16], Allocation]:
    """Outlet of each fruit (n,) int16, and the state after them. Rows are in the order of the belt.

    lane (n,), product (n,) as `Grades.product`; -1 gets the default outlet, as does a fruit whose
    outlets in its lane are all full. An outlet that was full does not catch up when it is free again.
    """
    chosen = np.full(len(product), DEFAULT_OUTLET, np.int16)
    if not len(chosen):
        return chosen, state
    next_key, last_key = state.next_key.copy(), state.last_key.copy()
    n_products = len(products.outlets)
    cells = np.where(product >= 0, lane.astype(np.int64) * n_products + product, -1)
    order = np.argsort(cells, kind="stable")
    found, starts = np.unique(cells[order], return_index=True)
    # A loop over the (lane, product) pairs at hand, a few dozen at most, not over fruit.
    for cell, rows in zip(found.tolist(), np.split(order, starts[1:]), strict=True):
        if cell < 0:
            continue
        at_lane, at_product = divmod(cell, n_products)
        strides, outlets = products.strides[at_product], products.outlets[at_product]
        open_ = [
            column
            for column, (outlet, stride) in enumerate(zip(outlets.tolist(), strides.tolist(), strict=True))
            if stride and (at_lane, outlet) not in full
        ]
        if not open_:
            continue
        first = np.maximum(next_key[at_lane, at_product, open_], last_key[at_lane, at_product])
        keys = first[:, None] + np.arange(len(rows)) * strides[open_][:, None]
        taken = np.argsort(keys, axis=None, kind="stable")[: len(rows)]  # outlet-major: of equals the first listed
        turn = taken // len(rows)
        chosen[rows] = outlets[np.array(open_)[turn]]
        next_key[at_lane, at_product, open_] = first + np.bincount(turn, minlength=len(open_)) * strides[open_]
        last_key[at_lane, at_product] = keys.ravel()[taken[-1]]
    return chosen, Allocation(next_key, last_key)
