"""A picture is known again, a moved one told from one of the same moment, and one without colour from a dark one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from grader.config.station import reference_installation
from grader.vision.sight import Light, has_moved, is_blank_unlike, is_colourless, is_filled_up, sight_of


def belt_with_fruit(x_px: int, noise_sd: float, seed: int, diameter_px: int = 75) -> NDArray[np.uint8]:
    picture = np.full((610, 1280, 3), (40, 42, 45), np.uint8)
    cv2.circle(picture, (x_px, 230), diameter_px // 2, (40, 60, 180), cv2.FILLED)
    noise = np.random.default_rng(seed).normal(0, noise_sd, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def test_a_picture_is_its_own_sight_only() -> None:
    picture = belt_with_fruit(600, 2.0, seed=1)
    assert sight_of(picture) == sight_of(picture.copy())
    assert sight_of(picture) != sight_of(belt_with_fruit(600, 2.0, seed=2))


@pytest.mark.parametrize("noise_sd", [0.0, 1.0, 3.0])
def test_one_fruit_that_moved_is_motion_and_noise_is_none(noise_sd: float) -> None:
    before = sight_of(belt_with_fruit(600, noise_sd, seed=1))
    assert not has_moved(before, sight_of(belt_with_fruit(600, noise_sd, seed=2)))
    assert has_moved(before, sight_of(belt_with_fruit(660, noise_sd, seed=3)))
    dimmed = (belt_with_fruit(600, noise_sd, seed=2) * 0.7).astype(np.uint8)
    assert not has_moved(before, sight_of(dimmed))


def test_a_picture_of_a_few_rows_has_a_sight() -> None:
    rows = belt_with_fruit(600, 2.0, seed=1)[:3]
    assert sight_of(rows) and not is_colourless(sight_of(rows), 3)


def test_a_picture_whose_bands_are_all_the_same_has_no_colour_and_a_dark_one_no_light() -> None:
    grey = cv2.merge([cv2.cvtColor(belt_with_fruit(600, 2.0, seed=1), cv2.COLOR_BGR2GRAY)] * 3)
    dark = np.random.default_rng(1).integers(0, 3, (610, 1280, 3), np.uint8)
    assert is_colourless(sight_of(grey), 3)
    assert is_colourless(sight_of(np.zeros((610, 1280, 4), np.uint8)), 4)
    assert not is_colourless(sight_of(dark), 3)  # noise in every band: it was taken, and by little light
    assert not is_colourless(sight_of(grey[:, :, :1]), 1)  # a camera of one band never had colours
    assert not is_colourless(sight_of(np.full((610, 1280, 3), 45, np.uint8)), 3)  # a drawn belt, and nothing on it


CAMERA = reference_installation(lanes=4).cameras["top"]


@pytest.mark.parametrize("noise_sd", [0.0, 2.0])
@pytest.mark.parametrize("fill", [0, 128, 255])
@pytest.mark.parametrize(
    "part",
    [np.s_[300:], np.s_[:120], np.s_[200:260], np.s_[:, 640:], np.s_[:, 500:560], np.s_[450:, 300:]],
)
def test_a_picture_that_something_filled_up_did_not_come_whole(
    part: tuple[slice, ...], fill: int, noise_sd: float
) -> None:
    picture = belt_with_fruit(600, noise_sd, seed=1)
    assert not is_filled_up(sight_of(picture), CAMERA, lanes=4)
    picture[part] = fill
    assert is_filled_up(sight_of(picture), CAMERA, lanes=4)


def test_a_picture_of_one_colour_that_the_last_one_had_not_shows_nothing() -> None:
    belt, grey = sight_of(belt_with_fruit(600, 2.0, seed=1)), sight_of(np.full((610, 1280, 3), 128, np.uint8))
    drawn = sight_of(np.full((610, 1280, 3), (40, 42, 45), np.uint8))
    assert is_blank_unlike(grey, belt, 3)
    assert not is_blank_unlike(drawn, belt, 3) and not is_blank_unlike(belt, grey, 3)


def test_what_is_dark_to_the_last_count_beside_the_lanes_or_drawn_of_one_colour_is_whole() -> None:
    framed = belt_with_fruit(600, 2.0, seed=1)
    framed[:20], framed[-20:], framed[:, :200], framed[:, -200:] = 0, 0, 0, 0
    assert not is_filled_up(sight_of(framed), CAMERA, lanes=4)
    assert not is_filled_up(sight_of(np.full((610, 1280, 3), (40, 42, 45), np.uint8)), CAMERA, lanes=4)
    assert not is_filled_up(sight_of(framed[:3]), CAMERA, lanes=4)


@pytest.mark.parametrize(("share", "is_too_dark"), [(0.5, False), (0.15, True)])
def test_a_picture_with_little_of_the_light_that_there_was_is_too_dark_and_the_next_good_one_is_not(
    share: float, is_too_dark: bool
) -> None:
    light = Light()
    good = belt_with_fruit(600, 2.0, seed=1)
    for _ in range(40):
        light.see(sight_of(good))
    light.see(sight_of((good * share).astype(np.uint8)))
    assert light.is_too_dark is is_too_dark
    light.see(sight_of(good))
    assert not light.is_too_dark
