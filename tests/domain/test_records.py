"""Rounding happens once, and what it gives is what the table prints."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.domain.flags import Flag
from grader.domain.fruit import QUANTITIES, FruitMeasurements
from grader.domain.records import records_from, rounded


def test_a_record_holds_plain_rounded_numbers_and_none_where_nothing_was_measured() -> None:
    measured = FruitMeasurements.unmeasured(
        [0, 3],
        [7, 2**40],
        [0, int(Flag.NO_WEIGHT)],
        diameter_mm=[71.23456, 64.999],
        mass_g=[182.005, np.nan],
        blush_fraction=[-1e-9, 1.0],
        defect_count=[2.0, 0.0],
        density_g_per_ml=[np.inf, 0.8496],
    )
    first, second = records_from(
        measured, lots=["a", "b"], grades=["I", "II"], sizes=["", "60-65"], outlets=[0, 8], reasons=[["x", "y"], ()]
    )
    assert (first.lane, first.cup, first.lot, first.grade, first.size, first.outlet) == (0, 7, "a", "I", "", 0)
    assert (second.lane, second.cup, second.flags) == (3, 2**40, int(Flag.NO_WEIGHT))
    assert first.reasons == ("x", "y") and second.reasons == ()
    assert list(first.values) == list(QUANTITIES)
    assert first.values["diameter_mm"] == 71.23 and second.values["diameter_mm"] == 65.0
    assert first.values["density_g_per_ml"] is None and second.values["mass_g"] is None
    assert first.values["height_mm"] is None
    assert str(first.values["blush_fraction"]) == "0.0", "never -0.0"
    assert {type(value) for value in second.values.values()} == {float, type(None)}
    assert first.gate_outcome == ""


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.floats(-1e6, 1e6), st.sampled_from(sorted(QUANTITIES)))
def test_a_rounded_value_is_the_number_that_its_text_reads_back_as(value: float, name: str) -> None:
    decimals = QUANTITIES[name].decimals
    once = rounded(FruitMeasurements.unmeasured(0, 0, **{name: value}))
    kept = float(getattr(once, name)[0])
    assert float(f"{kept:.{decimals}f}") == kept
    # Independent truth: decimal arithmetic on the exact value of the double, next to a half aside.
    step = Decimal(1).scaleb(-decimals)
    exact = Decimal(value).quantize(step, ROUND_HALF_EVEN)
    assert abs(Decimal(repr(kept)) - Decimal(value)) <= step / 2 + Decimal("1e-9")
    assert abs(Decimal(repr(kept)) - exact) <= step
    again = float(getattr(rounded(once), name)[0])
    assert again == kept


def test_every_list_must_have_an_entry_per_fruit() -> None:
    two = FruitMeasurements.unmeasured([0, 1], [0, 0])
    with pytest.raises(ValueError):
        records_from(two, lots=["a"], grades=["I", "I"], sizes=["", ""], outlets=[1, 1], reasons=[(), ()])


def test_no_fruit_gives_no_records() -> None:
    none = FruitMeasurements.unmeasured([], [])
    assert records_from(none, lots=[], grades=[], sizes=[], outlets=[], reasons=[]) == []
