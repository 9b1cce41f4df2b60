"""The books of a day of belt: each fruit that entered has one row, or is named; no row is of another fruit."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from bench.day_line import LOOP_CUPS, DayLine
from grader.domain.decisions import FruitRecord
from grader.domain.flags import SENDS_TO_DEFAULT
from hardware.sim.reference import PULSES_PER_CUP

OFF_G, OFF_MM = 7.0, 3.0
"""A row that is so far from the fruit in its cup is of another one: six times what the scale errs, and diameters of an
undisturbed line are within 1 mm. Masses of cups that look alike are twice as far apart."""
DECIDED_PULSES = 1500 + 8 * PULSES_PER_CUP
"""After a cup's entry it has been decided about, however many frames did not come."""
_MOST_EXAMPLES = 10


@dataclass(slots=True)
class DayBook:
    """Counts of fruit and rows.

    entered = with a row + in_doubt + named_again + lost + on_the_belt.

    in_doubt: fruit that were on the belt when the encoder was wrong, or rode between two cups by its count, and whose
    rows, if any, are flagged to the default outlet; one that is not must be right all the same. rows_in_doubt: those of
    no fruit for certain.
    named_again: fruit that came under serials that were decided already, as the encoder had been set back: they have
    no row, and run to the default outlet. mixed_up: rows of another fruit than that in their cup, or of none.
    unweighed: rows without a mass. errors_g: of masses, by round of the chain: how many, and the sum of their squares.
    """

    line: DayLine
    first_cup: int
    entered: int = 0
    rows: int = 0
    in_doubt: int = 0
    rows_in_doubt: int = 0
    named_again: int = 0
    lost: int = 0
    mixed_up: int = 0
    flagged: int = 0
    unweighed: int = 0
    errors_g: dict[int, list[float]] = field(default_factory=dict)
    flags: Counter[int] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    _expected: dict[tuple[int, int], int] = field(default_factory=dict)
    _doubtful: dict[tuple[int, int], int] = field(default_factory=dict)
    _decided: dict[int, int] = field(default_factory=dict)
    _next_cup: int = 0
    _doubt_until: int = -(1 << 62)

    def __post_init__(self) -> None:
        self._next_cup = self.first_cup

    def encoder_failed(self) -> None:
        """Of what is on the belt, or comes within two cups, nobody knows which it is."""
        self.in_doubt += len(self._expected)
        recent = {key: cup for key, cup in self._doubtful.items() if not self._is_overdue(cup)}
        self._doubtful = recent | self._expected
        self._expected.clear()
        self._doubt_until = self.line.pulse + 2 * PULSES_PER_CUP

    def moved(self) -> None:
        """Write down the fruit whose cups have come into the picture, and those that should have had a row by now."""
        line = self.line
        while self._next_cup * PULSES_PER_CUP <= line.pulse:
            cup, self._next_cup = self._next_cup, self._next_cup + 1
            serial = cup + line.offset // PULSES_PER_CUP
            for lane, of_loop in line.truth:
                if of_loop == cup % LOOP_CUPS:
                    self._enter(lane, cup, serial)
        while self._expected:
            key, cup = next(iter(self._expected.items()))
            if not self._is_overdue(cup):
                break
            del self._expected[key]
            self.lost += 1
            self._example(f"lane {key[0]}, serial {key[1]}: no row")

    def _is_overdue(self, cup: int) -> bool:
        return self.line.pulse > cup * PULSES_PER_CUP + DECIDED_PULSES

    def _enter(self, lane: int, cup: int, serial: int) -> None:
        self.entered += 1
        if self.line.displaced or cup * PULSES_PER_CUP <= self._doubt_until:
            self.in_doubt += 1
            self._doubtful[lane, serial] = cup
        elif serial <= self._decided.get(lane, -(1 << 62)):
            self.named_again += 1
        else:
            self._expected[lane, serial] = cup

    def decided(self, record: FruitRecord) -> None:
        """A row was written."""
        key = (record.lane, record.cup)
        self._decided[record.lane] = max(record.cup, self._decided.get(record.lane, record.cup))
        cup = self._expected.pop(key, None)
        if cup is None and key in self._doubtful and not record.flags & SENDS_TO_DEFAULT:  # not told: it must be right
            cup = self._doubtful.pop(key)
            self.in_doubt -= 1
        if cup is None and record.cup < self.first_cup:
            return  # was in the picture before the first one was taken
        self.rows += 1
        self.flagged += record.flags != 0
        self.flags[record.flags] += 1
        if cup is None:
            self.rows_in_doubt += 1
            if not record.flags & SENDS_TO_DEFAULT:
                self._mix_up(record, "of no fruit that is known to be there")
            return
        mass_g, diameter_mm = (record.values[name] for name in ("mass_g", "diameter_mm"))
        true = self.line.truth[record.lane, cup % LOOP_CUPS]
        if mass_g is None:
            self.unweighed += 1
        elif abs(error_g := mass_g - self.line.mass_g(record.lane, cup)) > OFF_G:
            self._mix_up(record, f"{error_g:+.1f} g from its fruit")
        else:
            of_round = self.errors_g.setdefault(cup // self.line.cups_per_chain, [0.0, 0.0])
            of_round[0] += 1.0
            of_round[1] += error_g**2
        if not record.flags and not abs((diameter_mm or math.inf) - true.diameter_mm) <= OFF_MM:
            self._mix_up(record, f"{diameter_mm} mm, its fruit {true.diameter_mm:.1f} mm")

    @property
    def on_the_belt(self) -> int:
        """Fruit whose rows are not due yet."""
        return len(self._expected)

    def mass_rmse_g(self, rounds: slice) -> float:
        """Of the fruit in some rounds of the chain; NaN for none."""
        n, squares = np.sum([self.errors_g[number] for number in sorted(self.errors_g)[rounds]] or [[0.0, 0.0]], axis=0)
        return math.sqrt(squares / n) if n else math.nan

    @property
    def balance(self) -> int:
        """What the books are out by: 0."""
        named = self.in_doubt + self.named_again + self.lost + self.on_the_belt
        own_rows = self.rows - self.rows_in_doubt
        return self.entered - named - own_rows

    def _mix_up(self, record: FruitRecord, words: str) -> None:
        self.mixed_up += 1
        self._example(f"lane {record.lane}, serial {record.cup}: {words}")

    def _example(self, words: str) -> None:
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(f"{words} (belt at {self.line.pulse}, {dict(self.line.faults)})")
