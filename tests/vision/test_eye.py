"""What one frame shows: promises of the eye, on painted frames whose contents are known exactly."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import BELT, DARK_RED, RED, YELLOW, Disc, camera, frame, line

from grader.domain.views import Occupancy, ViewFeatures
from grader.errors import BadSettings
from grader.units import Pulse
from grader.vision.eye import Eye

PULSE = Pulse(288)  # cups 0 to 3 stand at 360, 240, 120 and 0 px


def look(discs: list[Disc], lanes: int = 2, noise: float = 1.5, **changes: object) -> ViewFeatures:
    place = camera(lanes, **changes)
    return Eye(place, line(lanes)).look(frame(place, discs, noise), PULSE)[0]


def of(views: ViewFeatures, lane: int, cup: int) -> ViewFeatures:
    return views.rows((views.lane == lane) & (views.cup == cup))


def test_bare_belt_shows_every_cup_empty() -> None:
    views = look([])
    assert len(views) == 2 * 4
    assert (views.occupancy == Occupancy.EMPTY).all()
    assert np.isnan(views.widest_mm).all()


@pytest.mark.parametrize("colour", [RED, YELLOW, DARK_RED])
@pytest.mark.parametrize("diameter_px", [64.0, 90.0, 113.7])
def test_disc_is_measured_to_half_a_millimetre_whatever_its_colour(
    colour: tuple[float, float, float], diameter_px: float
) -> None:
    views = look([Disc(241.3, 78.6, diameter_px, colour)])
    fruit = of(views, 0, 1)
    assert fruit.occupancy[0] == Occupancy.ONE
    assert fruit.widest_mm[0] == pytest.approx(diameter_px * 0.8, abs=0.5)
    assert fruit.callipers_mm[0].min() == pytest.approx(diameter_px * 0.8, abs=0.5)
    assert fruit.area_mm2[0] == pytest.approx(np.pi / 4 * (diameter_px * 0.8) ** 2, rel=0.012)
    assert (np.delete(views.occupancy, np.flatnonzero((views.lane == 0) & (views.cup == 1))) == Occupancy.EMPTY).all()


def test_disc_belongs_to_the_cup_and_lane_it_lies_in() -> None:
    views = look([Disc(360 + 9, 230 - 8, 90)])
    assert of(views, 1, 0).occupancy[0] == Occupancy.ONE
    assert (views.occupancy != Occupancy.EMPTY).sum() == 1


@pytest.mark.parametrize("colour", [RED, YELLOW, DARK_RED])
def test_the_edges_of_a_blurred_fruit_are_half_as_sharp_whatever_its_colour(colour: tuple[float, float, float]) -> None:
    place = camera()
    picture = frame(place, [Disc(241.3, 78.6, 90.0, colour)], 1.5)
    sharp, soft = (
        of(Eye(place, line()).look(each, PULSE)[0], 0, 1).sharpness[0]
        for each in (picture, cv2.GaussianBlur(picture, (0, 0), 4.0))
    )
    assert sharp > 0.45 and soft < 0.6 * sharp


def test_two_discs_that_meet_are_flagged_touching_and_both_are_there() -> None:
    views = look([Disc(240, 80, 112), Disc(349, 80, 112)])
    assert of(views, 0, 1).occupancy[0] == Occupancy.TOUCHING
    assert of(views, 0, 0).occupancy[0] == Occupancy.TOUCHING


def test_two_discs_five_millimetres_apart_do_not_touch() -> None:
    views = look([Disc(238, 80, 112), Disc(238 + 112 + 6.25, 80, 112)])
    assert of(views, 0, 1).occupancy[0] == Occupancy.ONE
    assert of(views, 0, 0).occupancy[0] == Occupancy.ONE
    assert of(views, 0, 1).widest_mm[0] == pytest.approx(89.6, abs=0.6)


def test_disc_larger_than_a_cup_is_oversize() -> None:
    assert of(look([Disc(240, 80, 119)]), 0, 1).occupancy[0] == Occupancy.OVERSIZE


def test_disc_at_the_pictures_edge_is_cut() -> None:
    assert of(look([Disc(12, 80, 90)]), 0, 3).occupancy[0] == Occupancy.CUT


def test_small_label_on_an_empty_cup_is_no_fruit() -> None:
    views = look([Disc(240, 80, 30, (200.0, 120.0, 40.0))])
    assert (views.occupancy == Occupancy.EMPTY).all()


@pytest.mark.parametrize("leaf", [(22.0, 34.0, 40.0), (35.0, 75.0, 85.0), (70.0, 40.0, 30.0)])
def test_leaf_beside_a_fruit_makes_it_two_millimetres_larger_at_most(leaf: tuple[float, float, float]) -> None:
    views = look([Disc(240 + 50, 110, 34, leaf), Disc(240, 80, 90, YELLOW)])
    assert of(views, 0, 1).widest_mm[0] == pytest.approx(72.0, abs=2.0)


LEAF = (22.0, 34.0, 40.0)


@pytest.mark.parametrize("colour", [RED, YELLOW])
@pytest.mark.parametrize(("dx", "dy", "leaf_px"), [(20, -36, 60), (0, -38, 70), (-30, -30, 50)])
def test_a_leaf_over_a_quarter_of_its_edge_makes_a_fruit_four_millimetres_larger_at_most(
    colour: tuple[float, float, float], dx: int, dy: int, leaf_px: int
) -> None:
    views = look([Disc(240 + dx, 80 + dy, leaf_px, LEAF), Disc(240, 80, 84, colour)])
    callipers_mm = of(views, 0, 1).callipers_mm[0]
    assert callipers_mm.max() < 84 * 0.8 + 4.0
    assert callipers_mm.min() == pytest.approx(84 * 0.8, abs=0.3)


def test_leaf_from_a_fruit_to_the_pictures_edge_does_not_make_it_cut_and_the_edge_does() -> None:
    up = [Disc(240, y, 28, LEAF) for y in range(0, 40, 6)]
    fruit = of(look([*up, Disc(240, 80, 90, YELLOW)]), 0, 1)
    assert fruit.occupancy[0] == Occupancy.ONE
    assert fruit.widest_mm[0] == pytest.approx(72.0, abs=2.0)
    assert of(look([Disc(240, 40, 90, YELLOW)]), 0, 1).occupancy[0] == Occupancy.CUT


@pytest.mark.parametrize("lean", [(4, 0), (0, 4), (3, 3)])
def test_a_long_leaf_in_an_empty_cup_is_no_fruit(lean: tuple[int, int]) -> None:
    leaf = [Disc(240 + lean[0] * step, 80 + lean[1] * step, 27, LEAF) for step in range(-6, 7)]
    assert (look(leaf).occupancy == Occupancy.EMPTY).all()


@pytest.mark.parametrize("diameter_mm", [42.0, 45.0])
def test_a_fruit_smaller_than_the_line_is_made_for_is_found_and_measured(diameter_mm: float) -> None:
    fruit = of(look([Disc(240.4, 79.7, diameter_mm / 0.8, RED)]), 0, 1)
    assert fruit.occupancy[0] == Occupancy.ONE
    assert fruit.widest_mm[0] == pytest.approx(diameter_mm, abs=0.5)


@pytest.mark.parametrize("hole_px", [10, 20, 30])
@pytest.mark.parametrize("x", [239.0, 240.7, 242.3])
def test_a_spot_that_looks_like_the_belt_does_not_dent_the_outline(hole_px: float, x: float) -> None:
    views = look([Disc(x, 80, 66, DARK_RED), Disc(x, 80, hole_px, BELT)])
    fruit = of(views, 0, 1)
    assert fruit.widest_mm[0] == pytest.approx(66 * 0.8, abs=0.5)
    assert fruit.callipers_mm[0].min() == pytest.approx(66 * 0.8, abs=0.5)


def test_perspective_is_taken_out_of_a_sphere_far_from_the_optical_centre() -> None:
    # A sphere of 80 mm, its centre at the reference height, 400 mm off the axis along the belt: its outline is an
    # ellipse, exactly (intersection of the tangent cone with the picture plane).
    lens, radius, off = 1500.0, 40.0, 400.0
    away = np.hypot(lens, off)
    half_angle, tilt = np.arcsin(radius / away), np.arctan2(off, lens)
    near, far = lens * np.tan(tilt - half_angle), lens * np.tan(tilt + half_angle)
    across = 2 * radius * lens / np.sqrt(lens**2 - radius**2 + off**2 - off**2 * 1.0)
    place = camera(1, width=1280, lens_above_mm=lens)
    centre_px = 640.0 + (near + far) / 2 / 0.8
    canvas = np.zeros((160 * 8, 1280 * 8), np.uint8)
    axes = (round((far - near) / 2 / 0.8 * 8 * 64), round(across / 2 / 0.8 * 8 * 64))
    cv2.ellipse(canvas, (round((centre_px + 0.5) * 512), round(80.5 * 512)), axes, 0, 0, 360, 255, -1, cv2.LINE_8, 6)
    cover = cv2.resize(canvas, (1280, 160), interpolation=cv2.INTER_AREA)[:, :, None].astype(np.float32) / 255
    picture = np.rint(np.array(BELT) * (1 - cover) + cover * np.array(RED)).astype(np.uint8)
    pulse = Pulse(round(centre_px * 0.8))
    views, _ = Eye(place, line(1)).look(picture, pulse)
    fruit = of(views, 0, 0)
    assert fruit.widest_mm[0] == pytest.approx(80.0, abs=0.3)
    assert fruit.callipers_mm[0].min() == pytest.approx(80.0, abs=0.3)


def test_bands_are_found_by_their_names_whatever_their_order() -> None:
    place = camera(1)
    picture = frame(place, [Disc(240, 80, 90)])
    plain, shown = Eye(place, line(1)).look(picture, PULSE)
    turned, others = Eye(camera(1, bands=("red", "green", "blue")), line(1)).look(picture[:, :, ::-1], PULSE)
    assert np.array_equal(turned.widest_mm, plain.widest_mm, equal_nan=True)
    assert np.array_equal(others.cuts.portraits().pixels, shown.cuts.portraits().pixels)


def test_camera_without_colours_is_refused_in_words() -> None:
    with pytest.raises(BadSettings, match="without blue, green and red"):
        Eye(camera(1, bands=("nir",)), line(1))


def test_camera_that_follows_light_sees_the_same_fruit_as_one_with_the_curve_of_srgb() -> None:
    place = camera(1)
    picture = frame(place, [Disc(240, 80, 90, YELLOW)])
    as_light = np.where(picture <= 10, picture / 12.92, 255 * ((picture / 255 + 0.055) / 1.055) ** 2.4)
    linear, lit = Eye(camera(1, transfer="linear"), line(1)).look(np.rint(as_light).astype(np.uint8), PULSE)
    plain, shown = Eye(place, line(1)).look(picture, PULSE)
    assert of(linear, 0, 1).widest_mm[0] == pytest.approx(of(plain, 0, 1).widest_mm[0], abs=0.4)
    in_the_middle = (0, slice(20, 44), slice(20, 44))
    counts, as_srgb = (each.cuts.portraits().pixels[in_the_middle].astype(int) for each in (shown, lit))
    assert np.abs(counts - as_srgb).mean() < 1.0


def test_extra_band_is_left_alone() -> None:
    place = camera(1, bands=("blue", "green", "red", "nir"))
    picture = frame(place, [Disc(240, 80, 90)])
    with_nir = np.dstack([picture, np.full(picture.shape[:2], 77, np.uint8)])
    plain, _ = Eye(camera(1), line(1)).look(picture, PULSE)
    assert np.array_equal(Eye(place, line(1)).look(with_nir, PULSE)[0].widest_mm, plain.widest_mm, equal_nan=True)


def test_second_look_at_the_same_frame_says_the_same() -> None:
    place = camera(2)
    eye = Eye(place, line(2))
    first_frame, other = frame(place, [Disc(240, 80, 90)], 1.5), frame(place, [Disc(130, 235, 70, YELLOW)], 1.5)
    first, shown = eye.look(first_frame, PULSE)
    portraits = shown.cuts.portraits()
    eye.look(other, PULSE)
    again, shown_again = eye.look(first_frame, PULSE)
    for name in ("widest_mm", "callipers_mm", "area_mm2"):
        assert np.array_equal(getattr(first, name), getattr(again, name), equal_nan=True)
    assert all(np.array_equal(*each) for each in zip(portraits, shown_again.cuts.portraits(), strict=True))


@pytest.mark.parametrize("fill", [0, 1, 40, 128, 255])
def test_uniform_frame_of_any_grey_is_looked_at_without_complaint(fill: int) -> None:
    place = camera(2)
    Eye(place, line(2)).look(np.full((place.height_px, place.width_px, 3), fill, np.uint8), PULSE)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), grain=st.sampled_from([1, 3, 9, 33]), pulse=st.integers(-(10**6), 10**12))
def test_any_picture_is_looked_at_without_complaint(seed: int, grain: int, pulse: int) -> None:
    rng = np.random.default_rng(seed)
    place = camera(2, width=320)
    blocks = rng.integers(0, 256, (place.height_px // grain + 1, 320 // grain + 1, 3), dtype=np.uint8)
    picture = np.ascontiguousarray(np.kron(blocks, np.ones((grain, grain, 1), np.uint8))[: place.height_px, :320])
    views, shown = Eye(place, line(2)).look(picture, Pulse(pulse))
    seen = ~np.isin(views.occupancy, (Occupancy.EMPTY, Occupancy.CUT))
    assert np.isfinite(views.widest_mm[seen]).all()
    assert len(shown.cuts.portraits().pixels) == np.count_nonzero(seen)
