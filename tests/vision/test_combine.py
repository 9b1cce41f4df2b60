"""Views of bodies known in closed form, put together: sizes in true millimetres, whatever lies beside the fruit."""

from __future__ import annotations

import known_bodies as bodies
import numpy as np
import pytest

from grader.domain.views import VIEW_COLUMNS
from grader.vision.combine import Combined, CombineSettings, combined, settings_for

NOMINAL_DEG = 0.47 * bodies.PULSES_PER_FRAME
CALLIPERS = VIEW_COLUMNS["callipers_mm"]


def of(
    seen: bodies.Passage,
    turn_deg_per_pulse: float | None = 0.47,
    lens_mm: float | None = bodies.LENS_MM,
    settings: CombineSettings = CombineSettings(),
) -> Combined:
    return combined(*seen, bodies.camera(turn_deg_per_pulse, lens_mm), settings)


@pytest.mark.parametrize("tilt_deg", [0, 12, 30, 60, 90])
@pytest.mark.parametrize(("diameter_mm", "height_mm"), [(55.0, 62.0), (80.0, 70.0), (90.0, 76.0)])
def test_a_fruit_is_measured_however_it_lies(tilt_deg: float, diameter_mm: float, height_mm: float) -> None:
    turn_deg = 1.1 * NOMINAL_DEG * 80 / diameter_mm
    seen = bodies.passage(
        bodies.ellipsoid(diameter_mm, diameter_mm, height_mm),
        bodies.axis(tilt_deg, 77.0),
        turn_deg,
        diameter_mm=diameter_mm,
        noise_mm=0.2,
    )

    found = of(seen)

    assert found.diameter_mm[0] == pytest.approx(diameter_mm, abs=0.15)
    assert found.height_mm[0] == pytest.approx(height_mm, abs=1.0)
    assert found.volume_ml[0] == pytest.approx(np.pi / 6e3 * diameter_mm**2 * height_mm, rel=0.012)
    assert found.roundness[0] == pytest.approx(1.0, abs=0.004)


@pytest.mark.parametrize("tilt_deg", [0, 20, 45])
def test_an_apple_flat_at_its_ends_has_its_height_and_volume(tilt_deg: float) -> None:
    found = of(bodies.passage(bodies.ringed(80, 66), bodies.axis(tilt_deg, 200.0), 21.0, noise_mm=0.2))

    assert found.diameter_mm[0] == pytest.approx(80.0, abs=0.15)
    assert found.height_mm[0] == pytest.approx(66.0, abs=0.8)
    assert found.volume_ml[0] == pytest.approx(bodies.ringed_volume_ml(80, 66), rel=0.012)


@pytest.mark.parametrize("roll_deg", [0, 50, 110])
def test_the_largest_of_an_oval_fruits_widths_is_its_diameter(roll_deg: float) -> None:
    body = bodies.ellipsoid(81.0, 79.0, 68.0)

    found = of(bodies.passage(body, bodies.axis(10, 0.0), 22.0, roll_deg=roll_deg, noise_mm=0.1, diameter_mm=81))

    assert found.diameter_mm[0] == pytest.approx(81.0, abs=0.25)
    assert found.roundness[0] == pytest.approx(79 / 81, abs=0.006)


def test_half_a_turn_is_enough() -> None:
    seen = bodies.passage(bodies.ellipsoid(80, 80, 68), bodies.axis(25, 10.0), 22.0, views=9, noise_mm=0.2)

    assert of(seen).diameter_mm[0] == pytest.approx(80.0, abs=0.25)


def test_a_leaf_beside_the_fruit_in_some_views_does_not_move_its_diameter_by_a_third_of_a_millimetre() -> None:
    seen = bodies.passage(bodies.ringed(80, 66), bodies.axis(20, 40.0), 22.0, noise_mm=0.2)
    plain = of(seen)
    seen.views[0, 5:11, CALLIPERS][:, 3:10] += 9.0
    unmarked = of(seen)
    seen.views[0, 5:11, VIEW_COLUMNS["hollow"]] = 0.05
    marked = of(seen)

    assert unmarked.diameter_mm[0] == pytest.approx(plain.diameter_mm[0], abs=0.33)
    assert marked.diameter_mm[0] == pytest.approx(plain.diameter_mm[0], abs=0.1)


def test_views_whose_outline_does_not_fill_its_hull_do_not_decide() -> None:
    """A leaf beside the fruit in all views but five moves a diameter by millimetres unless its hollow gives it away."""
    seen = bodies.passage(bodies.ringed(80, 66), bodies.axis(20, 40.0), 22.0, noise_mm=0.2)
    leaf = np.abs(np.sin(bodies.ANGLES - np.radians(11.0) * np.arange(16)[:, None]))
    seen.views[0, 5:, CALLIPERS] += 14.0 * leaf
    unmarked = of(seen)
    seen.views[0, 5:, VIEW_COLUMNS["hollow"]] = 0.06
    marked = of(seen)

    assert unmarked.diameter_mm[0] > 81.0
    assert marked.diameter_mm[0] == pytest.approx(80.0, abs=0.3)


