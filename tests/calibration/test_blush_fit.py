"""Where blush ends is found again on fruit whose marks are known, and what does not tell it is refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.blush import fit_blush
from grader.domain.colour import HUES_FROM_DEG, N_HUES
from grader.errors import GraderError
from grader.vision.hues import blush_of


def skins(n: int, seed: int) -> NDArray[np.float32]:
    """Of red and yellow skin in every proportion, and all the hues between."""
    rng = np.random.default_rng(seed)
    hue = HUES_FROM_DEG + np.arange(N_HUES) + 0.5
    red, yellow = (np.exp(-0.5 * ((hue - at) / wide) ** 2) for at, wide in ((25.0, 9.0), (85.0, 12.0)))
    between = ((hue > 20) & (hue < 90)).astype(float)
    share = rng.dirichlet([1.0, 1.0, 0.6], n)
    parts = np.stack([part / part.sum() for part in (red, yellow, between)])
    return tones_of_shares(share @ parts)


def tones_of_shares(shares: NDArray[np.floating]) -> NDArray[np.float32]:
    """Without colours beside the hue, which say nothing here."""
    return np.stack([shares, *(np.zeros_like(shares),) * 3], axis=1).astype(np.float32)


@pytest.mark.parametrize("true_deg", [38.0, 52.5, 66.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_end_of_blush_is_found_again_through_the_errors_of_a_persons_eye(true_deg: float, seed: int) -> None:
    shares = skins(40, seed)
    marked = np.clip(blush_of(shares, true_deg) + np.random.default_rng(seed).normal(0, 0.04, 40), 0, 1)
    fit = fit_blush(shares, np.round(marked, 1))  # people say tenths
    assert abs(fit.to_deg - true_deg) < 3.5 * fit.to_deg_se + 0.5 and 0.1 < fit.to_deg_se < 4.0
    assert fit.measured == pytest.approx(blush_of(shares, fit.to_deg))
    assert 0.02 < fit.rmse < 0.08


def test_what_is_promised_of_unseen_fruit_holds_of_unseen_fruit() -> None:
    promised, kept = [], []
    for seed in range(12):
        shares, fresh = skins(15, seed), skins(200, 100 + seed)
        eye = np.random.default_rng(seed)
        fit = fit_blush(shares, blush_of(shares, 55.0) + eye.normal(0, 0.05, 15))
        promised.append(fit.rmse)
        kept.append(np.sqrt(np.mean((blush_of(fresh, fit.to_deg) - blush_of(fresh, 55.0)) ** 2) + 0.05**2))
    assert np.mean(promised) == pytest.approx(np.mean(kept), rel=0.15)


def test_marks_that_agree_with_the_usual_end_leave_it() -> None:
    shares = skins(30, 5)
    fit = fit_blush(shares, blush_of(shares, 45.0))
    assert fit.to_deg == 45.0 and fit.to_deg_se == 0.0 and fit.rmse == fit.rmse_usual == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_marks_of_other_fruit_are_refused(seed: int) -> None:
    with pytest.raises(GraderError, match=r"Are lanes and cups|both, much blush|mark more fruit"):
        fit_blush(skins(30, seed), np.random.default_rng(seed).uniform(0, 1, 30))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_marks_that_would_end_blush_beyond_all_hues_are_refused(share: float) -> None:
    with pytest.raises(GraderError, match="both, much blush and much ground colour"):
        fit_blush(skins(30, 1), np.full(30, share))


def test_marks_that_do_not_tell_are_refused_in_words() -> None:
    all_red = tones_of_shares(np.tile(np.eye(N_HUES)[40], (20, 1)))
    with pytest.raises(GraderError, match="both, much blush and much ground colour"):
        fit_blush(all_red, np.ones(20))
