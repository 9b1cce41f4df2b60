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
        assert (seats.moved_mm is None) == (seats.seen < SETTLING + LATELY)
        assert seats.moved_mm is None or seats.moved_mm < 1.0


@pytest.mark.parametrize("bump_mm", [(2.0, 0.0), (0.0, -2.0), (1.5, 1.5)])
def test_a_bump_of_two_millimetres_is_seen_within_three_hundred_fruit(bump_mm: tuple[float, float]) -> None:
    rng, seats = np.random.default_rng(3), Seats()
    seats.see(seats_of(rng, 900))
    seats.see(seats_of(rng, 300, bump_mm))
    assert seats.moved_mm is not None and seats.moved_mm > 1.2
    assert Seats().moved_mm is None
