"""The line as a whole: what is in the cups, what its devices say, and that nothing depends on the order of asking."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from grader.domain.frames import Frame, Scan, Weighing
from grader.units import HostNs, Pulse
from hardware.sim.crew import pictures
from hardware.sim.heldout import LESIONS, ONE_SIDED, VARIETIES
from hardware.sim.levels import CHANGING, IDEAL, LEVELS, STATIC
from hardware.sim.light import light_field
from hardware.sim.line import LineSettings, SimulatedLine
from hardware.sim.simulate import prepared_loop, simulate
from hardware.sim.varieties import FUJI

SMALL = LineSettings(level=CHANGING, seed=7, fruit=6, lanes=1)


def drawn(line: SimulatedLine, sequence: int) -> np.ndarray:
    place = line.installation.cameras["top"]
    picture = np.empty((place.height_px, place.width_px, len(place.bands)), np.uint8)
    line.render_into(sequence, picture)
    return picture


def test_a_picture_does_not_depend_on_what_was_asked_before() -> None:
    fresh, used = SimulatedLine(SMALL), SimulatedLine(SMALL)
    for sequence in (3, 12, 0):
        drawn(used, sequence)
    used.truth()
    assert np.array_equal(drawn(fresh, 8), drawn(used, 8))
    assert fresh.truth() == used.truth()


def test_pictures_are_the_same_by_one_process_and_by_two() -> None:
    alone, together = SimulatedLine(SMALL), SimulatedLine(SMALL)
    one = list(pictures(alone, range(4, 9), workers=1))
    two = list(pictures(together, range(4, 9), workers=2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert alone.skin_truths == together.skin_truths


def test_another_seed_is_another_line() -> None:
    assert SimulatedLine(SMALL).truth() != SimulatedLine(replace(SMALL, seed=8)).truth()


def test_every_cup_is_weighed_once_and_every_fruit_scanned_once_at_its_place() -> None:
    line = SimulatedLine(replace(SMALL, lanes=3, fruit=14, level=IDEAL, empty_share=0.3))
    end = Pulse(line.n_cups * 96 + 2000)
    edges = [Pulse(p) for p in (0, 1200, 1201, 1399, 1400, 1700, 2000, end)]
    weighings = [w for a, b in itertools.pairwise(edges) for w in line.weighings_between(a, b)]
    scans = [s for a, b in itertools.pairwise(edges) for s in line.scans_between(a, b)]
    cups = {(lane, cup) for lane in range(3) for cup in range(line.n_cups)}
    assert [(w.lane, (w.pulse - 1200) / 96) for w in weighings] == sorted(cups, key=lambda place: place[::-1])
    truth = {(row.lane, row.cup): row for row in line.truth()}
    assert sorted((s.lane, (s.pulse - 1400) / 96) for s in scans) == sorted(truth)
    for weighing in weighings:
        row = truth.get((weighing.lane, (weighing.pulse - 1200) // 96))
        assert weighing.mass_g == pytest.approx(row.mass_g if row else 0.0)
    assert {scan.counts.shape for scan in scans} == {(len(line.installation.spectrometers["main"].wavelengths_nm),)}


def test_as_many_fruit_run_as_were_asked_for_and_about_the_share_of_cups_is_empty() -> None:
    line = SimulatedLine(LineSettings(fruit=3000, lanes=4, level=IDEAL))
    cups = [line.occupied(lane, cup) for cup in range(line.n_cups) for lane in range(4)]
    assert sum(cups) == 3000
    assert 0.06 < 1.0 - sum(cups) / len(cups) < 0.10
    assert not line.occupied(0, line.n_cups + 5)


def test_on_another_pass_the_same_bodies_lie_in_other_cups_another_way() -> None:
    line = SimulatedLine(replace(SMALL, fruit=5, passes=2))
    rows = line.truth()
    assert sorted(row.body for row in rows) == sorted([*range(5), *range(5)])
    first, second = ({row.body: row for row in part} for part in (rows[:5], rows[5:]))
    for body in range(5):
        a, b = first[body], second[body]
        assert (a.diameter_mm, a.blush_fraction, a.defects, a.ssc_brix) == (
            b.diameter_mm,
            b.blush_fraction,
            b.defects,
            b.ssc_brix,
        )
        assert a.cup < b.cup and a.start_deg != b.start_deg


def test_a_loop_shows_the_same_again_but_for_noise_and_goes_on_for_ever() -> None:
    settings = replace(SMALL, loop_cups=8, level=STATIC)
    line = SimulatedLine(settings)
    still = SimulatedLine(replace(settings, level=replace(STATIC, noise_sd_counts=0.0)))
    assert np.array_equal(drawn(still, 40), drawn(still, 40 + 16))
    difference = drawn(line, 40).astype(int) - drawn(line, 40 + 16)
    lit = drawn(still, 40) > 12  # counts near 0 and 255 cannot vary freely
    lit &= drawn(still, 40) < 240
    assert np.std(difference[lit]) / np.sqrt(2.0) == pytest.approx(2.0, rel=0.05)
    assert line.occupied(0, 10**9) == line.occupied(0, 10**9 % 8)
    assert len(line.weighings_between(Pulse(10**9), Pulse(10**9 + 960))) == 10


def test_the_prepared_loop_holds_the_frames_of_the_full_belt() -> None:
    settings = replace(SMALL, loop_cups=4)
    told: list[float] = []
    loop = prepared_loop(settings, told.append, workers=1)
    assert loop.shape == (8, 160, 1280, 3)
    assert np.array_equal(loop[5], drawn(SimulatedLine(settings), 24 + 5))
    assert told == sorted(told) and told[-1] == 1.0


def test_on_the_ideal_line_fruit_turn_evenly_by_their_size_and_lie_straight() -> None:
    for row in SimulatedLine(replace(SMALL, level=IDEAL)).truth():
        assert row.turn_deg == pytest.approx(0.47 * 48 * 80.0 / row.diameter_mm, rel=1e-9)


def test_levels_hold_the_numbers_of_the_reference_line() -> None:
    assert list(LEVELS) == ["ideal", "static", "changing", "faults"]
    assert (STATIC.turn_spread, STATIC.slip_share, CHANGING.slip_share) == (0.15, 0.01, 0.03)
    assert (STATIC.axis_sd_deg, STATIC.any_axis_share, CHANGING.any_axis_share) == (15.0, 0.0, 0.3)
    assert (STATIC.wobble_sd_mm, CHANGING.wobble_sd_mm, STATIC.seat_sd_mm) == (0.3, 0.6, 2.5)
    assert (CHANGING.light_uneven, CHANGING.light_drift_per_hour) == (0.15, 0.05)
    assert (CHANGING.gloss_low, CHANGING.gloss_high, CHANGING.noise_sd_counts) == (0.01, 0.03, 2.0)
    assert (CHANGING.exposure_us, CHANGING.scale_sd_g) == (300.0, 1.0)


def test_light_stays_within_its_bounds_and_near_infrared_has_its_own() -> None:
    field = light_field(CHANGING, 3, 610, 1280, 4)
    assert field.min() == pytest.approx(0.85, abs=1e-3) and field.max() == pytest.approx(1.15, abs=1e-3)
    assert np.array_equal(field[..., 0], field[..., 2])
    assert np.abs(field[..., 0] - field[..., 3]).max() > 0.02
    assert (light_field(IDEAL, 3, 610, 1280, 3) == 1.0).all()


BALL = replace(
    FUJI,
    diameter_mm=(56.0, 0.0),
    slenderness=(1.0, 0.0),
    squareness=(2.0, 0.0),
    taper=(0.0, 0.0),
    stem_depth=(0.0, 0.0),
    calyx_depth=(0.0, 0.0),
    oval_sd=0.0,
    lopsided_sd=0.0,
    ribs=(0.0, 0.0),
    ripple_sd=0.0,
    stem_mm=(0.0, 0.0),
    blush_share=None,
)


@pytest.mark.parametrize("diameter_mm", [56.0, 90.0])
def test_a_fruit_lies_where_the_recording_format_says(diameter_mm: float) -> None:
    balls = replace(BALL, diameter_mm=(diameter_mm, 0.0))
    line = SimulatedLine(
        replace(SMALL, level=IDEAL, fruit=24, empty_share=0.0, sound_share=1.0, lanes=2, variety=balls)
    )
    place = line.installation.cameras["top"]
    sequence = 20
    picture = drawn(line, sequence)[..., 2].astype(float)
    for lane in range(2):
        for cup in (1, 5, 9):
            x = place.cup_zero_px[0] + (line.pulse_of_frame(sequence) - cup * 96) / 0.8
            y = place.cup_zero_px[1] + lane * 150.0
            # A ball's centre rides (d - 80) / 2 higher than that of 80 mm, and its picture is the cone that touches it.
            foot = np.array([640.0, picture.shape[0] / 2.0])
            centre = np.array([*((x, y) - foot) * 0.8, (diameter_mm - 80.0) / 2.0 - 1500.0])
            tilt, distance = np.arccos(-centre[2] / np.linalg.norm(centre)), np.linalg.norm(centre)
            half = np.arcsin(diameter_mm / 2.0 / distance)
            away = centre[:2] / np.linalg.norm(centre[:2])
            expected = foot + away * (np.tan(tilt + half) + np.tan(tilt - half)) / 2.0 * 1500.0 / 0.8
            left, top = round(expected[0]) - 59, round(expected[1]) - 62
            lit = picture[top : top + 125, left : left + 119] > 90
            rows, columns = np.nonzero(lit)
            assert (columns.mean() + left, rows.mean() + top) == pytest.approx(tuple(expected), abs=0.3)


def test_doubles_and_oversize_fruit_come_when_asked_for_and_are_named() -> None:
    line = SimulatedLine(replace(SMALL, fruit=40, double_share=0.3, oversize_share=0.3))
    rows = line.truth()
    kinds = [row.kind for row in rows]
    assert 5 < kinds.count("double") < 20 and 3 < kinds.count("oversize") < 18
    assert all(row.diameter_mm > 92.0 for row in rows if row.kind == "oversize")
    assert all(row.diameter_mm < 92.0 for row in rows if not row.kind)
    assert drawn(line, 22).any()
    assert not any(row.kind for row in SimulatedLine(SMALL).truth())


def test_near_infrared_is_a_fourth_band_of_the_same_picture() -> None:
    quiet = replace(CHANGING, noise_sd_counts=0.0)
    plain, with_nir = (SimulatedLine(replace(SMALL, level=quiet, nir=nir)) for nir in (False, True))
    assert with_nir.installation.cameras["top"].bands == ("blue", "green", "red", "nir")
    four = drawn(with_nir, 12)
    assert np.array_equal(four[..., :3], drawn(plain, 12))
    fruit = four[..., 2] > 100
    assert four[..., 3][fruit].mean() > four[..., 2][fruit].mean()


def test_the_belt_without_fruit_is_dark_and_moves_with_the_encoder() -> None:
    line = SimulatedLine(replace(SMALL, level=IDEAL, fruit=0))
    assert line.n_frames() == 0
    first, later = np.empty((160, 1280, 3), np.uint8), np.empty((160, 1280, 3), np.uint8)
    line.render_belt_into(0, first)
    line.render_belt_into(2, later)  # one cup further: the same rollers
    assert np.abs(first.astype(int) - later).max() <= 1
    assert first.max() < 70


def test_held_out_fruit_run_like_any_other_and_the_line_itself_does_not_know_them() -> None:
    for variety in VARIETIES.values():
        settings = replace(SMALL, fruit=3, variety=variety, lighting=ONE_SIDED, lesion_recipes=LESIONS, sound_share=0.0)
        rows = SimulatedLine(settings).truth()
        assert len(rows) == 3 and all(row.defect_area_mm2 > 0.0 for row in rows)
    asked = "import sys, hardware.sim.simulate; sys.exit('hardware.sim.heldout' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


class Notebook:
    """A writer that remembers."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.events: list[tuple[str, int]] = []
        self.scans: list[Scan] = []
        self.truth: list[Mapping[str, Any]] = []

    def write_frame(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.events.append(("frame", frame.pulse))

    def write_weighing(self, weighing: Weighing) -> None:
        self.events.append(("weighing", weighing.pulse))

    def write_scan(self, scan: Scan) -> None:
        self.scans.append(scan)
        self.events.append(("scan", scan.pulse))

    def write_index_mark(self, t_ns: HostNs, pulse: Pulse) -> None:
        self.events.append(("index", pulse))

    def write_truth(self, truth: Iterable[Mapping[str, Any]]) -> None:
        self.truth = list(truth)


def test_a_simulated_recording_is_whole_and_its_times_follow_the_belt() -> None:
    settings = replace(SMALL, fruit=3, cups_per_chain=2)
    notebook, line = Notebook(), SimulatedLine(settings)
    simulate(settings, notebook, workers=1)
    assert [frame.sequence for frame in notebook.frames] == list(range(line.n_frames()))
    assert [frame.pulse for frame in notebook.frames] == [48 * n for n in range(line.n_frames())]
    assert [frame.t_ns for frame in notebook.frames] == sorted(frame.t_ns for frame in notebook.frames)
    assert [row["cup"] for row in notebook.truth] == [row.cup for row in line.truth()]
    assert sum(scan.kind == "sample" for scan in notebook.scans) == 3
    assert {scan.kind for scan in notebook.scans[:2]} == {"dark", "white"}
    kinds = [kind for kind, _ in notebook.events]
    assert kinds.count("weighing") == line.n_cups
    assert [pulse for kind, pulse in notebook.events if kind == "index"][:3] == [0, 192, 384]
    last = np.asarray(notebook.frames[-1].pixels)
    belt = np.empty_like(last)
    line.render_belt_into(line.n_frames() - 1, belt)
    assert np.abs(last[:, :1000].astype(int) - belt[:, :1000]).max() < 25, "every fruit has left the picture"


def test_settings_that_make_no_line_are_refused() -> None:
    with pytest.raises(ValueError, match="lanes is 0"):
        LineSettings(lanes=0)
    with pytest.raises(ValueError, match="one pass"):
        LineSettings(loop_cups=10, passes=2)
    with pytest.raises(ValueError, match="no loop"):
        prepared_loop(LineSettings())
