"""Dark spots: promises of the first defect measure, on balls painted with discs of known area.

The balls are painted here, from reflectance and geometry, without any of the simulator's code.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from grader.vision.face import FACING, LONGITUDE_DEG, N_COLUMNS, N_ROWS, SEEN_DEG
from grader.vision.spots import SpotFinder, Spots, SpotSettings

Light = NDArray[np.float64]

GROUND = np.array([0.15, 0.5, 0.66])  # blue, green, red, linear
PIGMENT = np.array([0.7, 1.0, 0.15])  # what one unit of blush takes, as logarithms
BELT_SHARE = np.sin(np.radians(SEEN_DEG))  # of the sphere: the latitudes that a face shows
SINE = ((np.arange(N_ROWS) + 0.5) / N_ROWS * 2 - 1) * BELT_SHARE
Y = np.broadcast_to(SINE[:, None], (N_ROWS, N_COLUMNS))
TURNS_DEG = np.arange(0, 360, 20)


def body_way(turn_deg: float) -> Light:
    """(N_ROWS, N_COLUMNS, 3): which way of the body each cell shows after a turn about y."""
    longitude = np.radians(LONGITUDE_DEG.astype(float) + turn_deg)
    ring = np.sqrt(1 - Y**2)
    return np.stack([ring * np.sin(longitude), Y, ring * np.cos(longitude)], axis=-1)


def away_deg(turn_deg: float, latitude_deg: float, longitude_deg: float) -> Light:
    """How far each cell is from a place on the body, degrees along the surface."""
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    place = [np.cos(latitude) * np.sin(longitude), np.sin(latitude), np.cos(latitude) * np.cos(longitude)]
    return np.degrees(np.arccos(np.clip(body_way(turn_deg) @ np.array(place), -1, 1)))


def counts(light: Light) -> NDArray[np.uint8]:
    """sRGB counts of linear light (IEC 61966-2-1)."""
    light = np.clip(light, 0, 1)
    share = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(share * 255).astype(np.uint8)


def shaded(reflectance: Light) -> NDArray[np.uint8]:
    """A face (N_ROWS, N_COLUMNS, 3) under a dome of light that fades to the limb."""
    return counts(reflectance * (0.45 + 0.5 * FACING.astype(float))[..., None])


def bare(density: Light | float = 0.0) -> Light:
    """Skin with so much blush at each cell."""
    return GROUND * np.exp(-np.broadcast_to(density, (N_ROWS, N_COLUMNS))[..., None] * PIGMENT)


def found(*faces: NDArray[np.uint8], **changes: float) -> Spots:
    finder = SpotFinder(len(faces), SpotSettings(**changes))
    return finder.find(rows(*faces))


def rows(*faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Faces (N_ROWS, N_COLUMNS, 3) as the finder takes them, a row each."""
    return np.stack(faces).reshape(len(faces), -1, 3)


def turned(radius_deg: float, latitude_deg: float = 10.0, density: float = 0.0, darkness: float = 0.4) -> list[Spots]:
    """What a whole turn of a ball with one disc shows, view by view, beside sound fruit of the same frame."""
    sound = [shaded(bare())] * 10
    views = []
    for turn_deg in TURNS_DEG:
        spot = away_deg(turn_deg, latitude_deg, 77.0) <= radius_deg
        views.append(found(shaded(bare(density) * np.where(spot, darkness, 1.0)[..., None]), *sound))
    return views


def test_sound_ball_has_no_spot() -> None:
    spots = found(*[shaded(bare())] * 5)
    assert not spots.dark.any()
    assert not spots.share.any() and not spots.passing.any() and not spots.largest_cells.any()


@pytest.mark.parametrize("radius_deg", [7.0, 10.0, 15.0, 22.0])
@pytest.mark.parametrize("density", [0.0, 2.5])
def test_disc_measures_its_area_over_a_whole_turn_and_counts_once(radius_deg: float, density: float) -> None:
    views = turned(radius_deg, density=density)
    cap_share = (1 - np.cos(np.radians(radius_deg))) / 2
    assert np.mean([view.share[0] for view in views]) * BELT_SHARE == pytest.approx(cap_share, rel=0.2)
    assert np.mean([view.passing[0] for view in views]) == pytest.approx(1.0, abs=0.15)
    assert max(view.share[1:].max() for view in views) == 0


