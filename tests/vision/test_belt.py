"""The belt's own colour, learned from what shows between the lanes."""

from __future__ import annotations

import numpy as np
import pytest

from grader.vision.belt import BeltColour, BeltDistance, BeltSettings, _unlike_planes, belt_colour


def strips(seed: int = 1, dirt: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    light = rng.uniform(15, 55, 3000)[:, None]
    pixels = light * np.array([1.05, 1.0, 0.93]) + rng.normal(0, 1, (3000, 3))
    dirty = rng.random(3000) < dirt
    pixels[dirty] = [20, 60, 150]
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("dirt", [0.0, 0.3])
def test_belt_colour_is_found_under_a_third_of_dirt(dirt: float) -> None:
    colour = belt_colour(strips(dirt=dirt), BeltSettings())
    assert colour.red_per_blue == pytest.approx(0.93 / 1.05, abs=0.04 if dirt else 0.01)
    assert colour.green_per_blue == pytest.approx(1 / 1.05, abs=0.04 if dirt else 0.01)


def test_brighter_and_darker_belt_is_at_no_distance_and_dark_fruit_is() -> None:
    colour = belt_colour(strips(), BeltSettings())
    picture = np.array([[[21, 20, 19], [52, 50, 46], [12, 12, 25], [12, 3, 12], [200, 200, 200]]], np.uint8)
    distance = BeltDistance((1, 5), BeltSettings()).measure(picture, colour)[0]
    assert (distance[:2] <= 2).all()
    assert (distance[2:] >= 7).all()


def test_black_belt_has_no_hue_and_no_failure() -> None:
    assert belt_colour(np.zeros((100, 3), np.uint8), BeltSettings()).red_per_blue == 1.0


def test_stripes_meet_without_a_seam() -> None:
    rng = np.random.default_rng(4)
    picture = rng.integers(0, 256, (611, 517, 3)).astype(np.uint8)
    colour = belt_colour(strips(), BeltSettings())
    whole = BeltDistance((611, 517), BeltSettings()).measure(picture, colour)
    row = BeltDistance((1, 517), BeltSettings())
    for at in range(611):
        assert (whole[at] == row.measure(picture[at : at + 1], colour)[0]).all()


def test_distance_is_what_its_formula_says() -> None:
    rng = np.random.default_rng(5)
    picture = rng.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    belt = BeltColour(red_per_blue=0.91, green_per_blue=0.97, brightest=60.0)
    blue, green, red = (picture[:, :, band].astype(float) for band in range(3))
    off_line = np.abs(red - np.rint(0.91 * blue)) + np.abs(green - np.rint(0.97 * blue))
    expected = np.clip(np.maximum(off_line, green - 72), 0, 255)
    assert np.abs(BeltDistance((40, 50), BeltSettings(margin_counts=12.0)).measure(picture, belt) - expected).max() <= 1


@pytest.mark.parametrize("n_px", [1, 64, 1000, 128 * 1024])
def test_planes_that_a_picture_is_split_into_begin_differently_within_a_cache_line(n_px: int) -> None:
    planes = _unlike_planes(n_px)
    assert len({plane.ctypes.data % 64 for plane in planes}) == 3
    assert all(np.shares_memory(plane, plane.base) and plane.shape == (n_px,) for plane in planes)
    assert not any(np.shares_memory(planes[a], planes[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
