"""Colour by look-up against published values and an independent library."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from grader.domain.colour import ColourCalibration
from grader.vision import colour
from grader.vision.colour import N_CODES, cielab, colour_table, hue_deg, linear_light, log_light, look_up, srgb_counts

PUBLISHED = {  # CIELAB of sRGB under D65, 2 degrees (B. Lindbloom's calculator, IEC 61966-2-1 primaries)
    (255, 0, 0): (53.2408, 80.0925, 67.2032),
    (0, 255, 0): (87.7347, -86.1827, 83.1793),
    (0, 0, 255): (32.2970, 79.1875, -107.8602),
    (255, 255, 0): (97.1393, -21.5537, 94.4780),
    (0, 255, 255): (91.1132, -48.0875, -14.1312),
    (255, 0, 255): (60.3242, 98.2343, -60.8249),
    (255, 255, 255): (100.0, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
}


def code_of(red: int, green: int, blue: int) -> int:
    pixel = np.array([[[blue, green, red]]], np.uint8)
    return int(cv2.cvtColor(pixel, cv2.COLOR_BGR2BGR555).view(np.uint16)[0, 0, 0])


@pytest.mark.parametrize(("rgb", "lab"), PUBLISHED.items())
def test_cielab_of_the_primaries_is_as_published(rgb: tuple[int, ...], lab: tuple[float, ...]) -> None:
    assert cielab(linear_light(np.array(rgb, float))) == pytest.approx(lab, abs=0.02)


def test_light_of_counts_follows_the_standards_curve() -> None:
    assert linear_light(np.array([0.0, 10.0, 127.5, 255.0])) == pytest.approx(
        [0.0, 10 / 255 / 12.92, 0.21404114, 1.0], rel=1e-6
    )


def test_logarithm_of_light_rises_with_every_count_above_noise_and_ends_at_full_scale() -> None:
    table = log_light()
    assert table.dtype == np.float32 and table.shape == (256,)
    assert table[255] == pytest.approx(0.0, abs=1e-6)
    assert (np.diff(table[2:]) > 0).all() and np.isfinite(table).all()
    assert np.exp(table[128]) == pytest.approx(linear_light(np.array([128.0]))[0], rel=1e-5)


def test_every_code_is_blush_or_ground_or_neither_as_an_independent_library_says() -> None:
    skimage = pytest.importorskip("skimage.color")
    table = colour_table(ColourCalibration())
    code = np.arange(N_CODES)
    rgb = np.stack([(code >> 10) & 31, (code >> 5) & 31, code & 31], axis=-1) * 8 + 3.5
    lab = skimage.rgb2lab(rgb[None] / 255.0)[0]
    hue, chroma = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])), np.hypot(lab[:, 1], lab[:, 2])
    clear = (np.abs(chroma - 6) > 0.1) & (np.abs(hue - 45) > 0.1) & (np.abs(hue + 30) > 0.1) & (np.abs(hue - 150) > 0.1)
    blush = (chroma > 6) & (hue > -30) & (hue < 45)
    ground = (chroma > 6) & (hue > 45) & (hue < 150)
    assert (table.blush[:N_CODES] == blush)[clear].all()
    assert (table.ground[:N_CODES] == ground)[clear].all()
    assert not (table.blush * table.ground).any()
    where = ground & clear
    assert np.abs(table.ground_hue_deg[:N_CODES] - hue)[where].max() < 0.1
    assert not table.ground_hue_deg[:N_CODES][~ground & clear].any()


def test_apples_colours_are_named_as_a_person_would() -> None:
    table = colour_table(ColourCalibration())
    assert table.blush[code_of(170, 30, 40)] and table.blush[code_of(90, 15, 25)]
    assert table.ground[code_of(215, 195, 110)] and table.ground[code_of(130, 160, 60)]
    green, yellow = (table.ground_hue_deg[code_of(*rgb)] for rgb in ((120, 160, 60), (225, 195, 100)))
    assert 100 < green < 130 and 75 < yellow < 100
    for gloss_or_belt in ((250, 250, 250), (30, 30, 30), (128, 128, 128)):
        assert not table.blush[code_of(*gloss_or_belt)] and not table.ground[code_of(*gloss_or_belt)]


def test_colour_matrix_is_applied_to_linear_light() -> None:
    swapped = ColourCalibration(to_srgb=((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))
    assert colour_table(swapped).blush[code_of(30, 170, 40)]
    assert not colour_table(ColourCalibration()).blush[code_of(30, 170, 40)]


@pytest.mark.parametrize("wide", [True, False])
def test_look_up_is_the_tables_value_for_each_code_with_either_library(
    wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(colour, "_WIDE_LOOK_UP", wide and colour._WIDE_LOOK_UP)
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 1 << 16, (37, 24)).astype(np.uint16)
    table = rng.random(1 << 16, np.float32)
    out = np.empty(codes.shape, np.float32)
    assert look_up(codes, table, out) is out
    assert (out == table[codes]).all()


def test_hue_is_an_angle_in_degrees() -> None:
    a, b = np.array([1.0, 0.0, -1.0, 1.0]), np.array([0.0, 1.0, 1.0, -1.0])
    assert hue_deg(a, b) == pytest.approx([0, 90, 135, -45])


def test_srgb_counts_of_linear_counts_are_the_inverse_of_linear_light() -> None:
    table = srgb_counts()
    assert table.dtype == np.uint8 and table[0] == 0 and table[255] == 255
    # Half a count of sRGB is at most half a step of the curve: its slope is 12.92 in the dark, 0.44 in the light.
    light = linear_light(table.astype(float)) * 255.0
    assert np.abs(light - np.arange(256)).max() <= 0.5 / 0.44 + 0.01
