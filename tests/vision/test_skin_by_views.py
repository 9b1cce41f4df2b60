"""A fruit whose skin has no map is measured from the portraits of its views, each weighed by the skin that it shows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import DARK_RED, RED, YELLOW, Disc, camera, frame, line

from grader.domain.colour import N_HUES, ColourCalibration
from grader.domain.skin import Portraits, Sighting
from grader.domain.views import Occupancy
from grader.units import Pulse
from grader.vision.eye import Eye
from grader.vision.hues import blush_of, ground_of
from grader.vision.skin_by_views import ByViewsSettings, SkinByViews, spheroid_area_mm2, turn_weights

PLACE, LINE = camera(2, 1280, turn_deg_per_pulse=0.47), line(2)
PULSES = range(144, 960, 48)
DIAMETER_MM, HEIGHT_MM, TURN_DEG = 76.0, 70.0, 23.0


def picture(pulse: int, lane: int = 0, red_side: int = 0, spot_px: float = 0.0) -> NDArray[np.uint8]:
    """A yellow fruit of cup 0; its left half (-1) or its right one (1) is red; a dark spot turns past with it."""
    x, y = pulse / 0.8 + 3.0, 80.0 + 150.0 * lane - 2.0
    plain, red = (frame(PLACE, [Disc(x, y, 95, colour)], 1.5, pulse) for colour in (YELLOW, RED))
    column = np.arange(PLACE.width_px)[None, :, None]
    both = np.where({-1: column < x, 0: column < 0, 1: column > x}[red_side], red, plain)
    turned = np.radians(TURN_DEG) * ((pulse - PULSES[0]) / 48 - 8)
    along, spot_px = 47.5 * np.sin(turned), spot_px if np.cos(turned) > 0.3 else 0.0
    dark = frame(PLACE, [Disc(x + along, y + 4, max(spot_px, 1.0), DARK_RED)])
    covers = np.hypot(column[..., 0] - x - along, np.arange(both.shape[0])[:, None] - y - 4) < spot_px / 2
    return np.where(covers[..., None], dark, both)


def sighting(pictures: dict[int, NDArray[np.uint8]], lane: int = 0) -> Sighting:
    eye, kept, portraits = Eye(PLACE, LINE), [], []
    for pulse, shown_then in pictures.items():
        views, shown = eye.look(shown_then, Pulse(pulse))
        (row,) = np.flatnonzero(views.occupancy == Occupancy.ONE)
        assert shown.row.tolist() == [row]
        kept.append(views.table()[row])
        portraits.append(shown.cuts.portraits())
    together = Portraits(*(np.concatenate(each) for each in zip(*portraits, strict=True)))
    return Sighting(lane, 0, np.array(list(pictures)), np.array(kept), together)


def by_views(**changes: float) -> SkinByViews:
    return SkinByViews(PLACE, LINE, ColourCalibration(), ByViewsSettings(**changes))


@pytest.mark.parametrize("lane", [0, 1])
@pytest.mark.parametrize("red_side", [-1, 1])
def test_a_fruit_that_is_half_red_in_every_view_is_half_blush_and_its_ground_is_yellow(
    lane: int, red_side: int
) -> None:
    found = by_views().of(
        sighting({pulse: picture(pulse, lane, red_side) for pulse in PULSES}, lane), DIAMETER_MM, HEIGHT_MM, np.nan
    )
    assert float(blush_of(found.tones, 45.0)) == pytest.approx(0.5, abs=0.05)
    assert 75 < float(ground_of(found.tones, 45.0)[0]) < 100
    assert found.skin_seen > 0.85  # the nominal turn stands for the one that nobody told
    assert np.isnan(found.turn_deg) and found.height_mm == HEIGHT_MM


def test_a_view_that_shows_hardly_any_skin_says_nothing_of_colour() -> None:
    pictures = {pulse: picture(pulse) for pulse in PULSES}
    for pulse in PULSES[::2]:  # a red rim round a white label
        x, y = pulse / 0.8 + 3.0, 78.0
        pictures[pulse] = frame(PLACE, [Disc(x, y, 95, RED), Disc(x, y, 85, (245.0, 245.0, 245.0))], 1.5, pulse)
    mixed = sighting(pictures)
    strict, open_to_all = (
        float(blush_of(by_views(least_skin=least).of(mixed, DIAMETER_MM, HEIGHT_MM, np.nan).tones, 45.0))
        for least in (0.2, 0.0)
    )
    assert strict == pytest.approx(0.0, abs=0.005) and open_to_all > 0.03


@pytest.mark.parametrize(("lane", "spot_px"), [(0, 14.0), (1, 22.0)])
def test_a_dark_spot_that_turns_past_is_counted_once_with_about_its_area(lane: int, spot_px: float) -> None:
    found = by_views().of(
        sighting({pulse: picture(pulse, lane, spot_px=spot_px) for pulse in PULSES}, lane),
        DIAMETER_MM,
        HEIGHT_MM,
        TURN_DEG,
    )
    true_mm2 = np.pi / 4 * (spot_px * 0.8) ** 2
    assert 0.5 * true_mm2 < found.largest_defect_mm2 < found.defect_area_mm2 + 1e-3 < 2.5 * true_mm2
    assert found.defect_count == 1.0
    whole_mm2 = spheroid_area_mm2(DIAMETER_MM, HEIGHT_MM)
    assert found.defect_fraction == pytest.approx(found.defect_area_mm2 / whole_mm2)


def test_of_a_fruit_without_a_colour_nothing_is_said_of_colour_or_spots() -> None:
    grey = sighting({pulse: picture(pulse) for pulse in PULSES})
    grey.portraits.pixels[:] = 128
    found = by_views().of(grey, DIAMETER_MM, HEIGHT_MM, np.nan)
    assert found.tones.shape == (4, N_HUES) and np.isnan(found.tones).all()
    assert np.isnan([found.defect_area_mm2, found.defect_count, found.largest_defect_mm2, found.defect_fraction]).all()


def test_a_ball_has_the_skin_of_a_ball_and_a_disc_that_of_two_sides() -> None:
    assert spheroid_area_mm2(80.0, 80.0) == pytest.approx(np.pi * 80.0**2, rel=1e-3)
    assert spheroid_area_mm2(80.0, 0.1) == pytest.approx(np.pi / 2 * 80.0**2, rel=1e-3)


@pytest.mark.parametrize(("views", "lost"), [(12, []), (9, []), (16, [5, 6, 7])])
def test_views_speak_for_the_skin_beside_them_that_no_view_looks_straight_at(views: int, lost: list[int]) -> None:
    turned_deg = np.delete(np.arange(views) * 22.5, lost)
    blush = 0.5 + 0.4 * np.cos(np.radians(turned_deg - (135.0 if lost else 11.25 * (views - 1))))  # one red side
    weight = turn_weights(np.radians(turned_deg))
    alike = float(blush.mean())
    assert abs(alike - 0.5) > 0.03
    assert float(weight @ blush / weight.sum()) == pytest.approx(0.5, abs=0.7 * abs(alike - 0.5))


def test_skin_that_a_second_turn_shows_again_counts_once_and_without_a_turn_all_views_count_alike() -> None:
    twice = turn_weights(np.radians(np.arange(32) * 22.5))
    assert twice == pytest.approx(np.radians(11.25))
    assert turn_weights(np.full(5, np.nan)).tolist() == [1.0] * 5
