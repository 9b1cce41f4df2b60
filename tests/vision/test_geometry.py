"""Where cups are, against the recording format's own formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scenes import camera, line

from grader.units import Pulse
from grader.vision.geometry import cups_in_view, nearer_by, sight_deg


@settings(max_examples=200, derandomize=True)
@given(
    pulse=st.integers(-5000, 10**10),
    zero=st.floats(-300, 300),
    pitch=st.integers(60, 130),
    mm_per_px=st.floats(0.4, 1.3),
    first=st.integers(0, 50),
)
def test_cups_in_view_are_exactly_those_of_the_formula(
    pulse: int, zero: float, pitch: int, mm_per_px: float, first: int
) -> None:
    place = camera(2, cup_zero_px=(zero, 80.0), mm_per_px=mm_per_px)
    belt = line(2, pulses_per_cup=pitch, first_cup=first)
    cups = cups_in_view(place, belt, Pulse(pulse))
    nearest = int((zero * mm_per_px + pulse) / pitch)
    places = [(cup, zero + (pulse - cup * pitch) / mm_per_px) for cup in range(max(first, nearest - 40), nearest + 5)]
    assume(all(min(abs(x), abs(x - place.width_px)) > 1e-6 for _, x in places))  # where rounding decides
    expected = [(cup, x) for cup, x in places if 0 <= x < place.width_px]
    assert [int(cup) for cup in cups.cup[cups.lane == 0]] == [cup for cup, _ in expected]
    assert cups.x_px[cups.lane == 0] == pytest.approx([x for _, x in expected], abs=0.05)
    assert set(cups.lane.tolist()) <= {0, 1}
    assert cups.y_px[cups.lane == 1] == pytest.approx(230.0)


def test_bigger_fruit_rides_nearer_to_the_lens_and_is_really_smaller_than_it_looks() -> None:
    place = camera(1, lens_above_mm=1500.0, seat="rollers")
    true_mm = np.array([50.0, 80.0, 92.0])
    looks_mm = true_mm * 1500.0 / (1500.0 - (true_mm - 80.0) / 2)
    assert looks_mm * nearer_by(place, looks_mm) == pytest.approx(true_mm, abs=1e-9)
    assert nearer_by(camera(1), looks_mm) == pytest.approx(1.0)


def test_the_lens_looks_at_each_lane_from_where_it_stands() -> None:
    # Three lanes 120 mm apart, the middle one below the lens: the outer ones are seen from the middle's side.
    place = camera(3, lens_above_mm=1500.0, optical_centre_px=(320.0, 230.0))
    up, below, down = sight_deg(place, line(3))
    assert below == 0.0
    assert up == -down and up == pytest.approx(np.degrees(np.arctan(120 / 1500)), rel=0.03)
    assert down < 0  # a lane farther down the picture shows its upper end, which lies at negative y
    assert (sight_deg(camera(3), line(3)) == 0).all()
