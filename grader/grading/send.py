"""Where each graded fruit goes: samples first, then the outlets of its product in turn, around those that are full.

What fruit are worth does not change here: one that a full outlet cannot take is of its class all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from grader.domain.decisions import DEFAULT_OUTLET
from grader.grading.allocate import Allocation, allocate
from grader.grading.compiled import CompiledSheet
from grader.grading.judge import Grades


@dataclass(frozen=True, slots=True)
class Turns:
    """Whose turn it is, in one lot. allocation: of the outlets of a product. counted: fruit so far, by index of the
    class, of those that are sampled."""

    allocation: Allocation
    counted: dict[int, int]

    @classmethod
    def fresh(cls, sheet: CompiledSheet, lanes: int) -> Self:
        """Before the first fruit of a lot."""
        return cls(Allocation.fresh(sheet.outlets, lanes), dict.fromkeys(sheet.samples, 0))


class Sent(NamedTuple):
    """outlet: (n,) int16. why: per fruit, texts; empty where a fruit goes as its product says. turns: after them."""

    outlet: NDArray[np.int16]
    why: list[tuple[str, ...]]
    turns: Turns


def send(
    sheet: CompiledSheet,
    lane: NDArray[np.int16],
    cup: NDArray[np.int64],
    grades: Grades,
    turns: Turns,
    outlets_full: frozenset[int] = frozenset(),
) -> Sent:
    """The outlet of every fruit of a lot. A batch cut in two at a cup is sent as the whole.

    lane, cup: (n,), each lane in the order of the belt. A sample that finds its outlet full goes as its product says.
    Nothing that is sent to a sample's outlet takes a turn of its product.
    """
    why: list[tuple[str, ...]] = [()] * len(grades)
    samples, counted = _samples(sheet, lane, cup, grades, turns.counted)
    for row in np.flatnonzero(samples).tolist():  # a loop over samples, few by their nature
        every, of = sheet.samples[int(grades.grade[row])].every, sheet.class_name(int(grades.grade[row]))
        why[row] = (f"sample: one in {every} of {of}",)
        if samples[row] in outlets_full:
            why[row] = (f"sample: not taken, outlet {samples[row]} is full",)
            samples[row] = DEFAULT_OUTLET
    product = np.where(samples == DEFAULT_OUTLET, grades.product, np.int16(-1))
    lanes = len(turns.allocation.last_key)
    full = frozenset((at_lane, outlet) for at_lane in range(lanes) for outlet in outlets_full)
    outlets, allocation = allocate(sheet.outlets, lane, product, turns.allocation, full)
    if outlets_full:
        missing = [_full_of(of_product, outlets_full) for of_product in sheet.outlets.outlets.tolist()]
        for row in np.flatnonzero(product >= 0).tolist():  # only while an outlet is full
            why[row] += missing[product[row]]
    return Sent(np.where(samples == DEFAULT_OUTLET, outlets, samples), why, Turns(allocation, counted))


def _samples(
    sheet: CompiledSheet, lane: NDArray[np.int16], cup: NDArray[np.int64], grades: Grades, counted: dict[int, int]
) -> tuple[NDArray[np.int16], dict[int, int]]:
    """The outlet of each fruit that is a sample, else the default outlet; fruit of each sampled class after them."""
    outlet = np.full(len(grades), DEFAULT_OUTLET, np.int16)
    if not sheet.samples:
        return outlet, counted
    along_the_belt = np.lexsort((lane, cup))
    after = dict(counted)
    for index, sampling in sheet.samples.items():
        rows = along_the_belt[grades.grade[along_the_belt] == index]
        turn = counted[index] + 1 + np.arange(len(rows))
        outlet[rows[turn % sampling.every == 0]] = sampling.outlet
        after[index] += len(rows)
    return outlet, after


def _full_of(of_product: list[int], outlets_full: frozenset[int]) -> tuple[str, ...]:
    """What to say of a product's outlets, the best place first."""
    full = [str(outlet) for outlet in of_product if outlet in outlets_full]
    return (f"outlet: {', '.join(full)} {'is' if len(full) == 1 else 'are'} full",) if full else ()
