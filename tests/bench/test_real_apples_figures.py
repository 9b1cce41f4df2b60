"""Figures of real apples, on passes made by hand; the apples themselves are in tests/accept."""

from __future__ import annotations

import math

import pytest

from bench.real_apples import Figures, Pass, figures, page
from grader.domain.decisions import FruitRecord
from grader.domain.flags import Flag


def one(specimen: str, turned: float | None, blush: float, *, flags: int = 0, true_deg: float = 20.0) -> Pass:
    record = FruitRecord(
        lane=0,
        cup=0,
        lot="",
        values={"turn_deg": turned, "blush_fraction": blush, "diameter_mm": 70.0},
        grade="",
        size="",
        outlet=0,
        reasons=(),
        flags=flags,
    )
    true = {"specimen": specimen, "sequence": "s0", "turn_deg": str(true_deg), "drawn_width_mm": "70.0"}
    return true, record


def test_flags_take_apples_out_of_the_turn_alone_and_are_counted() -> None:
    passes = [
        one("a", 20.3, 0.50),
        one("a", 19.7, 0.52),
        one("b", 27.0, 0.1, flags=Flag.TURN_UNSURE),
        one("b", 20.3, 0.1),
    ]
    found = figures(passes)
    assert found.apples == 4 and found.flagged == pytest.approx(25.0) and found.groups == 2
    assert found.turn_deg == pytest.approx(0.3)
    assert found.blush_sd == pytest.approx(100 * 0.02 / math.sqrt(2) / math.sqrt(2))  # pooled over two groups
    assert found.diameter_sd == pytest.approx(0.0)


def test_a_turn_that_is_missing_without_a_flag_is_no_figure() -> None:
    found = figures([one("a", None, 0.5), one("a", 20.0, 0.5)])
    assert found.unmeasured == 1 and math.isnan(found.turn_deg)
    assert "nan ✗" in page({1: found}, found)


def test_what_is_more_than_asked_is_marked() -> None:
    good = Figures(100, 4.0, 0.3, 4, 0.7, 0.4, 12)
    text = page({11: good, 12: good._replace(flagged=7.0)}, good)
    assert text.count("✗") == 2 and "| 12 | 100 | 7.00 ✗ | 0.30 |" in text
