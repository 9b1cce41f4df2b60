"""Weighings and scans find their cups, to the pulse; the scale finds its zero."""

from __future__ import annotations

import math

import numpy as np
import pytest

from grader.domain.flags import Flag
from grader.domain.frames import Readings, Scan, Weighing
from grader.domain.installation import CameraPlace, Installation, Line, Scale, Spectrometer
from grader.tracking.belt import advance
from grader.tracking.readings import MOST_REFERENCES, Looks, join, masses
from grader.tracking.settings import TrackSettings
from grader.tracking.state import Said, TrackState, new_track
from grader.units import HostNs, Pulse

SETTINGS = TrackSettings()


def state(
    lanes: int = 2, pulses_per_cup: int = 96, mm_per_pulse: float = 1.0, at: int = 2000, **changes: object
) -> TrackState:
    camera = CameraPlace(
        width_px=1280,
        height_px=610,
        bands=("blue", "green", "red"),
        mm_per_px=0.8,
        cup_zero_px=(0.0, 80.0),
        lane_pitch_px=150.0,
        pulses_per_frame=48,
    )
    place = Installation(
        fruit="apple",
        line=Line(lanes=lanes, pulses_per_cup=pulses_per_cup, mm_per_pulse=mm_per_pulse, cups_per_second=12.0),
        cameras={"top": camera},
        scale=Scale(position_mm=1200.0),
        spectrometers={"main": Spectrometer(lanes=(0, 1), position_mm=1400.0, wavelengths_nm=(700.0, 710.0))},
    )
    made = new_track(place, camera, SETTINGS)
    advance(made.belt, Pulse(at), made.course.reach)
    return made


def weighing(lane: int, pulse: int, mass_g: float = 200.0) -> Weighing:
    return Weighing(lane, Pulse(pulse), HostNs(0), mass_g)


def scan(lane: int, pulse: int, kind: str = "sample", spectrometer: str = "main") -> Scan:
    return Scan(lane, Pulse(pulse), HostNs(0), np.zeros(2, np.float32), kind, spectrometer=spectrometer)


@pytest.mark.parametrize(("off", "cup"), [(-49, 6), (-48, 7), (-1, 7), (0, 7), (47, 7), (48, 8)])
def test_a_reading_belongs_to_the_cup_within_half_a_cup_either_way(off: int, cup: int) -> None:
    track = state()
    join(track, Readings((weighing(1, 7 * 96 + 1200 + off),), (scan(0, 7 * 96 + 1400 + off),)))
    assert {(1, cup), (0, cup)} == set(track.said)


@pytest.mark.parametrize(("off", "cup"), [(-24, 6), (-23, 7), (23, 7), (24, 8)])
def test_the_half_cup_is_of_an_odd_pitch_and_another_pulse_too(off: int, cup: int) -> None:
    # 47 pulses of 2 mm: -23.5 <= off < 23.5, the sensor at 600 pulses.
    track = state(pulses_per_cup=47, mm_per_pulse=2.0)
    join(track, Readings((weighing(0, 7 * 47 + 600 + off),)))
    assert set(track.said) == {(0, cup)}


def test_the_first_of_two_readings_stands_and_the_second_is_a_flag() -> None:
    track = state()
    join(track, Readings((weighing(0, 1872, 200.0), weighing(0, 1873, 300.0)), (scan(0, 2072), scan(0, 2071))))
    said = track.said[0, 7]
    assert said.reading_g == 200.0 and said.scan is not None and said.scan.pulse == 2072
    assert said.flags == Flag.EXTRA_READING


@pytest.mark.parametrize("mass_g", [math.nan, math.inf, -math.inf])
def test_a_weight_that_is_no_number_is_a_flag_and_a_number_after_it_counts(mass_g: float) -> None:
    track = state()
    join(track, Readings((weighing(0, 1872, mass_g),)))
    assert track.said[0, 7].flags == Flag.BAD_WEIGHT and math.isnan(track.said[0, 7].reading_g)
    join(track, Readings((weighing(0, 1872, 210.0),)))
    assert track.said[0, 7].reading_g == 210.0


@pytest.mark.parametrize(
    "said",
    [
        weighing(-1, 1872),
        weighing(2, 1872),
        weighing(10**9, 1872),
        weighing(0, -(10**12)),
        weighing(0, 10**12),
        weighing(0, 10**40),
        weighing(0, 1000),  # cup -2: before the first
        scan(0, 2072, spectrometer="another"),
        scan(7, 2072),
        scan(0, 10**12),
        scan(5, 0, "white"),
        scan(0, 0, "grey"),
    ],
    ids=str,
)
def test_a_reading_of_no_cup_that_can_be_there_is_counted_and_takes_no_room(said: Weighing | Scan) -> None:
    track = state()
    join(track, Readings((said,)) if isinstance(said, Weighing) else Readings(scans=(said,)))
    assert track.ignored_readings == 1
    assert not track.said and not track.references


