"""Views against what a pinhole camera must show: outlines, places of spots, gloss."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hardware.sim.bodies import Body, Shape, directions
from hardware.sim.light import TUNNEL, Lighting
from hardware.sim.render import Lens, Model, draw_fruit
from hardware.sim.skin import N_LAT, N_LON, cells
from hardware.sim.varieties import FUJI, GALA, RED_DELICIOUS, Variety, shape_of

LENS = Lens(mm_per_px=0.8, above_mm=1500.0, foot_px=(640.0, 305.0))
EVEN = Lighting(dome=1.0, limb=0.0, exposure=1.0)
NO_STEM = np.zeros((0, 3))


def model_of(body: Body, look: np.ndarray | None = None, gloss: float = 0.0) -> Model:
    white = np.ones((N_LAT, N_LON, 3), np.float32)
    return Model.of(body, white if look is None else look, NO_STEM, 0.0, gloss)


def view(model: Model, turn: np.ndarray, centre: tuple[float, float, float], lighting: Lighting = EVEN) -> np.ndarray:
    canvas = np.zeros((610, 1280, 3), np.float32)
    draw_fruit(canvas, model, turn, np.array(centre), LENS, lighting)
    return canvas


def lying(lean: float, roll: float) -> np.ndarray:
    """The axis of the body near the y axis of the picture, leant, then turned about it."""
    c, s = np.cos(lean - np.pi / 2), np.sin(lean - np.pi / 2)
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    c, s = np.cos(roll), np.sin(roll)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]]) @ about_x


@pytest.mark.parametrize("diameter_mm", [52.0, 80.0, 92.0])
@pytest.mark.parametrize("place", [(0.0, 0.0), (13.3, 7.0), (300.0, -150.2)])
def test_a_sphere_is_drawn_as_large_as_perspective_makes_it(diameter_mm: float, place: tuple[float, float]) -> None:
    centre = (*place, (diameter_mm - 80.0) / 2.0)
    picture = view(model_of(Body.of(Shape(diameter_mm=diameter_mm))), np.eye(3), centre)
    # The cone that touches a sphere meets the picture in an ellipse.
    distance = float(np.linalg.norm(np.array(centre) - (0.0, 0.0, 1500.0)))
    half, tilt = np.arcsin(diameter_mm / 2.0 / distance), np.arccos((1500.0 - centre[2]) / distance)
    focal_px = 1500.0 / 0.8
    long_px = focal_px * (np.tan(tilt + half) - np.tan(tilt - half)) / 2.0
    short_px = focal_px * np.sin(half) / np.sqrt(np.cos(half) ** 2 - np.sin(tilt) ** 2)
    drawn = cv2.moments(picture[..., 0])
    assert np.sqrt(drawn["m00"] / np.pi) == pytest.approx(np.sqrt(long_px * short_px), abs=0.02)
    middle_px = focal_px * (np.tan(tilt + half) + np.tan(tilt - half)) / 2.0
    away = np.array(place) / max(float(np.hypot(*place)), 1e-9)
    assert (drawn["m10"] / drawn["m00"], drawn["m01"] / drawn["m00"]) == pytest.approx(
        tuple(np.array(LENS.foot_px) + middle_px * away), abs=0.02
    )


@pytest.mark.parametrize("variety", [FUJI, GALA, RED_DELICIOUS])
@pytest.mark.parametrize("lean", [0.0, 0.3, 1.0])
def test_the_outline_of_an_apple_is_that_of_its_projected_mesh(variety: Variety, lean: float) -> None:
    body = Body.of(shape_of(variety, 80.0, np.random.default_rng(11)))
    turn, centre = lying(lean, 0.7), np.array([200.0, 100.0, 0.0])
    picture = view(model_of(body), turn, tuple(centre))[..., 0]
    theta, phi = np.linspace(0.0, np.pi, 361), np.linspace(0.0, 2.0 * np.pi, 721)
    mesh = (directions(theta, phi) * body.radius_at(theta, phi)[..., None]).reshape(-1, 3)
    shadow = LENS.pixels((mesh - np.array([0.0, 0.0, body.middle_mm])) @ turn.T + centre)
    # Width along x of the widest rows, from the covered share of each pixel.
    rows = picture.sum(axis=1)
    covered = np.flatnonzero(picture.max(axis=0) > 0.999)
    columns = picture[:, covered[0] - 3 : covered[-1] + 4].max(axis=0)
    assert columns.sum() == pytest.approx(np.ptp(shadow[:, 0]), abs=0.25), "a pixel's best row may lose a quarter"
    assert np.flatnonzero(rows > 0.5)[[0, -1]] == pytest.approx((shadow[:, 1].min(), shadow[:, 1].max()), abs=1.5)
    hull = cv2.convexHull(shadow.astype(np.float32))
    drawn = np.sqrt(picture.sum() / np.pi)
    assert drawn == pytest.approx(np.sqrt(cv2.contourArea(hull) / np.pi), abs=0.25), (
        "hollows bite a little off the hull"
    )


@pytest.mark.parametrize("direction", [(0.0, 0.9, 0.3), (0.5, 0.8, 0.0), (-0.6, 0.7, -0.4)])
def test_a_spot_is_drawn_where_its_point_of_the_surface_lies(direction: tuple[float, float, float]) -> None:
    body = Body.of(Shape(diameter_mm=84.0, slenderness=0.85, squareness=2.3))
    way = np.array(direction) / np.linalg.norm(direction)
    near = cells().way @ way.astype(np.float32) > np.cos(0.05)
    look = np.where(near[..., None], np.float32(1.0), np.float32(0.0)) * np.ones(3, np.float32)
    turn, centre = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]), np.array([120.0, -60.0, 2.0])
    picture = view(model_of(body, look), turn, tuple(centre))[..., 0].astype(np.float64)
    rows, columns = np.nonzero(picture > 0.01)
    weight = picture[rows, columns]
    theta, phi = np.arccos(way[2:]), np.arctan2(way[1:2], way[:1])
    point = turn @ (way * body.radius_at(theta, phi)[0, 0]) + centre
    expected = LENS.pixels(point[None])[0]
    assert (np.average(columns, weights=weight), np.average(rows, weights=weight)) == pytest.approx(
        tuple(expected), abs=0.25
    )


@pytest.mark.parametrize("share", [0.01, 0.03])
def test_gloss_takes_its_share_of_the_outline(share: float) -> None:
    body = Body.of(Shape(diameter_mm=80.0))
    dull = view(model_of(body), np.eye(3), (0.0, 0.0, 0.0), TUNNEL)
    glossy = view(model_of(body, gloss=share), np.eye(3), (0.0, 0.0, 0.0), TUNNEL)
    mirrored = ((glossy - dull)[..., 0] > 0.2).sum() / (dull[..., 0] > 0.1).sum()
    assert mirrored == pytest.approx(share, rel=0.35)


def test_fruit_cut_by_the_picture_or_outside_it_are_drawn_as_far_as_they_show() -> None:
    model = model_of(Body.of(Shape(diameter_mm=80.0)))
    half = view(model, np.eye(3), (-512.0, 0.0, 0.0))
    whole = view(model, np.eye(3), (-400.0, 0.0, 0.0))
    assert half[..., 0].sum() == pytest.approx(whole[..., 0].sum() / 2.0, rel=0.05)
    assert not view(model, np.eye(3), (-900.0, 0.0, 0.0)).any()


def test_a_stalk_shows_beside_the_fruit_and_hides_behind_it() -> None:
    body = Body.of(shape_of(FUJI, 80.0, np.random.default_rng(1)))
    stalk = np.array([[0.0, 0.0, 20.0], [0.0, 0.0, 50.0]])
    white = np.ones((N_LAT, N_LON, 3), np.float32)
    with_stalk, without = (Model.of(body, white, line, 2.4, 0.0) for line in (stalk, NO_STEM))
    aside = np.abs(view(with_stalk, lying(0.0, 0.0), (0, 0, 0)) - view(without, lying(0.0, 0.0), (0, 0, 0)))[..., 0]
    assert (aside > 0.03).sum() > 15
    behind = lying(-np.pi / 2, 0.0)
    if (behind @ [0.0, 0.0, 1.0])[2] > 0:
        behind = lying(np.pi / 2, 0.0)
    hidden = np.abs(view(with_stalk, behind, (0, 0, 0)) - view(without, behind, (0, 0, 0)))
    assert hidden.max() < 0.01
