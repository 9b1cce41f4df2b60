"""Portraits show the fruit that they are of, whole, at any scale and at any edge."""

from __future__ import annotations

import numpy as np
import pytest

from grader.domain.skin import PORTRAIT_PX
from grader.vision.outline import Outlines
from grader.vision.portrait import cuts_of, sampled, shrink_for
from grader.vision.rays import N_RAYS


def outlines(centres: list[tuple[float, float]], radius: float) -> Outlines:
    m = len(centres)
    return Outlines(
        row=np.arange(m),
        centre=np.array(centres, np.float32).reshape(-1, 2).T.copy(),
        radius=np.full((m, N_RAYS), radius, np.float32),
        sharpness=np.ones(m, np.float32),
        touching=np.zeros(m, bool),
        cut_row=np.empty(0, np.int64),
    )


def picture_of_places(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("shape", [(155, 250), (50, 250), (155, 40), (20, 20)])
def test_what_lies_in_the_middle_of_an_outline_lies_there_in_its_portrait(shape: tuple[int, int]) -> None:
    centres = [(3.3, 7.6), (shape[1] - 1.0, shape[0] - 1.0), (shape[1] / 2, shape[0] / 2)]
    found = cuts_of(picture_of_places(*shape), outlines(centres, 9.0)).portraits()
    colours = sampled(found, found.centre_px[:, :1], found.centre_px[:, 1:])
    assert colours[:, 0, :2].astype(float) == pytest.approx(np.array(centres), abs=0.6)


@pytest.mark.parametrize("shrink", [2, 3])
def test_a_large_fruit_is_shown_whole_in_larger_pixels(shrink: int) -> None:
    centre, radius = (120.0, 110.0), 31.0 * shrink * 0.9
    found = cuts_of(picture_of_places(240, 250), outlines([centre], radius), shrink).portraits()
    assert found.radius_px.max() < PORTRAIT_PX / 2
    x, y = found.centre_px[0]
    right, low = np.array([[x + found.radius_px[0, 0]]]), np.array([[y + found.radius_px[0, 0]]])
    assert sampled(found, right, np.array([[y]]))[0, 0, 0] == pytest.approx(centre[0] + radius, abs=shrink)
    assert sampled(found, np.array([[x]]), low)[0, 0, 1] == pytest.approx(centre[1] + radius, abs=shrink)


def test_no_fruit_no_portraits() -> None:
    found = cuts_of(picture_of_places(155, 250), outlines([], 9.0)).portraits()
    assert found.pixels.shape == (0, PORTRAIT_PX, PORTRAIT_PX, 3)


def test_pictures_are_shrunk_as_far_as_a_fruit_needs() -> None:
    assert [shrink_for(mm_per_px) for mm_per_px in (4.0, 1.6, 1.5, 0.8, 0.4)] == [1, 1, 2, 2, 4]
