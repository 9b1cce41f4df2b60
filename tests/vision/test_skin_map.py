"""A map of the whole skin: painted bodies come out as they were painted, however they turned, or not at all."""

from __future__ import annotations

import msgspec
import numpy as np
import painted_bodies as painted
import pytest

from grader.domain.colour import ColourCalibration
from grader.domain.skin import SkinMeasures
from grader.vision.hues import blush_of
from grader.vision.skin_map.grid import DIRECTIONS, N_CELLS, Spheroid, cell_areas
from grader.vision.skin_map.mapper import MapSettings, SkinMap, SkinMapper, map_settings_for
from grader.vision.skin_map.measures import measured


def mapped(fruit: painted.Filmed, lens_mm: float | None = painted.LENS_MM) -> SkinMap | None:
    (made,) = SkinMapper(painted.camera(lens_mm)).map([fruit.sighting])
    return made


def surely_mapped(fruit: painted.Filmed, lens_mm: float | None = painted.LENS_MM) -> SkinMap:
    skin_map = mapped(fruit, lens_mm)
    assert skin_map is not None, "the turn was not seen"
    return skin_map


def measures_of(skin_map: SkinMap) -> SkinMeasures:
    return measured(skin_map, ColourCalibration(), MapSettings(), painted.PULSES_PER_FRAME)


def blush_on(skin_map: SkinMap) -> float:
    return float(blush_of(measures_of(skin_map).tones, 45.0))


@pytest.mark.parametrize("share", [0.65, 1.0, 1.4])
@pytest.mark.parametrize("sense", [1, -1])
@pytest.mark.parametrize("lens_mm", [painted.LENS_MM, None])
def test_the_turn_is_seen_whichever_way_round_and_under_any_lens(
    share: float, sense: int, lens_mm: float | None
) -> None:
    turn_deg = sense * share * painted.NOMINAL_DEG
    found = surely_mapped(painted.filmed(painted.blotches(3), turn_deg, lens_mm=lens_mm, noise=2.0), lens_mm)
    assert np.degrees(found.turn.rad_per_pulse) * painted.PULSES_PER_FRAME == pytest.approx(turn_deg, abs=0.15)


def test_a_fruit_that_did_not_show_all_its_skin_is_mapped_only_where_it_is_known_how_fast_fruit_turn() -> None:
    known = painted.camera()
    unknown = msgspec.structs.replace(known, turn_deg_per_pulse=None)
    for turn_deg, expected in ((13.5, (True, False)), (20.0, (True, True))):
        fruit = painted.filmed(painted.blotches(4), turn_deg, noise=2.0).sighting
        mapped = tuple(SkinMapper(camera).map([fruit])[0] is not None for camera in (known, unknown))
        assert mapped == expected


@pytest.mark.parametrize("aside_mm", [-400.0, 300.0])
@pytest.mark.parametrize(
    ("tilt_deg", "towards_deg", "ratio"), [(0, 0, 0.85), (40, 200, 0.8), (90, 60, 0.85), (60, 10, 1.2)]
)
def test_every_cell_has_the_colour_that_was_painted_there(
    aside_mm: float, tilt_deg: float, towards_deg: float, ratio: float
) -> None:
    tilt, towards = np.radians([tilt_deg, towards_deg])
    axis = np.array([np.sin(tilt) * np.sin(towards), np.cos(tilt), np.sin(tilt) * np.cos(towards)])
    paint = painted.blotches(5)
    fruit = painted.filmed(paint, 21.0, axis=axis, ratio=ratio, aside_mm=aside_mm, noise=2.0)
    found = surely_mapped(fruit)
    assert found.body.ratio == pytest.approx(ratio, abs=0.03)
    seen = found.skin.seen
    is_red = found.skin.light[..., 1] < 0.5 * found.skin.light[..., 2]
    was_red = paint(DIRECTIONS.astype(np.float64))[..., 1] < 0.2
    assert (is_red == was_red)[seen].mean() > 0.93  # edges between patches run through every tenth cell
    area = cell_areas(found.body)
    true_share = float((area * was_red)[seen].sum() / area[seen].sum())
    assert float((area * is_red)[seen].sum() / area[seen].sum()) == pytest.approx(true_share, abs=0.015)


def test_a_fruit_that_slips_is_laid_on_its_map_as_it_lay_in_each_view() -> None:
    left, evenly = [], []
    for seed in range(6):
        slip_deg = np.cumsum(np.random.default_rng(seed).normal(0.0, 0.9, 21))
        fruit = painted.filmed(painted.blotches(seed), 22.0, slip_deg=slip_deg, noise=2.0)
        left.append(np.degrees(np.std(surely_mapped(fruit).turned_rad - fruit.turned_rad)))
        even = np.polyval(np.polyfit(fruit.pulses, fruit.turned_rad, 1), fruit.pulses)
        evenly.append(np.degrees(np.std(even - fruit.turned_rad)))
    assert np.mean(left) < 0.65 * np.mean(evenly)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_blush_is_its_share_of_the_whole_skin_wherever_the_turn_began(share: float) -> None:
    paint = painted.blotches(11, share)
    sphere = np.random.default_rng(1).standard_normal((50000, 3))
    true = float((paint(sphere / np.linalg.norm(sphere, axis=1, keepdims=True))[:, 1] < 0.2).mean())
    found = [
        blush_on(surely_mapped(painted.filmed(paint, 22.0, slip_deg=start_deg, noise=2.0)))
        for start_deg in (0.0, 77.0, 200.0)
    ]
    assert found == pytest.approx([true] * 3, abs=0.07)  # nobody sees the poles, a tenth of all
    assert np.ptp(found) < 0.008


