"""Lengths of outlines that are known in closed form, from above and aslant."""

from __future__ import annotations

import known_bodies as bodies
import numpy as np
import pytest

from grader.domain.views import N_CALLIPERS
from grader.vision.outline import Outlines
from grader.vision.rays import N_RAYS, RAY_ANGLES
from grader.vision.size import Sizes, calliper_directions, sizes

CAMERA = bodies.camera()
SCALE = 2


def outlines(points: bodies.Values) -> Outlines:
    """From closed outlines (m, p, 2) in pixels of the picture: radii where rays from their middles meet them."""
    plane = (points + 0.5) / SCALE - 0.5
    centre = (plane.min(axis=1) + plane.max(axis=1)) / 2
    radius = np.empty((len(points), N_RAYS), np.float32)
    for fruit, (outline, middle) in enumerate(zip(plane, centre, strict=True)):
        x, y = (outline - middle).T
        angle = np.arctan2(y, x) % (2 * np.pi)
        order = np.argsort(angle)
        radius[fruit] = np.interp(RAY_ANGLES, angle[order], np.hypot(x, y)[order], period=2 * np.pi)
    m = len(points)
    return Outlines(
        np.arange(m), centre.T.astype(np.float32), radius, np.ones(m), np.zeros(m, bool), np.empty(0, np.int64)
    )


def ellipse(x_px: float, y_px: float, long_px: float, short_px: float, turned_deg: float) -> bodies.Values:
    t, turned = np.linspace(0, 2 * np.pi, 4000, endpoint=False), np.radians(turned_deg)
    x, y = long_px / 2 * np.cos(t), short_px / 2 * np.sin(t)
    c, s = np.cos(turned), np.sin(turned)
    return np.stack([x_px + c * x - s * y, y_px + s * x + c * y], axis=1)


def seen_ball(along_mm: float, aside_mm: float, diameter_mm: float) -> bodies.Values:
    """Picture of a ball's rim: where its cone of sight cuts the plane at the reference height. (p, 2) px."""
    lens = np.array([0.0, 0.0, bodies.LENS_MM])
    sight = np.array([along_mm, aside_mm, 0.0]) - lens
    away_mm = np.linalg.norm(sight)
    sight /= away_mm
    one = np.cross(sight, [0.0, 1.0, 0.0])
    one /= np.linalg.norm(one)
    half, t = np.arcsin(diameter_mm / 2 / away_mm), np.linspace(0, 2 * np.pi, 4000, endpoint=False)[:, None]
    ray = np.cos(half) * sight + np.sin(half) * (np.cos(t) * one + np.sin(t) * np.cross(sight, one))
    hit = lens + ray * (-lens[2] / ray[:, 2:])
    return np.asarray(hit[:, :2] / CAMERA.mm_per_px + [CAMERA.width_px / 2, CAMERA.height_px / 2])


def test_callipers_of_an_ellipse_from_above_are_those_of_its_formula() -> None:
    turned_deg = 30.0
    telecentric = bodies.camera(lens_mm=None)

    found = sizes(outlines(ellipse(400, 300, 100, 84, turned_deg)[None]), telecentric, SCALE)

    off = bodies.ANGLES - np.radians(turned_deg)
    expected_mm = 0.8 * np.sqrt((100 * np.cos(off)) ** 2 + (84 * np.sin(off)) ** 2)
    assert found.callipers_mm[0] == pytest.approx(expected_mm, abs=0.2)  # the polygon of rays cuts its corners
    assert found.widest_mm[0] == pytest.approx(80.0, abs=0.1)
    assert found.area_mm2[0] == pytest.approx(np.pi / 4 * 80 * 67.2, rel=0.003)
    assert found.along_mm[0] == pytest.approx((400 - 640) * 0.8, abs=0.01)
    assert found.aside_mm[0] == pytest.approx((300 - 305) * 0.8, abs=0.01)


@pytest.mark.parametrize(("along_mm", "aside_mm"), [(0.0, 0.0), (450.0, 0.0), (-450.0, 180.0), (60.0, -180.0)])
def test_a_ball_is_as_wide_in_every_direction_wherever_it_is_seen(along_mm: float, aside_mm: float) -> None:
    found = sizes(outlines(seen_ball(along_mm, aside_mm, 80.0)[None]), CAMERA, SCALE)

    assert found.callipers_mm[0] == pytest.approx(np.full(N_CALLIPERS, 80.0), abs=0.15)


def test_a_fruit_fills_its_hull_and_a_fruit_with_a_leaf_does_not() -> None:
    fruit = ellipse(600, 300, 96, 84, 20.0)
    leaf = ellipse(652, 300, 50, 16, 0.0)
    both = np.where((np.hypot(*(leaf - [600, 300]).T) > 44)[:, None], leaf, fruit[:1])
    with_leaf = np.concatenate([fruit[np.abs(np.arctan2(*(fruit - [600, 300]).T[::-1])) > 0.18], both])

    found = _both(fruit, with_leaf)

    assert abs(found.hollow[0]) < 0.002
    assert found.hollow[1] > 0.03


def _both(fruit: bodies.Values, with_leaf: bodies.Values) -> Sizes:
    one, other = outlines(fruit[None]), outlines(with_leaf[None])
    return sizes(
        Outlines(
            np.arange(2),
            np.concatenate([one.centre, other.centre], axis=1),
            np.concatenate([one.radius, other.radius]),
            np.ones(2),
            np.zeros(2, bool),
            np.empty(0, np.int64),
        ),
        CAMERA,
        SCALE,
    )


def test_nothing_seen_is_nothing_measured() -> None:
    none = np.empty(0, np.int64)
    nobody = np.empty(0, np.float32)
    nothing = Outlines(none, nobody.reshape(2, 0), nobody.reshape(0, N_RAYS), nobody, np.empty(0, bool), none)

    found = sizes(nothing, CAMERA, SCALE)

    assert found.callipers_mm.shape == (0, N_CALLIPERS)
    assert all(len(column) == 0 for column in found)


def test_callipers_lie_across_the_line_of_sight_and_keep_their_direction_in_the_picture() -> None:
    along_mm, aside_mm = np.array([0.0, 450.0, -300.0, 5.0]), np.array([0.0, -180.0, 100.0, 180.0])

    found = calliper_directions(along_mm, aside_mm, bodies.LENS_MM)

    sight = np.stack([-along_mm, -aside_mm, np.full(4, bodies.LENS_MM)], axis=1)
    assert np.allclose(np.einsum("nki,ni->nk", found, sight), 0.0, atol=1e-9)
    assert np.allclose(np.linalg.norm(found, axis=2), 1.0)
    turned = np.arccos(np.clip(np.einsum("nki,nki->nk", found[:, 1:], found[:, :-1]), -1, 1))
    assert np.allclose(turned, np.pi / N_CALLIPERS)
    flat = np.stack([np.cos(bodies.ANGLES), np.sin(bodies.ANGLES), np.zeros(N_CALLIPERS)], axis=1)
    assert np.allclose(found[0], flat)
    assert np.allclose(calliper_directions(along_mm, aside_mm, None), flat[None])
