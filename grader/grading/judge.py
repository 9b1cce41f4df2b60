"""What each fruit is worth: sheet and measurements in, class, size and product out, and why.

One fruit and a million go through the same function. It works through the rows in pieces that stay in the cache.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from grader.domain.flags import FLAGS, SENDS_TO_DEFAULT
from grader.domain.fruit import FruitMeasurements
from grader.grading.compiled import EVERY_CLASS, Bound, Check, CompiledSheet, owner_name
from grader.grading.sheet import RuleStatus
from grader.grading.steps import Numbers, in_steps, table_step

_ROWS_AT_ONCE = 1 << 14
"""16,384 rows of 8 bytes are 128 KiB a column: measured twice as fast as all of a million at once."""


@dataclass(frozen=True, slots=True)
class Grades:
    """A row per fruit.

    grade: (n,) int8 index of the class, -1: none. size: (n,) int8 index of the size band, -1: none.
    product: (n,) int16, -1: none, the default outlet. missed: (n, n_words) uint64, bit k of word w: rule
    64 w + k of `CompiledSheet.checks` was missed. A fruit that cannot be judged (its flags say so) has no
    class, no size, no product and no missed rules. What the sheet asks and nobody looks at is the same
    for every fruit: `CompiledSheet.not_checked`.
    """

    grade: NDArray[np.int8]
    size: NDArray[np.int8]
    product: NDArray[np.int16]
    missed: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.grade)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a fruit is not better: one comparison that failed.

    class_name: which class it cost, or "every class". rule: what the sheet calls it. value: rounded as
    it was compared, None: not measured. sense: "<" (too little) or ">" (too much). limit: None where it
    goes by a diameter that was not measured. decimals: to show.
    """

    class_name: str
    rule: str
    quantity: str
    value: float | None
    sense: Literal["<", ">"]
    limit: float | None
    decimals: int
    source: str
    status: RuleStatus

    @property
    def comparison(self) -> str:
        """`blush_fraction 0.4137 < 0.5000`."""
        if self.limit is None:
            return f"{self.quantity} goes by diameter_mm, which was not measured"
        limit = _shown(self.limit, self.decimals)
        if self.value is None:
            return f"{self.quantity} not measured, needs {'>=' if self.sense == '<' else '<='} {limit}"
        return f"{self.quantity} {self.value:.{self.decimals}f} {self.sense} {limit}"


