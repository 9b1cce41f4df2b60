"""The belt's own colour, learned from what shows between the lanes."""

from __future__ import annotations

import numpy as np
import pytest

from grader.vision.belt import BeltDistance, BeltSettings, belt_colour


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