def test_without_a_scale_weighings_are_of_no_cup() -> None:
    track = state()
    track.course = type(track.course)(**{**_fields(track.course), "scale": None})
    join(track, Readings((weighing(0, 1872),)))
    assert track.ignored_readings == 1


def _fields(course: object) -> dict[str, object]:
    return {name: getattr(course, name) for name in course.__slots__}  # type: ignore[attr-defined]


def test_readings_from_before_the_first_frame_are_kept_for_it() -> None:
    track = state()
    track.belt.pulse = None
    join(track, Readings((weighing(0, 1872),), (scan(0, 2072),)))
    assert set(track.said) == {(0, 7)}


def test_references_of_one_time_count_together_and_later_ones_replace_them() -> None:
    track = state()
    early = [scan(0, pulse, "white") for pulse in (0, 10, 90)]
    join(track, Readings(scans=tuple(early)))
    assert track.references[0, "white"] == early
    later = scan(0, 5000, "white")
    dark = scan(1, 0, "dark")
    join(track, Readings(scans=(later, dark)))
    assert track.references == {(0, "white"): [later], (1, "dark"): [dark]}
    for _ in range(100):
        join(track, Readings(scans=(scan(0, 5000, "white"),)))
    assert len(track.references[0, "white"]) == MOST_REFERENCES


def weigh(
    track: TrackState, readings_g: list[float], empty: list[bool], lane: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Masses and flags of cups that come one after the other."""
    flags = np.zeros(len(readings_g), np.uint32)
    unseen = np.full(len(readings_g), np.nan)
    found = masses(track, *cups(readings_g, lane), looks(empty), unseen, flags, SETTINGS)
    return found.mass_g, flags


def cups(readings_g: list[float], lane: int = 0) -> tuple[np.ndarray, np.ndarray, list[Said]]:
    """Cups of one lane, one after the other, with what the scale said of each."""
    n = len(readings_g)
    return np.full(n, lane), np.arange(n), [Said(reading_g=reading_g) for reading_g in readings_g]


def looks(empty: list[bool]) -> Looks:
    return Looks(fruit=~np.array(empty), empty=np.array(empty), plainly_empty=np.array(empty))


def test_the_scales_zero_is_learned_from_empty_cups_and_followed_as_it_drifts() -> None:
    rng, track, n = np.random.default_rng(5), state(), 4000
    empty = rng.random(n) < 0.08
    true_g = np.where(empty, 0.0, rng.uniform(100, 250, n))
    zero_g = 4.0 + 2.0 * np.arange(n) / n  # grams: some 6 minutes of a lane, with far more drift than a scale has
    mass_g, flags = weigh(track, list(true_g + zero_g + rng.normal(0, 1.0, n)), list(empty))
    late = np.arange(n) > 500  # half of the cups that make the zero were empty by then
    error_g = (mass_g - true_g)[late & ~empty]
    assert np.sqrt((error_g**2).mean()) < 1.25  # 1.0 is the weighing's own noise
    assert abs(error_g.mean()) < 0.4
    assert not flags.any()


def test_litter_in_a_cup_that_looks_empty_does_not_move_the_zero() -> None:
    track = state()
    weigh(track, [2.0] * 20 + [25.0, 25.0, 29.0] + [2.0] * 2, [True] * 25)
    assert track.scale.lanes[0].zero_g == 2.0
    assert track.scale.lanes[1].zero_g == 0.0  # every lane has its own


def test_fruit_do_not_teach_the_zero_and_impossible_weights_are_flags() -> None:
    track = state()
    mass_g, flags = weigh(track, [200.0, 12.0, -5.0, 1e9, math.nan], [False] * 5)
    assert track.scale.lanes[0].zero_g == 0.0
    assert mass_g[:2].tolist() == [200.0, 12.0] and np.isnan(mass_g[2:]).all()
    assert flags.tolist() == [0, 0, Flag.BAD_WEIGHT, Flag.BAD_WEIGHT, 0]


def test_a_reading_just_below_zero_is_no_weight_but_says_that_next_to_nothing_was_there() -> None:
    said = cups([-2.0, 2.0, -40.0, 150.0])
    found = masses(state(), *said, looks([False] * 4), np.full(4, np.nan), np.zeros(4, np.uint32), SETTINGS)
    assert np.isnan(found.mass_g).tolist() == [True, False, True, False]
    assert found.light.tolist() == [True, True, False, False]
    assert found.heavy.tolist() == [False, False, False, True]


def test_an_empty_looking_cup_far_below_zero_is_a_bad_weight_and_no_lesson() -> None:
    track = state()
    mass_g, flags = weigh(track, [-500.0], [True])
    assert np.isnan(mass_g[0]) and flags[0] == Flag.BAD_WEIGHT and track.scale.lanes[0].zero_g == 0.0
