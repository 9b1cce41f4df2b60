"""Spots of the skin: found on the map, each once, with the area that was painted, and nothing where skin is sound."""

from __future__ import annotations

import numpy as np
import painted_bodies as painted
import pytest
from painted_bodies import Cap, blotches, filmed, with_caps
from test_skin_map import measures_of, surely_mapped

from grader.domain.skin import PORTRAIT_PX
from grader.vision.skin_map.mapper import MapSettings, SkinMapper, map_settings_for
from grader.vision.skin_map.measures import spots_on
from grader.vision.skin_map.spots import Spots

PLACES = [(0.0, 0.0, 1.0), (1.0, 0.3, 0.0), (-0.5, 0.5, -0.6), (0.02, -0.2, 1.0), (0.4, -0.75, 0.4)]
"""The first and the fourth lie across the ends of the map."""


def spots_in(paint: painted.Paint, **how: object) -> Spots:
    return spots_on(surely_mapped(filmed(paint, 22.0, noise=2.0, **how)), MapSettings())  # type: ignore[arg-type]


@pytest.mark.parametrize("about", PLACES)
@pytest.mark.parametrize("area_mm2", [30.0, 80.0, 250.0])
def test_a_spot_is_found_once_where_it_is_and_as_large_as_it_is(
    about: tuple[float, float, float], area_mm2: float
) -> None:
    found = spots_in(with_caps(blotches(3), Cap(about, area_mm2)))
    assert len(found.area_mm2) == 1
    assert found.area_mm2[0] == pytest.approx(area_mm2, rel=0.28 if area_mm2 < 40 else 0.16)
    away = np.degrees(np.arccos(found.place[0] @ np.array(about) / np.linalg.norm(about)))
    assert away < 3.0
    assert found.length_mm[0] == pytest.approx(2 * np.sqrt(area_mm2 / np.pi), rel=0.25)
    assert found.missing[0] == pytest.approx(0.6, abs=0.15)


@pytest.mark.parametrize("seed", range(6))
def test_sound_skin_has_no_spots_however_its_blush_lies(seed: int) -> None:
    assert len(spots_in(blotches(seed)).area_mm2) == 0


def test_every_spot_counts_once_though_many_views_show_it() -> None:
    caps = [Cap(about, 40.0 + 20.0 * index) for index, about in enumerate(PLACES[:3])]
    fruit = surely_mapped(filmed(with_caps(blotches(5), *caps), 22.0, noise=2.0))
    measures = measures_of(fruit)
    assert measures.defect_count == 3
    assert measures.defect_area_mm2 == pytest.approx(180.0, rel=0.15)
    assert measures.largest_defect_mm2 == pytest.approx(80.0, rel=0.2)
    assert measures.defect_fraction == pytest.approx(180.0 / (np.pi * 76.0**2), rel=0.15)


@pytest.mark.parametrize("colour", [(0.75, 0.78, 0.8), (0.55, 0.3, 0.08), (0.1, 0.42, 0.12)])
def test_a_label_is_no_spot(colour: tuple[float, float, float]) -> None:
    assert len(spots_in(with_caps(blotches(3), Cap((0.3, 0.2, 1.0), 200.0, colour=colour))).area_mm2) == 0


def test_a_label_beside_a_spot_does_not_hide_it() -> None:
    label = Cap((1.0, 0.0, 0.0), 200.0, colour=(0.75, 0.78, 0.8))
    found = spots_in(with_caps(blotches(3), label, Cap((-0.6, 0.2, 0.8), 90.0)))
    assert found.area_mm2 == pytest.approx([90.0], rel=0.2)


def test_a_stalk_that_passes_over_the_skin_in_some_views_is_no_spot() -> None:
    fruit = filmed(blotches(3), 22.0, noise=2.0)
    pixels = fruit.portraits.pixels.copy()
    for view in range(4, 16, 3):
        pixels[view, 20:44, 30:33] = (40, 60, 80)
    covered = fruit._replace(portraits=fruit.portraits._replace(pixels=pixels))
    assert len(spots_on(surely_mapped(covered), MapSettings()).area_mm2) == 0


def test_the_same_paint_is_as_bright_at_the_limb_as_before_the_lens() -> None:
    skin = surely_mapped(filmed(blotches(7), 22.0, noise=2.0)).skin
    is_yellow = (skin.light[..., 1] > 0.7 * skin.light[..., 2]) & skin.seen
    brightness = np.array(
        [np.median(skin.light[row][is_yellow[row], 2]) for row in range(44) if is_yellow[row].sum() > 9]
    )
    assert np.ptp(brightness) < 0.08 * brightness.mean()


def test_stem_cavity_and_calyx_basin_are_no_spots_and_damage_beside_them_is() -> None:
    axis = np.array([0.9, 0.2, 0.3]) / np.linalg.norm((0.9, 0.2, 0.3))
    beside = np.array([0.0, 0.0, 1.0]) - 0.4 * axis
    hollows = [Cap((end * axis[0], end * axis[1], end * axis[2]), 250.0, dims=0.3) for end in (1.0, -1.0)]
    fruit = filmed(
        with_caps(blotches(3), *hollows, Cap((beside[0], beside[1], beside[2]), 90.0)),
        22.0,
        axis=axis,
        ratio=0.85,
        noise=2.0,
    )
    (skin_map,) = SkinMapper(painted.camera()).map([fruit.sighting])
    assert skin_map is not None and skin_map.axis_sure == 1.0
    assert len(spots_on(skin_map, MapSettings()).area_mm2) == 3
    found = spots_on(skin_map, map_settings_for("apple"))
    assert len(found.area_mm2) == 1
    assert np.degrees(np.arccos(found.place[0] @ beside / np.linalg.norm(beside))) < 4.0


def test_light_from_one_side_makes_no_spots_and_hides_none() -> None:
    caps = [Cap((0.2, -0.3, 1.0), 80.0), Cap((-0.5, 0.5, -0.6), 120.0)]
    fruit = filmed(with_caps(blotches(5), *caps), 22.0, noise=1.0)
    light = np.interp(np.arange(PORTRAIT_PX), [8, 56], [1.0, 0.55])[None, :, None, None]  # darker down the picture
    pixels = np.clip(np.rint(fruit.portraits.pixels * light), 0, 255).astype(np.uint8)
    lit = fruit._replace(portraits=fruit.portraits._replace(pixels=pixels))
    assert len(spots_on(surely_mapped(lit), MapSettings()).area_mm2) == 2
