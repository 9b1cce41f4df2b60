"""Skin, blush and lesions against areas and colours that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hardware.sim.bodies import Body, Shape
from hardware.sim.lesions import Outline, defect_area_mm2, defects_text, paint_lesion, paint_lesions
from hardware.sim.painting import paint, ripeness_of
from hardware.sim.recipes import BRUISE, LESIONS, SCAB
from hardware.sim.skin import N_LAT, N_LON, Skin, cells, hue_deg, waves
from hardware.sim.varieties import FUJI, GALA, GOLDEN, RED_DELICIOUS, Variety, shape_of

RED, YELLOW = (0.03, 0.04, 0.4, 0.8), (0.17, 0.53, 0.68, 0.8)


def sphere_skin() -> Skin:
    return Skin.bare(Body.of(Shape(diameter_mm=80.0)))


def cap(arc_mm: float, centre: tuple[float, float, float] = (0.6, 0.0, 0.8)) -> Outline:
    none = np.zeros(1, np.float32)
    return Outline(np.array(centre, np.float32), arc_mm, 1.0, 0.0, none, none)


def test_the_cells_of_a_sphere_add_up_to_its_surface() -> None:
    skin = sphere_skin()
    assert skin.skin_mm2 == pytest.approx(4.0 * np.pi * 40.0**2, rel=1e-4)


def test_a_hemisphere_painted_red_is_half_blush() -> None:
    skin = sphere_skin()
    skin.reflectance[:] = YELLOW
    skin.reflectance[:, : N_LON // 2] = RED
    assert skin.blush_fraction() == pytest.approx(0.5, abs=1e-6)
    skin.reflectance[: N_LAT // 4] = RED  # theta up to 45 degrees, half of it red before
    assert skin.blush_fraction() == pytest.approx(0.5 + 0.25 * (1.0 - np.cos(np.pi / 4)), abs=1e-4)


def test_hollows_are_no_skin_and_their_colour_does_not_count() -> None:
    body = Body.of(shape_of(FUJI, 80.0, np.random.default_rng(3)))
    skin = Skin.bare(body)
    assert 0.8 < skin.skin_mm2 / float(skin.area_mm2.sum()) < 0.95
    skin.reflectance[:] = YELLOW
    skin.reflectance[~skin.skin] = RED
    assert skin.blush_fraction() == 0.0


def test_hue_is_that_of_cielab() -> None:
    rng = np.random.default_rng(5)
    colours = rng.uniform(0.02, 0.9, (1, 200, 3)).astype(np.float32)
    blue, green, red = colours[0].astype(float).T
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = to_xyz @ np.stack([red, green, blue]) / np.array([[0.9505], [1.0], [1.089]])
    f = [np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116) for t in (x, y, z)]
    a, b = 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2])
    coloured = np.hypot(a, b) > 5.0
    off = (hue_deg(colours)[0] - np.degrees(np.arctan2(b, a)) + 180.0) % 360.0 - 180.0
    assert np.abs(off[coloured]).max() < 0.5


def test_shade_does_not_change_hue() -> None:
    colour = np.array(RED[:3], np.float32).reshape(1, 1, 3)
    assert hue_deg(colour)[0, 0] == pytest.approx(float(hue_deg(colour * np.float32(0.6))[0, 0]), abs=1.5)


@pytest.mark.parametrize("area_mm2", [8.0, 40.0, 300.0])
def test_a_round_lesion_has_the_area_of_its_cap(area_mm2: float) -> None:
    skin = sphere_skin()
    arc_mm = float(np.sqrt(area_mm2 / np.pi))
    lesion = paint_lesion(skin, SCAB, cap(arc_mm), np.random.default_rng(0))
    true_mm2 = 2.0 * np.pi * 40.0**2 * (1.0 - np.cos(arc_mm / 40.0))
    assert defect_area_mm2(skin, [lesion]) == pytest.approx(true_mm2, abs=0.3 + 0.01 * true_mm2)


def test_skin_under_two_lesions_counts_once() -> None:
    skin, rng = sphere_skin(), np.random.default_rng(0)
    both = [paint_lesion(skin, recipe, cap(6.0), rng) for recipe in (SCAB, BRUISE)]
    assert defect_area_mm2(skin, both) == pytest.approx(defect_area_mm2(skin, both[:1]), rel=1e-6)
    assert defects_text(both) == "bruise:1+scab:1"


def test_a_lesion_in_the_stem_cavity_is_no_defect_of_the_skin() -> None:
    body = Body.of(shape_of(FUJI, 80.0, np.random.default_rng(3)))
    skin = Skin.bare(body)
    lesion = paint_lesion(skin, SCAB, cap(3.0, (0.0, 0.0, 1.0)), np.random.default_rng(0))
    assert lesion.cover.sum() > 0.0
    assert defect_area_mm2(skin, [lesion]) == 0.0


def test_lesions_change_the_skin_where_they_lie_and_nowhere_else() -> None:
    skin, rng = sphere_skin(), np.random.default_rng(7)
    skin.reflectance[:] = YELLOW
    before = skin.reflectance.copy()
    lesions = paint_lesions(skin, LESIONS, 4, rng)
    changed = np.flatnonzero((skin.reflectance != before).any(axis=-1).ravel())
    assert len(lesions) == 4
    assert set(changed) <= set(np.concatenate([lesion.cells for lesion in lesions]))
    assert 4 * 3.0 * 0.3 < defect_area_mm2(skin, lesions) < 4 * 300.0 * 1.3


def test_noise_over_the_skin_has_no_seam() -> None:
    field = waves(np.random.default_rng(0), 5, 9)
    step = np.abs(np.diff(field, axis=1)).mean()
    assert np.abs(field[:, 0] - field[:, -1]).mean() < 1.5 * step


@pytest.mark.parametrize(
    ("variety", "low", "high"), [(FUJI, 0.3, 0.9), (GALA, 0.3, 0.9), (GOLDEN, 0.0, 0.1), (RED_DELICIOUS, 0.85, 1.0)]
)
def test_varieties_blush_as_their_name_says_and_little_skin_lies_on_the_limit(
    variety: Variety, low: float, high: float
) -> None:
    shares, doubtful = [], []
    for seed in range(6):  # a skin takes 20 ms
        rng = np.random.default_rng(seed)
        skin = paint(variety, ripeness_of(variety, rng), Body.of(shape_of(variety, 76.0, rng)), rng)
        shares.append(skin.blush_fraction())
        on_limit = skin.skin & (np.abs(hue_deg(skin.reflectance) - 45.0) < 2.0)
        doubtful.append(float(skin.area_mm2[on_limit].sum()) / skin.skin_mm2)
    assert low <= float(np.mean(shares)) <= high
    assert float(np.mean(doubtful)) < 0.08
    assert all(0.0 < value < 0.96 for value in (skin.reflectance.min(), skin.reflectance.max()))


def test_centres_of_cells_are_unit_vectors() -> None:
    assert np.allclose(np.linalg.norm(cells().way, axis=-1), 1.0, atol=1e-6)