def pores(seed: int) -> painted.Paint:
    """Skin of one colour, with 400 darker pores of three millimetres."""
    middles = np.random.default_rng(seed).standard_normal((400, 3))
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)

    def painted_at(towards: painted.Values) -> painted.Values:
        nearest = (towards @ middles.T).max(axis=-1)
        return np.where((nearest > np.cos(1.5 / 38.0))[..., None], 0.75 * painted.YELLOW, painted.YELLOW)

    return painted_at


@pytest.mark.parametrize("turn_deg", [18.0, -22.0, 30.0])
def test_the_turn_of_a_fruit_of_one_colour_is_seen_by_its_pores(turn_deg: float) -> None:
    fruit = painted.filmed(pores(2), turn_deg, noise=2.0)
    (found,) = SkinMapper(painted.camera(), map_settings_for("citrus")).map([fruit.sighting])
    assert found is not None
    assert np.degrees(found.turn.rad_per_pulse) * painted.PULSES_PER_FRAME == pytest.approx(turn_deg, abs=0.2)


def test_a_fruit_of_one_colour_has_no_map() -> None:
    fruit = painted.filmed(painted.one_colour, 22.0, noise=2.0)
    assert mapped(fruit) is None
    assert SkinMapper(painted.camera(), map_settings_for("kiwifruit")).map([fruit.sighting]) == [None]


@pytest.mark.parametrize("seed", range(4))
def test_views_in_the_wrong_order_or_of_several_fruit_by_turns_have_no_map(seed: int) -> None:
    fruit = painted.filmed(painted.blotches(seed), 22.0, noise=2.0)
    order = np.random.default_rng(seed).permutation(len(fruit.pulses))
    shuffled = fruit._replace(portraits=fruit.portraits._replace(pixels=fruit.portraits.pixels[order]))
    assert mapped(shuffled) is None
    others = [painted.filmed(painted.blotches(100 + each), 22.0, views=7, noise=2.0) for each in range(3)]
    by_turns = np.stack([other.portraits.pixels for other in others], axis=1).reshape(fruit.portraits.pixels.shape)
    assert mapped(fruit._replace(portraits=fruit.portraits._replace(pixels=by_turns))) is None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("first", [5, 11, 16])
def test_views_of_which_the_last_ones_are_of_the_next_fruit_have_no_map(seed: int, first: int) -> None:
    one, other = (painted.filmed(painted.blotches(each), 22.0, noise=2.0) for each in (seed, seed + 50))
    both = np.concatenate([one.portraits.pixels[:first], other.portraits.pixels[first:]])
    assert mapped(one._replace(portraits=one.portraits._replace(pixels=both))) is None


def test_frames_that_were_lost_do_not_change_the_map() -> None:
    fruit = painted.filmed(painted.blotches(4), 22.0, noise=2.0)
    kept = np.array([each for each in range(21) if each not in (8, 9, 15)])
    some = painted.Filmed(
        fruit.portraits._replace(**{name: values[kept] for name, values in fruit.portraits._asdict().items()}),
        *(values[kept] for values in fruit[1:]),
    )
    whole, less = measures_of(surely_mapped(fruit)), measures_of(surely_mapped(some))
    assert less.turn_deg == pytest.approx(whole.turn_deg, abs=0.1)
    assert blush_of(less.tones, 45.0) == pytest.approx(blush_of(whole.tones, 45.0), abs=0.006)


def test_what_was_seen_is_what_some_view_looked_at_straight_enough() -> None:
    found = surely_mapped(painted.filmed(painted.blotches(6), 22.0, noise=1.0))
    sine = DIRECTIONS[:, 0, 1]
    assert found.skin.seen[np.abs(sine) < 0.85].all()
    assert not found.skin.seen[np.abs(sine) > 0.95].any()
    assert measures_of(found).skin_seen == pytest.approx(np.sin(np.radians(65)), abs=0.02)


def test_cells_of_a_spheroid_share_its_surface() -> None:
    flat = Spheroid(np.array([0.6, 0.0, 0.8]), 0.8)
    e = np.sqrt(1 - 0.8**2)
    handbook = 2 * np.pi * (1 + (1 - e**2) / e * np.arctanh(e))
    assert cell_areas(flat).sum() == pytest.approx(handbook, rel=1e-3)
    assert cell_areas(Spheroid(np.array([0.0, 1.0, 0.0]), 1.0)) == pytest.approx(
        np.full((44, 120), 4 * np.pi / N_CELLS)
    )
