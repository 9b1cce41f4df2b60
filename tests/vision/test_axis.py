"""How fruit lie and turn: found again for bodies whose widths are known in closed form."""

from __future__ import annotations

import known_bodies as bodies
import numpy as np
import pytest

from grader.domain.views import N_CALLIPERS, VIEW_COLUMNS
from grader.vision.axis import Lie, lies
from grader.vision.size import calliper_directions

NOMINAL_DEG = 0.47 * bodies.PULSES_PER_FRAME


def lie_of(seen: bodies.Passage, lens_mm: float | None = bodies.LENS_MM) -> Lie:
    def column(name: str) -> bodies.Values:
        return seen.views[:, :, VIEW_COLUMNS[name].start].astype(np.float64)

    return lies(
        seen.views[:, :, VIEW_COLUMNS["callipers_mm"]].astype(np.float64),
        calliper_directions(column("along_mm"), column("aside_mm"), lens_mm),
        seen.pulses,
        seen.whole.astype(np.float64),
        np.radians([NOMINAL_DEG / bodies.PULSES_PER_FRAME]),
    )


def off_deg(found: Lie, true: bodies.Values) -> float:
    return float(np.degrees(np.arccos(min(abs(found.axis[0] @ true), 1.0))))


def mirrored(axis: bodies.Values) -> bodies.Values:
    return axis * np.array([1.0, 1.0, -1.0])


@pytest.mark.parametrize("share", [0.7, 1.0, 1.35])
@pytest.mark.parametrize(("tilt_deg", "towards_deg"), [(20, 40), (50, 170), (80, 280)])
@pytest.mark.parametrize("height_mm", [66.0, 95.0])
@pytest.mark.parametrize("sense", [1, -1])
def test_axis_and_turn_of_a_leaning_spheroid_are_found_whichever_way_it_turns(
    share: float, tilt_deg: float, towards_deg: float, height_mm: float, sense: int
) -> None:
    axis = bodies.axis(tilt_deg, towards_deg)
    turn_deg = sense * share * NOMINAL_DEG
    seen = bodies.passage(bodies.ellipsoid(80, 80, height_mm), axis, turn_deg, noise_mm=0.2)

    found = lie_of(seen)

    assert min(off_deg(found, axis), off_deg(found, mirrored(axis))) < 5.0
    if np.isfinite(found.turn_doubt[0]):
        turned_deg = np.degrees(found.turn_rad_per_pulse[0]) * bodies.PULSES_PER_FRAME
        assert turned_deg == pytest.approx(abs(turn_deg), rel=max(0.01, 3 * found.turn_doubt[0]))
        assert off_deg(found, axis) < 5.0


@pytest.mark.parametrize(("tilt_deg", "towards_deg"), [(3, 0), (12, 75), (33, 140), (47, 260), (71, 5), (88, 200)])
def test_the_axis_is_found_far_finer_than_the_axes_that_are_tried(tilt_deg: float, towards_deg: float) -> None:
    axis = bodies.axis(tilt_deg, towards_deg)
    found = lie_of(bodies.passage(bodies.ellipsoid(80, 80, 66), axis, 22.0))
    assert min(off_deg(found, axis), off_deg(found, mirrored(axis))) < 0.8  # those tried are 3.7 degrees apart


def test_perspective_tells_the_sense_of_a_turn_that_outlines_alone_cannot_tell() -> None:
    body, axis = bodies.ellipsoid(80, 80, 66), bodies.axis(50, 40)

    with_lens = lie_of(bodies.passage(body, axis, 22.0))
    flat = lie_of(bodies.passage(body, axis, 22.0, lens_mm=None), lens_mm=None)

    assert np.isfinite(with_lens.turn_doubt[0])
    assert np.isinf(flat.turn_doubt[0])
    # Without a lens both senses turn at the same speed: it is found, and the axis or its mirror image.
    assert np.degrees(flat.turn_rad_per_pulse[0]) * bodies.PULSES_PER_FRAME == pytest.approx(22.0, rel=0.02)
    assert min(off_deg(flat, axis), off_deg(flat, mirrored(axis))) < 4.0


@pytest.mark.parametrize("height_mm", [66.0, 80.0])
def test_a_turn_that_cannot_be_seen_is_in_doubt(height_mm: float) -> None:
    """A body alike about the axis that it turns on, or all round, looks the same however it turns."""
    upright = bodies.passage(bodies.ellipsoid(80, 80, height_mm), bodies.axis(0, 0), 22.0, noise_mm=0.2)

    assert np.isinf(lie_of(upright).turn_doubt[0])


def test_an_apple_flat_at_its_ends_lies_where_it_lies() -> None:
    axis = bodies.axis(35, 220)

    found = lie_of(bodies.passage(bodies.ringed(78, 66), axis, 24.0, noise_mm=0.2))

    assert off_deg(found, axis) < 3.0


def test_widths_with_a_leaf_beside_them_are_not_believed() -> None:
    axis = bodies.axis(30, 100)
    seen = bodies.passage(bodies.ellipsoid(80, 80, 66), axis, 22.0)
    widths = seen.views[:, :, VIEW_COLUMNS["callipers_mm"]]
    leaf = np.s_[:, 4:9, 2:7]
    widths[leaf] += 8.0

    found = lie_of(seen)

    assert found.trust[leaf].max() < 0.05
    assert off_deg(found, axis) < 4.0


def test_a_cup_without_a_view_is_no_error() -> None:
    seen = bodies.passage(bodies.ellipsoid(80, 80, 66), bodies.axis(30, 0), 22.0)
    nothing = bodies.Passage(np.full_like(seen.views, np.nan), seen.pulses, np.zeros_like(seen.whole))

    found = lies(
        nothing.views[:, :, VIEW_COLUMNS["callipers_mm"]].astype(np.float64),
        np.zeros((*seen.whole.shape, N_CALLIPERS, 3)),
        seen.pulses,
        np.zeros(seen.whole.shape),
        np.array([0.01]),
    )

    assert (found.trust == 0).all()
    assert np.isinf(found.turn_doubt[0])


def test_each_fruit_is_measured_alone_however_many_come_together() -> None:
    seen = [
        bodies.passage(bodies.ellipsoid(80, 80, 60 + 3 * i), bodies.axis(9 * i, 30 * i), 20.0 + i) for i in range(7)
    ]
    together = bodies.Passage(*(np.concatenate(parts) for parts in zip(*seen, strict=True)))
    nominal = np.radians(np.full(7, NOMINAL_DEG / bodies.PULSES_PER_FRAME))

    def all_of(passage: bodies.Passage, rates: bodies.Values) -> Lie:
        views = passage.views.astype(np.float64)
        towards = calliper_directions(
            views[:, :, VIEW_COLUMNS["along_mm"].start], views[:, :, VIEW_COLUMNS["aside_mm"].start], bodies.LENS_MM
        )
        widths = views[:, :, VIEW_COLUMNS["callipers_mm"]]
        return lies(widths, towards, passage.pulses, passage.whole.astype(np.float64), rates)

    found = all_of(together, nominal)

    for i, passage in enumerate(seen):
        assert np.allclose(all_of(passage, nominal[:1]).axis[0], found.axis[i], atol=1e-9)
