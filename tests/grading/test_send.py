"""Samples and full outlets: where fruit go beside the turns of their product, and what is said of it."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.domain.fruit import FruitMeasurements
from grader.grading.compiled import CompiledSheet, compiled
from grader.grading.judge import grade
from grader.grading.send import Sent, Turns, send
from grader.grading.sheet import Sheet

LANES, EVERY = 3, 4
RED, ANY = 0.9, 0.1  # blush

Fruit = list[tuple[int, int, float]]
"""Cup, lane, blush."""


def a_sheet(**changes: Any) -> CompiledSheet:
    known: dict[str, Any] = {
        "name": "Shop",
        "fruit": "apple",
        "standard": "by telephone",
        "edition": "1",
        "status": "project_default",
        "classes": [{"name": "Red", "limits": {"blush_fraction": {"min": 0.5}}}, {"name": "Any"}],
        "products": [
            {"name": "Red apples", "classes": ["Red"], "outlets": [2, 3]},
            {"name": "Juice", "classes": ["Any"], "outlets": [4]},
        ],
        "sampling": [{"class": "Red", "every": EVERY, "outlet": 8}],
    }
    return compiled(msgspec.convert(known | changes, Sheet))


def sent(sheet: CompiledSheet, fruit: Fruit, turns: Turns, full: frozenset[int] = frozenset()) -> Sent:
    """Fruit of a batch, as the line has them: lane by lane."""
    cup, lane, blush = zip(*sorted(fruit, key=lambda each: (each[1], each[0])), strict=True) if fruit else ((), (), ())
    rows = FruitMeasurements.unmeasured(
        np.array(lane, np.int16), np.array(cup, np.int64), blush_fraction=np.array(blush, np.float64)
    )
    return send(sheet, rows.lane, rows.cup, grade(sheet, rows), turns, full)


def in_a_row(blush: list[float]) -> Fruit:
    return [(cup, 0, each) for cup, each in enumerate(blush)]


def test_every_nth_fruit_of_a_class_is_a_sample_and_takes_no_turn_of_its_product() -> None:
    sheet = a_sheet()
    outlet, why, turns = sent(sheet, in_a_row([RED, ANY, RED, RED, RED, RED, ANY, RED]), Turns.fresh(sheet, LANES))
    assert outlet.tolist() == [2, 4, 3, 2, 8, 3, 4, 2]
    assert why[4] == ("sample: one in 4 of Red",)
    assert [text for row, text in enumerate(why) if row != 4] == [()] * 7
    assert turns.counted == {0: 6}


def test_samples_are_counted_over_all_lanes_in_the_order_of_the_belt() -> None:
    sheet = a_sheet()
    fruit = [(cup, lane, RED) for cup in range(4) for lane in range(LANES)]
    outlet = sent(sheet, fruit, Turns.fresh(sheet, LANES)).outlet.reshape(LANES, 4).T.ravel()  # in that order
    assert np.flatnonzero(outlet == 8).tolist() == [3, 7, 11]


def test_a_sample_whose_outlet_is_full_goes_as_its_product_says() -> None:
    sheet = a_sheet()
    outlet, why, turns = sent(sheet, in_a_row([RED] * 5), Turns.fresh(sheet, LANES), frozenset({8}))
    assert outlet.tolist() == [2, 3, 2, 3, 2]
    assert why == [(), (), (), ("sample: not taken, outlet 8 is full",), ()]
    assert sent(sheet, in_a_row([RED] * 3), turns).outlet.tolist() == [3, 2, 8]


def test_what_is_said_of_full_outlets_names_those_of_the_fruits_own_product() -> None:
    sheet = a_sheet()
    turns = Turns.fresh(sheet, LANES)
    outlet, why, _ = sent(sheet, in_a_row([RED, ANY]), turns, frozenset({3, 5}))
    assert (outlet.tolist(), why) == ([2, 4], [("outlet: 3 is full",), ()])
    outlet, why, _ = sent(sheet, in_a_row([RED, ANY]), turns, frozenset({2, 3, 4}))
    assert (outlet.tolist(), why) == ([0, 0], [("outlet: 2, 3 are full",), ("outlet: 4 is full",)])


def test_a_fruit_of_no_class_is_no_sample_and_full_outlets_do_not_concern_it() -> None:
    sheet = a_sheet(classes=[{"name": "Red", "limits": {"blush_fraction": {"min": 0.5}}}], products=[])
    outlet, why, turns = sent(sheet, in_a_row([ANY] * 9), Turns.fresh(sheet, LANES), frozenset({1, 8}))
    assert (set(outlet.tolist()), set(why), turns.counted) == ({0}, {()}, {0: 0})


@settings(derandomize=True, max_examples=100, deadline=None)
@given(
    places=st.sets(st.tuples(st.integers(0, 20), st.integers(0, LANES - 1)), max_size=50),
    red=st.integers(0, 2**63),
    cuts=st.sets(st.integers(0, 20), max_size=6),
    full=st.frozensets(st.sampled_from([2, 3, 4, 8]), max_size=2),
)
def test_cutting_a_batch_at_a_cup_sends_no_fruit_elsewhere(
    places: set[tuple[int, int]], red: int, cuts: set[int], full: frozenset[int]
) -> None:
    sheet = a_sheet()
    fruit = [(cup, lane, RED if red >> (cup * LANES + lane) & 1 else ANY) for cup, lane in sorted(places)]

    def in_pieces(edges: list[int]) -> tuple[dict[tuple[int, int], tuple[int, tuple[str, ...]]], dict[int, int]]:
        turns, found = Turns.fresh(sheet, LANES), {}
        for first, last in zip([-1, *edges], [*edges, 21], strict=True):
            batch = [each for each in fruit if first < each[0] <= last]
            outlet, why, turns = sent(sheet, batch, turns, full)
            keys = sorted((lane, cup) for cup, lane, _ in batch)
            found.update(zip(keys, zip(outlet.tolist(), why, strict=True), strict=True))
        return found, turns.counted

    assert in_pieces(sorted(cuts)) == in_pieces([])
