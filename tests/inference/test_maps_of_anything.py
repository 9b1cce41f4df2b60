"""Whatever was cut out of a picture: a map, or none; never an error, never a value that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from test_maps import CAMERA

from grader.domain.colour import ColourCalibration
from grader.domain.skin import PORTRAIT_PX, Portraits, Sighting
from grader.domain.views import MOST_VIEWS, N_CALLIPERS, VIEW_COLUMNS, VIEW_WIDTH
from grader.inference.maps import MapSkins
from grader.vision.rays import N_RAYS
from grader.vision.skin_map.mapper import MapSettings

SURE_OF_ANYTHING = MapSettings(least_views=2, least_likeness=-9.0, least_lead=-9.0, least_across=-9.0, hollow_deg=18.0)
"""So that everything is mapped."""


def anything(rng: np.random.Generator) -> Sighting:
    views = int(rng.integers(1, MOST_VIEWS + 1))
    kinds = [
        lambda shape: np.full(shape, rng.integers(0, 256), np.uint8),
        lambda shape: rng.integers(0, 256, shape, np.uint8),
        lambda shape: np.repeat(rng.integers(0, 256, (shape[0], 1, 1, 3), np.uint8), PORTRAIT_PX, 1).repeat(
            PORTRAIT_PX, 2
        ),
        lambda shape: rng.choice(np.array([0, 255], np.uint8), shape),
    ]
    pixels = kinds[rng.integers(len(kinds))]((views, PORTRAIT_PX, PORTRAIT_PX, 3))
    centre = rng.uniform(-10, PORTRAIT_PX + 10, (views, 2)).astype(np.float32)
    radius = np.abs(rng.normal(rng.uniform(0.5, 60), rng.uniform(0, 30), (views, N_RAYS))).astype(np.float32) + 0.01
    table = np.full((views, VIEW_WIDTH), np.nan, np.float32)
    size_mm = rng.uniform(20, 110)
    table[:, VIEW_COLUMNS["callipers_mm"]] = np.maximum(
        rng.normal(size_mm, rng.uniform(0, 20), (views, N_CALLIPERS)), 1
    )
    for name, low, high in (
        ("along_mm", -600, 600),
        ("aside_mm", -900, 900),
        ("widest_mm", 20, 110),
        ("hollow", -0.1, 0.9),
    ):
        table[:, VIEW_COLUMNS[name].start] = rng.uniform(low, high, views)
    pulses = np.cumsum(rng.integers(1, 300, views)).astype(np.int64) + int(rng.integers(0, 1 << 40))
    return Sighting(0, 0, pulses, table, Portraits(pixels, centre, radius), to_draw=bool(rng.random() < 0.3))


@pytest.mark.parametrize("settings", [SURE_OF_ANYTHING, MapSettings()])
@pytest.mark.parametrize("seed", range(8))
def test_anything_is_mapped_or_not_and_every_value_is_one_that_can_be(seed: int, settings: MapSettings) -> None:
    rng = np.random.default_rng(seed)
    sightings = [anything(rng) for _ in range(12)]
    made = MapSkins(CAMERA, ColourCalibration(), settings).of(sightings)
    assert len(made) == len(sightings)
    assert [bool(each.drawn) for each in made] == [each.to_draw for each in sightings]
    known = [each.measures for each in made if each.measures is not None]
    assert settings is not SURE_OF_ANYTHING or len(known) > 6
    for measures in known:
        assert 5.0 < measures.height_mm < 400.0
        assert 0.0 <= measures.skin_seen <= 1.0
        assert np.isnan(measures.tones).all() or measures.tones[0].sum() == pytest.approx(1.0, abs=1e-5)
        assert 5.0 < measures.turn_deg < 100.0
        assert 0.0 <= measures.largest_defect_mm2 <= measures.defect_area_mm2 < 40_000.0
        assert 0.0 <= measures.defect_fraction <= 1.0 and measures.defect_count == int(measures.defect_count)
