"""Hues of skin against an independent library, and what is called blush of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from grader.domain.colour import HUES_FROM_DEG, N_HUES, ColourCalibration
from grader.domain.fruit import FruitMeasurements
from grader.vision.hues import blush_of, ground_of, hue_spread_of, skin_colours, tones_of, with_blush
from grader.vision.light import light_of

PLAIN = ColourCalibration()


def hue_of(red: int, green: int, blue: int, colours: ColourCalibration = PLAIN) -> float:
    return float(skin_colours(light_of(np.array([[[blue, green, red]]], np.uint8)), colours)[1][0, 0])


def skin_of(**area_by_hue: float) -> NDArray[np.float32]:
    """`h45=0.2`: so much skin at 45.5 degrees, the middle of its class, of lightness 60 and chroma 40."""
    hue = np.array([[float(name[1:].replace("m", "-")) + 0.5 for name in area_by_hue]], np.float32)
    return painted(hue, np.array([list(area_by_hue.values())]))


def painted(hue_deg: NDArray[np.floating], area: NDArray[np.floating]) -> NDArray[np.float32]:
    hue = np.asarray(hue_deg, np.float32)
    along, across = (40.0 * wave(np.radians(np.nan_to_num(hue))) for wave in (np.cos, np.sin))
    return tones_of(np.stack([np.full_like(hue, 60.0), along, across], axis=-1), hue, area)


def test_hues_are_those_of_an_independent_library_and_other_colours_have_none() -> None:
    skimage = pytest.importorskip("skimage.color")
    counts = np.random.default_rng(3).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    lab = skimage.rgb2lab(counts[..., ::-1])
    hue, chroma = np.degrees(np.arctan2(lab[..., 2], lab[..., 1])), np.hypot(lab[..., 1], lab[..., 2])
    found_lab, found = skin_colours(light_of(counts), PLAIN)
    assert np.abs(found_lab - lab).max() < 0.5
    clear = (np.abs(chroma - 6) > 0.3) & (np.abs(hue + 30) > 0.3) & (np.abs(hue - 150) > 0.3)
    of_skin = (chroma > 6) & (hue > -30) & (hue < 150)
    assert (np.isfinite(found) == of_skin)[clear].all()
    assert np.abs(found - hue)[of_skin & clear & (chroma > 20)].max() < 0.3


def test_apples_colours_are_as_a_person_would_order_them() -> None:
    crimson, red, orange = hue_of(120, 20, 45), hue_of(170, 30, 40), hue_of(215, 120, 60)
    yellow, green = hue_of(225, 195, 100), hue_of(120, 160, 60)
    assert -10 < crimson < red < 45 < orange < 75 < yellow < 100 < green < 130
    for gloss_or_belt in ((250, 250, 250), (30, 30, 30), (128, 128, 128), (20, 60, 200)):
        assert np.isnan(hue_of(*gloss_or_belt))


def test_colour_matrix_is_applied_to_linear_light() -> None:
    swapped = ColourCalibration(to_srgb=((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))
    assert hue_of(30, 170, 40, swapped) == pytest.approx(hue_of(170, 30, 40))


def test_shares_go_by_the_area_that_each_value_speaks_for_and_are_one_together() -> None:
    hue = np.array([[10.2, 10.9, 100.4, np.nan]], np.float32)
    tones = painted(hue, np.array([[1.0, 2.0, 1.0, 50.0]]))
    shares = tones[0]
    assert tones.shape == (4, N_HUES) and shares.sum() == pytest.approx(1.0)
    assert shares[10 - HUES_FROM_DEG] == pytest.approx(0.75) and shares[100 - HUES_FROM_DEG] == pytest.approx(0.25)
    assert tones[1, 10 - HUES_FROM_DEG] == pytest.approx(0.75 * 60.0)
    assert np.isnan(painted(np.full((1, 4), np.nan), np.ones((1, 4)))).all()


def test_blush_is_what_has_a_hue_up_to_its_end_and_ground_colour_what_has_not() -> None:
    tones = skin_of(hm10=0.3, h44=0.2, h45=0.1, h90=0.1, h110=0.3)
    assert [float(blush_of(tones, end)) for end in (44.0, 45.0, 45.5, 46.0)] == pytest.approx([0.3, 0.5, 0.55, 0.6])
    hue_deg, lab = ground_of(tones, 46.0)
    assert float(hue_deg) == pytest.approx(105.5, abs=0.2)
    assert lab == pytest.approx(
        [60.0, *(10.0 * wave(np.radians(90.5)) + 30.0 * wave(np.radians(110.5)) for wave in (np.cos, np.sin))], abs=0.01
    )
    none_hue, none_lab = ground_of(skin_of(h20=0.99, h90=0.01), 45.0)
    assert np.isnan(none_hue) and np.isnan(none_lab).all()


def test_skin_of_one_colour_has_no_spread_and_of_two_it_has_that_of_two_directions() -> None:
    assert float(hue_spread_of(skin_of(h90=1.0))) == pytest.approx(0.0, abs=0.01)
    # Two directions 60 degrees apart: the mean of their unit vectors is cos 30 degrees long.
    expected = np.degrees(np.sqrt(-2 * np.log(np.cos(np.radians(30)))))
    assert float(hue_spread_of(skin_of(h30=0.5, h90=0.5))) == pytest.approx(expected, abs=0.01)


def test_two_sheets_say_otherwise_of_the_same_fruit() -> None:
    fruit = FruitMeasurements.unmeasured([0, 1], [5, 6])
    seen = replace(fruit, tones=np.stack([skin_of(h30=0.4, h50=0.6), np.full((4, N_HUES), np.nan, np.float32)]))
    assert with_blush(seen, 45.0).blush_fraction == pytest.approx([0.4, np.nan], nan_ok=True)
    assert with_blush(seen, 55.0).blush_fraction == pytest.approx([1.0, np.nan], nan_ok=True)
    assert with_blush(seen, 55.0).ground_hue_deg == pytest.approx([np.nan, np.nan], nan_ok=True)
    assert with_blush(seen, 45.0).ground_lightness == pytest.approx([60.0, np.nan], nan_ok=True)


@given(st.lists(st.floats(-30, 149.5, width=32), min_size=1, max_size=40), st.floats(-30, 150), st.floats(-30, 150))
def test_more_skin_is_blush_the_farther_it_ends(hues: list[float], one: float, other: float) -> None:
    tones = painted(np.array([hues]), np.ones((1, len(hues))))
    low, high = (float(blush_of(tones, end)) for end in sorted((one, other)))
    assert -1e-6 <= low <= high + 1e-6 and high <= 1 + 1e-5
    counted = np.mean(np.array(hues) <= one)
    assert float(blush_of(tones, one)) == pytest.approx(counted, abs=np.mean(np.abs(np.array(hues) - one) <= 1) + 1e-5)
