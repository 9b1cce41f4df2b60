"""Outlets of one product share its fruit: fairly, the same in one batch or many, and around what is full."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from grader.grading.allocate import Allocation, Full, ProductOutlets, allocate

PRODUCTS = ProductOutlets.of([{1: 1, 2: 1}, {3: 3, 4: 2, 5: 2}, {6: 1}, {7: 20, 8: 1}])
LANES = 3


def fed(lane: list[int], product: list[int], full: Full = frozenset()) -> NDArray[np.int16]:
    state = Allocation.fresh(PRODUCTS, LANES)
    return allocate(PRODUCTS, np.array(lane, np.int16), np.array(product, np.int16), state, full)[0]


def test_two_equal_outlets_take_turns() -> None:
    assert fed([0] * 6, [0] * 6).tolist() == [1, 2, 1, 2, 1, 2]


def test_the_rare_fruit_of_a_small_outlet_comes_in_the_middle_of_its_round() -> None:
    assert np.flatnonzero(fed([0] * 42, [3] * 42) == 8).tolist() == [10, 31]


def test_every_lane_deals_for_itself() -> None:
    assert fed([0, 1, 2, 0, 1, 2], [0] * 6).tolist() == [1, 1, 1, 2, 2, 2]


def test_a_fruit_without_product_goes_to_the_default_outlet_and_takes_no_turn() -> None:
    assert fed([0] * 4, [0, -1, -1, 0]).tolist() == [1, 0, 0, 2]


@pytest.mark.parametrize("product", [0, 1, 3])
def test_no_outlet_is_ever_a_whole_fruit_away_from_its_share(product: int) -> None:
    weights = {0: {1: 1, 2: 1}, 1: {3: 3, 4: 2, 5: 2}, 3: {7: 20, 8: 1}}[product]
    chosen = fed([1] * 700, [product] * 700)
    for outlet, weight in weights.items():
        due = np.arange(1, 701) * weight / sum(weights.values())
        assert np.abs(np.cumsum(chosen == outlet) - due).max() < 1.0


@settings(derandomize=True, max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, LANES - 1), st.integers(-1, 3)), max_size=80),
    cuts=st.lists(st.integers(0, 80), max_size=5),
    full=st.frozensets(st.tuples(st.integers(0, LANES - 1), st.integers(1, 8)), max_size=6),
)
def test_cutting_a_batch_changes_no_outlet(rows: list[tuple[int, int]], cuts: list[int], full: Full) -> None:
    lane = np.array([row[0] for row in rows], np.int16)
    product = np.array([row[1] for row in rows], np.int16)
    whole, end = allocate(PRODUCTS, lane, product, Allocation.fresh(PRODUCTS, LANES), full)
    state, parts = Allocation.fresh(PRODUCTS, LANES), []
    for piece in np.split(np.arange(len(rows)), sorted(min(cut, len(rows)) for cut in cuts)):
        chosen, state = allocate(PRODUCTS, lane[piece], product[piece], state, full)
        parts.append(chosen)
    assert np.concatenate(parts).tolist() == whole.tolist()
    assert np.array_equal(state.next_key, end.next_key) and np.array_equal(state.last_key, end.last_key)
    for at, outlet, of in zip(lane.tolist(), whole.tolist(), product.tolist(), strict=True):
        assert (at, outlet) not in full
        assert outlet in ({0} if of < 0 else {0, *PRODUCTS.outlets[of].tolist()})


def test_what_a_full_outlet_cannot_take_goes_to_its_fellow_and_then_to_the_default_outlet() -> None:
    assert fed([0, 1] * 3, [0] * 6, frozenset({(0, 1)})).tolist() == [2, 1, 2, 2, 2, 1]
    assert fed([0] * 3, [0] * 3, frozenset({(0, 1), (0, 2)})).tolist() == [0, 0, 0]
    assert fed([0] * 2, [2] * 2, frozenset({(0, 6)})).tolist() == [0, 0]


def test_an_outlet_that_was_full_does_not_catch_up() -> None:
    lane, product = np.zeros(200, np.int16), np.zeros(200, np.int16)
    state = Allocation.fresh(PRODUCTS, LANES)
    _, state = allocate(PRODUCTS, lane, product, state, frozenset({(0, 1)}))
    chosen, _ = allocate(PRODUCTS, lane, product, state)
    assert abs(int((chosen[:10] == 1).sum()) - 5) <= 1
    assert abs(int((chosen == 1).sum()) - 100) <= 1


def test_allocating_leaves_the_given_state_as_it_was() -> None:
    state = Allocation.fresh(PRODUCTS, LANES)
    before = state.next_key.copy()
    allocate(PRODUCTS, np.zeros(5, np.int16), np.ones(5, np.int16), state)
    assert np.array_equal(state.next_key, before)


def test_a_line_that_never_stops_does_not_overflow() -> None:
    """The largest stride there can be, after 20 years at 15 fruit a second in one lane."""
    products = ProductOutlets.of([dict(enumerate((20, 19, 17, 16, 13, 11, 9, 7), start=1))])
    fruit = 15 * 3600 * 24 * 365 * 20
    assert int(products.strides.max()) * fruit < 2**63