def grade(sheet: CompiledSheet, fruit: FruitMeasurements) -> Grades:
    """Class, size and product of every fruit. Pure; rows do not know of each other."""
    n = len(fruit)
    grades = Grades(
        grade=np.full(n, -1, np.int8),
        size=np.full(n, -1, np.int8),
        product=np.full(n, -1, np.int16),
        missed=np.zeros((n, sheet.n_words), np.uint64),
    )
    for start in range(0, n, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        _grade_rows(sheet, fruit, rows, grades)
    return grades


def _grade_rows(sheet: CompiledSheet, fruit: FruitMeasurements, rows: slice, grades: Grades) -> None:
    """Fill in the rows of one piece."""
    values = _Values(fruit, rows)
    judged = (fruit.flags[rows] & np.uint32(SENDS_TO_DEFAULT)) == 0
    size = np.where(judged, _sizes(sheet, values), -1)
    missed = np.zeros((sheet.n_words, len(judged)), np.uint64)
    for bit, check in enumerate(sheet.checks):
        missed[bit // 64] |= _is_missed(check, values, size).astype(np.uint64) << np.uint64(bit % 64)
    missed[:, ~judged] = 0
    found = np.full(len(judged), -1, np.int8)
    for index in range(len(sheet.class_names) - 1, -1, -1):  # the best class is written last
        needed = sheet.class_masks[index][:, None]
        found[~(missed & needed).any(axis=0)] = index
    found[~judged] = -1
    grades.grade[rows], grades.size[rows], grades.missed[rows] = found, size, missed.T
    grades.product[rows] = sheet.product_of[found, size]  # -1 reaches the last row and column: none


class _Values:
    """Measured values as whole steps, each worked out once for all the rules that look at it."""

    def __init__(self, fruit: FruitMeasurements, rows: slice) -> None:
        self._fruit, self._rows = fruit, rows
        self._steps: dict[tuple[tuple[str, ...], float], Numbers] = {}

    def in_steps(self, quantities: tuple[str, ...], step: float) -> Numbers:
        """(n,) whole steps of a quantity or of a sum of them; NaN: not measured, or not finite."""
        found = self._steps.get((quantities, step))
        if found is None:
            found = self._steps[quantities, step] = self._worked_out(quantities, step)
        return found

    def _worked_out(self, quantities: tuple[str, ...], step: float) -> Numbers:
        if len(quantities) > 1:  # every term as the table shows it
            parts = [self.in_steps((name,), table_step((name,))) * table_step((name,)) for name in quantities]
            return np.rint(in_steps(np.sum(parts, axis=0), step))
        with np.errstate(over="ignore"):
            steps = np.rint(in_steps(getattr(self._fruit, quantities[0])[self._rows], step))
        steps[np.isinf(steps)] = np.nan
        return steps


def _sizes(sheet: CompiledSheet, values: _Values) -> NDArray[np.int8]:
    """The first listed band that holds each fruit, -1: none."""
    if not sheet.size_by:
        return np.array(-1, np.int8)
    steps = values.in_steps((sheet.size_by,), sheet.size_step)
    size = np.full(len(steps), -1, np.int8)
    for index in range(len(sheet.size_names) - 1, -1, -1):  # the first listed is written last
        size[(steps >= sheet.size_from[index]) & (steps <= sheet.size_to[index])] = index
    return size


def _is_missed(check: Check, values: _Values, size: NDArray[np.int8]) -> NDArray[np.bool_]:
    """(n,) True where no way of keeping the rule is kept."""
    missed = ~_is_kept(check.ways[0], values, size)
    for way in check.ways[1:]:
        missed &= ~_is_kept(way, values, size)
    return missed


def _is_kept(way: tuple[Bound, ...], values: _Values, size: NDArray[np.int8]) -> NDArray[np.bool_]:
    kept = _keeps(way[0], values, size)
    for bound in way[1:]:
        kept &= _keeps(bound, values, size)
    return kept


def _keeps(bound: Bound, values: _Values, size: NDArray[np.int8]) -> NDArray[np.bool_]:
    steps = values.in_steps(bound.quantities, bound.step)
    limit = bound.in_steps(_limits(bound, values, size))
    kept = steps >= limit if bound.sense == "min" else steps <= limit
    if bound.passes_missing:
        kept |= np.isnan(steps) | np.isnan(limit)
    elif len(bound.limits) > 1:  # a size without a limit asks nothing, not even that it was measured
        kept |= np.isinf(limit)
    return kept


def _limits(bound: Bound, values: _Values, size: NDArray[np.int8]) -> Numbers:
    """The limit of each fruit (n,) or of all (1,); NaN where it goes by a diameter that was not measured."""
    limits = bound.limits if len(bound.limits) == 1 else bound.limits[size]
    if math.isnan(bound.at_diameter_mm):
        return limits
    step = table_step(("diameter_mm",))
    diameter_mm = values.in_steps(("diameter_mm",), step) * step
    grown = np.where(np.isinf(limits), 1.0, limits) * (diameter_mm / bound.at_diameter_mm) ** 2
    return np.where(np.isinf(limits), limits, grown)  # no limit is no limit at every diameter


def reason_records(sheet: CompiledSheet, grades: Grades, fruit: FruitMeasurements, row: int) -> tuple[Reason, ...]:
    """Every comparison that cost the fruit of a row a class better than the one it got."""
    size = int(grades.size[row])
    missed = _missed_checks(sheet, grades, row)
    return tuple(reason for check in missed for reason in _reasons_of(sheet, check, fruit, row, size))


def reasons(sheet: CompiledSheet, grades: Grades, fruit: FruitMeasurements, row: int) -> tuple[str, ...]:
    """Why the fruit of a row is not better, and why no product took it; one text per rule.

    `Extra: blush_fraction 0.4137 < 0.5000`. A fruit that cannot be judged has its flags as reasons:
    `touching: touches its neighbour`.
    """
    doubts = flag_reasons(int(fruit.flags[row]))
    if doubts:
        return doubts
    size = int(grades.size[row])
    texts = []
    for check in _missed_checks(sheet, grades, row):
        comparisons = " and ".join(reason.comparison for reason in _reasons_of(sheet, check, fruit, row, size))
        named = f"{check.name}: {comparisons}" if len(check.ways) > 1 else comparisons
        texts.append(f"{owner_name(sheet.sheet, check.owner)}: {named}")
    if sheet.size_by and size < 0:
        value = float(getattr(fruit, sheet.size_by)[row])
        decimals = _decimals(sheet.size_step)
        shown = f"{value:.{decimals}f} is in no size" if math.isfinite(value) else "not measured"
        texts.append(f"size: {sheet.size_by} {shown}")
    if sheet.product_names and grades.grade[row] >= 0 and grades.product[row] < 0:
        sort = f"{sheet.class_name(int(grades.grade[row]))} {sheet.size_name(size)}".strip()
        texts.append(f"outlet: no product takes {sort}")
    return tuple(texts)


def flag_reasons(flags: int) -> tuple[str, ...]:
    """Why a fruit cannot be judged by any sheet; empty where it can."""
    flags &= SENDS_TO_DEFAULT
    if not flags:  # nearly all; going through the flags takes 20 us
        return ()
    return tuple(
        f"{flag.name.lower()}: {meaning.english}" for flag, meaning in FLAGS.items() if flags & flag and flag.name
    )


def _missed_checks(sheet: CompiledSheet, grades: Grades, row: int) -> list[Check]:
    """Rules missed by a fruit that stand between it and a better class."""
    got = int(grades.grade[row])
    better = len(sheet.class_names) if got < 0 else got
    words = grades.missed[row].tolist()
    return [
        check
        for bit, check in enumerate(sheet.checks)
        if words[bit // 64] >> (bit % 64) & 1 and (check.owner == EVERY_CLASS or check.owner < better)
    ]


def _reasons_of(sheet: CompiledSheet, check: Check, fruit: FruitMeasurements, row: int, size: int) -> list[Reason]:
    """The comparisons of one missed rule that failed."""
    values, sizes = _Values(fruit, slice(row, row + 1)), np.array([size], np.int8)
    found = []
    for bound in (bound for way in check.ways for bound in way if not _keeps(bound, values, sizes)[0]):
        value = float(values.in_steps(bound.quantities, bound.step)[0]) * bound.step
        limit = float(_limits(bound, values, sizes)[0])
        found.append(
            Reason(
                class_name=owner_name(sheet.sheet, check.owner),
                rule=check.name,
                quantity=" + ".join(bound.quantities),
                value=None if math.isnan(value) else value,
                sense="<" if bound.sense == "min" else ">",
                limit=None if math.isnan(limit) else limit,
                decimals=_decimals(bound.step),
                source=check.source,
                status=check.status,
            )
        )
    return found


def _decimals(step: float) -> int:
    """Digits after the point that show every step."""
    return next(digits for digits in range(7) if digits == 6 or abs(round(step, digits) - step) < 1e-9)


def _shown(limit: float, decimals: int) -> str:
    """With the decimals of the value, or more where the limit lies between two steps."""
    text = f"{limit:.{decimals}f}"
    return text if abs(float(text) - limit) < 1e-9 else f"{limit:.{decimals + 2}f}"
