"""The grid over a face: cells of equal area, laid where the geometry of a ball says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from grader.vision.face import (
    CELL_SHARE,
    FACING,
    LONGITUDE_DEG,
    N_COLUMNS,
    N_ROWS,
    SEEN,
    SEEN_DEG,
    FaceSampler,
    skin_weights,
)
from grader.vision.rays import N_RAYS, RAY_ANGLES


def outlines(centres: list[tuple[float, float]], radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres (2, m) and radii (m, N_RAYS), as `FaceSampler.sample` takes them."""
    spread = np.broadcast_to(radius, (len(centres), N_RAYS)).astype(np.float32).copy()
    return np.array(centres, np.float32).T.copy(), spread


def picture_of_places(shape: tuple[int, int] = (200, 240)) -> np.ndarray:
    """Every pixel says where it is: x in the first channel, y in the second."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


def test_points_strewn_evenly_over_a_sphere_fall_evenly_into_the_cells() -> None:
    way = np.random.default_rng(3).standard_normal((2_000_000, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    longitude = np.degrees(np.arctan2(way[:, 0], way[:, 2]))
    row = (way[:, 1] / np.sin(np.radians(SEEN_DEG)) + 1) / 2 * N_ROWS
    column = (longitude / SEEN_DEG + 1) / 2 * N_COLUMNS
    inside = (row >= 0) & (row < N_ROWS) & (column >= 0) & (column < N_COLUMNS)
    cell = row[inside].astype(int) * N_COLUMNS + column[inside].astype(int)
    share = np.bincount(cell, minlength=N_ROWS * N_COLUMNS) / len(way)
    error = np.sqrt(CELL_SHARE / len(way))
    assert np.abs(share - CELL_SHARE).max() < 5 * error
    assert share.mean() == pytest.approx(CELL_SHARE, rel=3e-3)


def test_cells_seen_are_those_within_the_stated_angle_of_the_line_of_sight() -> None:
    angle = np.degrees(np.arccos(FACING))
    assert (SEEN == (angle <= SEEN_DEG)).all()
    assert SEEN[N_ROWS // 2].all() and not SEEN[0, 0]


@pytest.mark.parametrize("sight_deg", [-27.0, 0.0, 8.0, 27.0])
def test_weights_of_a_face_are_one_together_and_none_falls_on_skin_that_is_not_seen(sight_deg: float) -> None:
    weights = skin_weights(sight_deg)
    assert weights.sum() == pytest.approx(1.0, abs=1e-5)
    assert (weights >= 0).all() and not weights[~SEEN.ravel()].any()


@pytest.mark.parametrize("sight_deg", [-27.0, -13.0, 0.0, 27.0])
@pytest.mark.parametrize("from_sine", [-0.5, 0.0, 0.4])
def test_a_coloured_end_has_its_share_of_the_skin_from_wherever_a_turning_ball_is_seen(
    sight_deg: float, from_sine: float
) -> None:
    # A ball that turns about y, coloured beyond a circle of latitude and, more, in one sector of longitude.
    y = np.broadcast_to(
        ((np.arange(N_ROWS) + 0.5) / N_ROWS * 2 - 1)[:, None] * np.sin(np.radians(SEEN_DEG)), SEEN.shape
    )
    x = np.sqrt(1 - y**2) * np.sin(np.radians(LONGITUDE_DEG.astype(float)))
    to_lens = np.stack([x, y, np.sqrt(1 - x**2 - y**2)], axis=-1).reshape(-1, 3)
    tilt = np.radians(sight_deg)  # the lens looks at this latitude: its way is (0, sin, cos) in the belt's frame
    on_belt = to_lens @ np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    assert on_belt[np.argmax(FACING)] @ [0, np.sin(tilt), np.cos(tilt)] > 0.99
    shares = []
    for turned in np.radians(np.arange(0, 360, 10)):
        longitude = np.arctan2(on_belt[:, 0], on_belt[:, 2]) + turned
        shares.append(skin_weights(sight_deg) @ ((on_belt[:, 1] > from_sine) | (np.cos(longitude) > 0.9)))
    cap, sector = (1 - from_sine) / 2, np.arccos(0.9) / np.pi
    assert np.mean(shares) == pytest.approx(cap + (1 - cap) * sector, abs=0.03)


def test_grid_on_a_ball_lies_where_latitude_and_longitude_say() -> None:
    radius, centre = 50.0, (120.0, 100.0)
    (face,) = FaceSampler(2).sample(picture_of_places(), *outlines([centre], np.full(N_RAYS, radius))).astype(float)
    sine = ((np.arange(N_ROWS) + 0.5) / N_ROWS * 2 - 1) * np.sin(np.radians(SEEN_DEG))
    x = centre[0] + radius * np.sqrt(1 - sine[:, None] ** 2) * np.sin(np.radians(LONGITUDE_DEG.astype(float)))
    y = centre[1] + radius * sine[:, None]
    assert np.abs(face[:, 0] - x.ravel()).max() <= 0.51
    assert np.abs(face[:, 1] - np.broadcast_to(y, x.shape).ravel()).max() <= 0.51


def test_grid_stays_inside_a_long_outline_and_reaches_as_far_along_it() -> None:
    # An ellipse: half axes of 30 along x and 60 along y.
    radius = 1 / np.hypot(np.cos(RAY_ANGLES) / 30, np.sin(RAY_ANGLES) / 60)
    (face,) = FaceSampler(1).sample(picture_of_places(), *outlines([(100.0, 100.0)], radius)).astype(float)
    x, y = face[:, 0] - 100, face[:, 1] - 100
    assert np.hypot(x / 30, y / 60)[SEEN.ravel()].max() < 1.0
    assert np.abs(y).max() == pytest.approx(60 * np.sin(np.radians(SEEN_DEG)), abs=4)
    assert np.abs(x).max() == pytest.approx(30 * np.sin(np.radians(SEEN_DEG)), abs=3)


def test_each_fruit_has_its_own_row() -> None:
    sampler, picture = FaceSampler(3), picture_of_places()
    centres = [(60.0, 60.0), (180.0, 60.0), (60.0, 140.0)]
    together = sampler.sample(picture, *outlines(centres, np.full(N_RAYS, 40.0))).copy()
    for number, centre in enumerate(centres):
        (alone,) = sampler.sample(picture, *outlines([centre], np.full(N_RAYS, 40.0)))
        assert (together[number] == alone).all()


def test_grid_beyond_the_pictures_edge_repeats_its_border() -> None:
    picture = cv2.GaussianBlur(picture_of_places(), (3, 3), 0)
    face = FaceSampler(1).sample(picture, *outlines([(2.0, 100.0)], np.full(N_RAYS, 40.0)))
    assert face[..., 0].min() == picture[..., 0].min()
