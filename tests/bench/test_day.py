"""A few minutes of belt: nobody is lost or mixed up, and the books notice when somebody is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench import day
from bench.day_book import DayBook
from bench.day_line import LOOP_CUPS, DayLine
from grader.domain.frames import Readings
from grader.units import Pulse
from hardware.sim.line import LineSettings
from hardware.sim.reference import PULSES_PER_CUP


@pytest.mark.parametrize("faults", [False, True])
def test_every_fruit_of_a_short_day_has_its_own_row_or_is_named(faults: bool) -> None:
    found = day.measure(1000, seed=3, lanes=2, faults=faults)
    assert found.wrong == 0, found.book.examples
    assert found.book.entered >= 1000
    assert bool(found.line.faults) == faults
    assert found.book.rows > 0.8 * found.book.entered
    said = "\n".join(day.report(found))
    assert "entered" in said and "WRONG" not in said


def test_weighings_of_the_cup_before_are_noticed_as_mixed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    told = DayLine._readings

    def of_the_cup_before(line: DayLine) -> Readings:
        readings = told(line)
        late = (replace(each, pulse=Pulse(each.pulse + PULSES_PER_CUP)) for each in readings.weighings)
        return Readings(tuple(late), readings.scans)

    monkeypatch.setattr(DayLine, "_readings", of_the_cup_before)
    found = day.measure(100, seed=3, lanes=2)
    assert found.book.mixed_up > 40
    assert "WRONG" in "\n".join(day.report(found))


def test_fruit_that_never_get_a_row_are_noticed_as_lost() -> None:
    line = DayLine(LineSettings(lanes=1, loop_cups=LOOP_CUPS), np.zeros((2 * LOOP_CUPS, 1, 1, 3), np.uint8), None)
    book = DayBook(line, first_cup=line.pulse // PULSES_PER_CUP + 2)
    for _ in range(150):
        list(line.move(book.encoder_failed))
        book.moved()
    assert book.lost > 20 and book.balance == 0