def test_a_turn_that_outlines_tell_is_given_and_one_that_they_do_not_is_empty() -> None:
    body = bodies.ellipsoid(80, 80, 66)

    leaning = of(bodies.passage(body, bodies.axis(50, 40.0), 25.0))
    upright = of(bodies.passage(body, bodies.axis(0, 0.0), 25.0))

    assert leaning.turn_deg[0] == pytest.approx(25.0, rel=0.02)
    assert np.isnan(upright.turn_deg[0])


def test_without_a_stated_turn_views_are_taken_one_by_one() -> None:
    seen = bodies.passage(bodies.ellipsoid(80, 80, 70), bodies.axis(0, 0.0), 0.0, lens_mm=None)

    found = of(seen, turn_deg_per_pulse=None, lens_mm=None)

    assert found.diameter_mm[0] == pytest.approx(80.0, abs=0.1)
    assert found.height_mm[0] == pytest.approx(70.0, abs=0.1)
    assert found.volume_ml[0] == pytest.approx(np.pi / 6e3 * 80 * 80 * 70, rel=0.01)
    assert np.isnan(found.turn_deg[0])


@pytest.mark.parametrize("turn_deg_per_pulse", [0.01, -0.01, 5.0, -5.0])
def test_the_slowest_and_the_fastest_turn_that_can_be_stated_measure(turn_deg_per_pulse: float) -> None:
    turn_deg = turn_deg_per_pulse * bodies.PULSES_PER_FRAME
    seen = bodies.passage(bodies.ellipsoid(80, 80, 70), bodies.axis(10, 77.0), turn_deg)

    found = of(seen, turn_deg_per_pulse=turn_deg_per_pulse)

    assert found.diameter_mm[0] == pytest.approx(80.0, abs=1.0)


def test_views_that_do_not_count_change_nothing() -> None:
    seen = bodies.passage(bodies.ellipsoid(80, 80, 68), bodies.axis(25, 10.0), 22.0)
    cut = np.zeros((1, 21), bool)
    cut[0, [0, 20]] = True
    spoilt = seen.views.copy()
    spoilt[cut] = 7.0
    left_out = np.full_like(seen.views, np.nan)

    with_junk = combined(spoilt, seen.pulses, ~cut, bodies.camera(), CombineSettings())
    with_nan = combined(
        np.where(cut[..., None], left_out, seen.views), seen.pulses, ~cut, bodies.camera(), CombineSettings()
    )

    assert np.array_equal(np.array(with_junk), np.array(with_nan), equal_nan=True)


@pytest.mark.parametrize("turn_deg_per_pulse", [0.47, None])
def test_a_fruit_that_no_view_showed_has_no_values_and_its_neighbour_has_its_own(
    turn_deg_per_pulse: float | None,
) -> None:
    seen = bodies.passage(bodies.ellipsoid(80, 80, 68), bodies.axis(25, 10.0), 22.0)
    views = np.concatenate([np.full_like(seen.views, np.nan), seen.views])
    pulses = np.concatenate([np.full_like(seen.pulses, -(2**62)), seen.pulses])
    whole = np.concatenate([~seen.whole, seen.whole])

    found = combined(views, pulses, whole, bodies.camera(turn_deg_per_pulse), CombineSettings())

    assert np.isnan([found.diameter_mm[0], found.height_mm[0], found.volume_ml[0]]).all()
    alone = combined(*seen, bodies.camera(turn_deg_per_pulse), CombineSettings())
    assert found.diameter_mm[1] == pytest.approx(alone.diameter_mm[0], abs=1e-6)
    nobody = combined(views[:1], pulses[:1], whole[:1], bodies.camera(turn_deg_per_pulse), CombineSettings())
    assert np.isnan(nobody.diameter_mm).all()


@pytest.mark.parametrize("views", [1, 2, 3])
def test_a_few_views_give_the_size_that_they_show(views: int) -> None:
    found = of(bodies.passage(bodies.ellipsoid(80, 80, 70), bodies.axis(0, 0.0), 22.0, views=views))

    assert found.diameter_mm[0] == pytest.approx(80.0, abs=0.5)


def test_settings_shift_sizes_and_take_hollows_from_the_volume() -> None:
    seen = bodies.passage(bodies.ellipsoid(80, 80, 68), bodies.axis(25, 10.0), 22.0)
    plain, hollow = of(seen), of(seen, settings=CombineSettings(hollow_share=0.02))
    shifted = of(seen, settings=CombineSettings(hollow_share=0.0, size_offset_mm=0.4))

    assert hollow.volume_ml[0] == pytest.approx(0.98 * plain.volume_ml[0])
    assert shifted.diameter_mm[0] == pytest.approx(plain.diameter_mm[0] + 0.4)
    assert shifted.height_mm[0] == pytest.approx(plain.height_mm[0] + 0.4)
    assert shifted.volume_ml[0] == pytest.approx(plain.volume_ml[0] * (1 + 0.4 / plain.diameter_mm[0]) ** 3)


def test_an_apple_has_hollows_and_an_orange_has_none() -> None:
    apple, orange = settings_for("apple").hollow_share, settings_for("citrus").hollow_share
    assert 0.005 < apple < 0.03 and orange == 0.0
