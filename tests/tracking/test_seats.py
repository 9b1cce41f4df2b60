"""A camera that was bumped is noticed by where fruit lie, and their own unrest is not taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from grader.tracking.seats import LATELY, SETTLING, Seats

SEAT_SD_MM = 2.5


def seats_of(rng: np.random.Generator, fruit: int, off_mm: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    return rng.normal(off_mm, SEAT_SD_MM, (fruit, 2))


@pytest.mark.parametrize("seed", range(5))
def test_fruit_that_lie_here_and_there_are_no_bump_wherever_the_camera_stands(seed: int) -> None:
    rng, seats = np.random.default_rng(seed), Seats()
    for _ in range(500):
        seats.see(seats_of(rng, 8, (4.0, -3.0)))
        assert (seats.moved_mm is None) == (seats.seen < SETTLING + LATELY).any()
        assert seats.moved_mm is None or seats.moved_mm < 1.0


@pytest.mark.parametrize("bump_mm", [(2.0, 0.0), (0.0, -2.0), (1.5, 1.5)])
def test_a_bump_of_two_millimetres_is_seen_within_three_hundred_fruit(bump_mm: tuple[float, float]) -> None:
    rng, seats = np.random.default_rng(3), Seats()
    seats.see(seats_of(rng, 900))
    seats.see(seats_of(rng, 300, bump_mm))
    assert seats.moved_mm is not None and seats.moved_mm > 1.2
    assert Seats().moved_mm is None


def test_an_encoder_that_slips_by_a_pulse_or_two_is_not_taken_for_a_camera_that_was_bumped() -> None:
    rng, seats = np.random.default_rng(4), Seats()
    seats.see(seats_of(rng, 700))
    seats.begin_anew_along()
    seats.see(seats_of(rng, 700, (2.0, 0.0)))
    assert seats.moved_mm is not None
    assert seats.moved_mm < 1.0


def test_a_camera_that_was_bumped_across_the_belt_is_noticed_though_the_encoder_slipped_after_it() -> None:
    rng, seats = np.random.default_rng(5), Seats()
    seats.see(seats_of(rng, 700))
    seats.see(seats_of(rng, 100, (0.0, 2.5)))
    seats.begin_anew_along()
    seats.see(seats_of(rng, 300, (0.0, 2.5)))
    assert seats.moved_mm == pytest.approx(2.5, abs=0.8)