def test_two_discs_count_twice() -> None:
    views = []
    for turn_deg in TURNS_DEG:
        spot = (away_deg(turn_deg, -20, 40) < 9) | (away_deg(turn_deg, 25, 75) < 9)
        views.append(found(shaded(bare() * np.where(spot, 0.4, 1.0)[..., None]), *[shaded(bare())] * 9))
    assert np.mean([view.passing[0] for view in views]) == pytest.approx(2.0, abs=0.3)


@pytest.mark.parametrize("proportion", [0.1, 0.15, 0.3])
def test_blush_beside_ground_is_no_spot_whatever_its_pigment_takes_from_red(proportion: float) -> None:
    rng = np.random.default_rng(4)
    faces = []
    for _ in range(12):  # patches of blush with edges of some cells, another place on each fruit
        edge = away_deg(0, rng.uniform(-40, 40), rng.uniform(-50, 50)) - rng.uniform(25, 45)
        density = 2.5 / (1 + np.exp(edge / 4))
        faces.append(shaded(GROUND * np.exp(-density[..., None] * [0.7, 1.0, proportion])))
    assert found(*faces).share.max() < 0.003


def test_what_darkens_gradually_to_a_deep_middle_is_a_hollow_and_what_is_dark_to_its_edge_is_not() -> None:
    away = away_deg(0, 5, 10)
    pit = np.exp(-2.0 * np.clip(1 - away / 22, 0, 1) ** 1.5)[..., None]
    rot = np.where(away < 15, np.exp(-1.2), 1.0)[..., None]
    spots = found(shaded(bare() * pit), shaded(bare() * rot), *[shaded(bare())] * 8)
    assert spots.share[0] == 0
    assert spots.share[1] > 0.03


def test_shade_along_the_rim_is_no_spot() -> None:
    shade = np.where(Y > 0.75 * BELT_SHARE, 0.5, 1.0)[..., None]
    assert found(shaded(bare() * shade), *[shaded(bare())] * 8).share[0] == 0


def test_gloss_makes_no_dark_ring_about_itself() -> None:
    faces = []
    for longitude_deg in range(-40, 41, 10):
        face = shaded(bare(2.0))
        face[away_deg(0, 20, longitude_deg) < 8] = 250
        faces.append(face)
    assert found(*faces).share.max() == 0


def test_spots_of_fruit_that_lie_below_each_other_stay_apart() -> None:
    middle = N_COLUMNS // 2
    upper, lower = bare(), bare()
    upper[-7:, middle - 2 : middle + 2] *= 0.3
    lower[:7, middle - 2 : middle + 2] *= 0.3
    settings_ = {"rim_share": 1.0}
    alone = found(shaded(upper), **settings_).largest_cells[0]
    assert found(shaded(upper), shaded(lower), **settings_).largest_cells[0] == pytest.approx(alone, abs=4)


def test_buffers_of_one_frame_leave_nothing_in_the_next() -> None:
    spotted = shaded(bare() * np.where(away_deg(0, 0, 0) < 10, 0.4, 1.0)[..., None])
    finder = SpotFinder(12, SpotSettings())
    finder.find(rows(*[spotted] * 12))
    assert not finder.find(rows(*[shaded(bare())] * 3)).dark.any()


@pytest.mark.parametrize("level", [0, 1, 128, 255])
@pytest.mark.parametrize("fruit", [1, 7])
def test_faces_of_one_shade_have_no_spot(level: int, fruit: int) -> None:
    spots = found(*[np.full((N_ROWS, N_COLUMNS, 3), level, np.uint8)] * fruit)
    assert (spots.share < 0.02).all()


@given(seed=st.integers(0, 2**32 - 1), fruit=st.integers(1, 5), low=st.integers(0, 254))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_noise_gives_numbers_within_bounds(seed: int, fruit: int, low: int) -> None:
    noise = np.random.default_rng(seed).integers(low, 256, (fruit, N_ROWS * N_COLUMNS, 3)).astype(np.uint8)
    spots = SpotFinder(fruit, SpotSettings()).find(noise)
    assert ((spots.share >= 0) & (spots.share <= 1.0001)).all()
    assert np.isfinite(spots.passing).all() and (spots.passing >= 0).all()
    assert (spots.largest_cells == spots.largest_cells.astype(int)).all()
