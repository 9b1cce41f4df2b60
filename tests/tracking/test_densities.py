"""Weights and sizes that no longer belong together are noticed, lane by lane."""

from __future__ import annotations

import numpy as np
import pytest

from grader.tracking.densities import LATELY, Densities

LANES, SD = 4, 0.02


def see(densities: Densities, rng: np.random.Generator, fruit: int, span: np.ndarray, orchard: float = 0.86) -> None:
    """So many fruit of every lane; span: what each lane's scale says of a gram."""
    for _ in range(fruit):
        density = orchard * np.exp(rng.normal(0.0, SD, LANES)) * span
        densities.see(np.arange(LANES), density)


@pytest.mark.parametrize("seed", range(3))
def test_lanes_whose_scales_agree_have_no_misfit_whatever_the_orchard(seed: int) -> None:
    rng, densities = np.random.default_rng(seed), Densities.of(LANES)
    for orchard in (0.82, 0.88):
        see(densities, rng, 3 * LATELY, np.ones(LANES), orchard)
        assert max(abs(misfit or 0.0) for misfit in densities.misfits) < 0.008


def test_a_scale_that_says_three_percent_too_much_is_told_from_the_others() -> None:
    rng, densities = np.random.default_rng(7), Densities.of(LANES)
    see(densities, rng, 3 * LATELY, np.array([1.0, 1.0, 1.03, 1.0]))
    off, others = densities.misfits[2], [densities.misfits[lane] for lane in (0, 1, 3)]
    assert off == pytest.approx(0.03, abs=0.006)
    assert all(misfit is not None and abs(misfit) < 0.008 for misfit in others)


def test_few_fruit_and_fruit_without_a_density_say_nothing() -> None:
    densities = Densities.of(LANES)
    see(densities, np.random.default_rng(1), LATELY - 1, np.ones(LANES))
    assert densities.misfits == (None,) * LANES
    before = densities.log_density.copy()
    densities.see(np.arange(LANES), np.array([np.nan, -1.0, 0.0, np.nan]))
    assert np.array_equal(densities.log_density, before)
