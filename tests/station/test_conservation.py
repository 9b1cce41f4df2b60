"""Fruit in is fruit out: each occupied cup one record, whatever order things come in, whatever the devices say."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_line import (
    CROSSING,
    MASS_G,
    PER_FRAME,
    PITCH,
    SCAN_MM,
    Cup,
    Run,
    frames_for,
    installation,
    painted,
    scan,
    spectrometer,
    weighing,
)

from grader.domain.flags import Flag
from grader.domain.frames import Readings, Scan, Weighing
from grader.domain.views import Occupancy
from grader.station.line import step
from grader.tracking.belt import FARTHEST_PULSE
from grader.units import HostNs, Pulse

QUICK = settings(max_examples=25, deadline=None, derandomize=True)
CONTENTS = st.sampled_from([Occupancy.ONE, Occupancy.ONE, Occupancy.EMPTY, Occupancy.TOUCHING, Occupancy.OVERSIZE])
NONSENSE = st.sampled_from([0, -1, 10**6, -(10**12), 10**12, 2**63 - 1, -(2**63), 10**30])
MASSES = st.sampled_from([math.nan, math.inf, -math.inf, -5.0, 0.0, 40.0, 1e9, 1e300])


@st.composite
def belts(draw: st.DrawFn) -> tuple[int, int, dict[Cup, Occupancy]]:
    """Lanes, first cup, and what is in each of the cups."""
    lanes, first = draw(st.integers(1, 3)), draw(st.integers(0, 5))
    rows = draw(st.lists(st.tuples(*[CONTENTS] * lanes), min_size=1, max_size=14))
    return lanes, first, {(lane, first + k): row[lane] for k, row in enumerate(rows) for lane in range(lanes)}


def occupied(contents: dict[Cup, Occupancy]) -> set[Cup]:
    return {cup for cup, code in contents.items() if code != Occupancy.EMPTY}


def shifted(items: list[Any], by: int, chance: random.Random) -> list[Any]:
    """The items, none of them more than `by` places from where it was."""
    return [item for _, item in sorted((at + chance.uniform(0, by), item) for at, item in enumerate(items))]


@QUICK
@given(belt=belts(), seed=st.integers(0, 2**32), start=st.integers(0, 3), lost=st.sampled_from([0.0, 0.1, 0.4]))
def test_each_occupied_cup_is_one_record_in_whatever_order_frames_and_readings_come(
    belt: tuple[int, int, dict[Cup, Occupancy]], seed: int, start: int, lost: float
) -> None:
    lanes, first, contents = belt
    chance = random.Random(seed)
    run = Run(contents, lanes=lanes, installation=installation(lanes, first))
    last = max(cup for _, cup in contents)
    kept = [number for number in frames_for(last) if chance.random() >= lost]
    sequences = shifted(kept + chance.sample(kept, len(kept) // 8), 4, chance)
    said = [
        weighing(lane, cup, MASS_G if code != Occupancy.EMPTY else chance.gauss(0, 2))
        for (lane, cup), code in contents.items()
        if chance.random() < 0.9
    ]
    said = shifted(sorted(said, key=lambda each: each.pulse), 8, chance)
    for number in sequences[start:]:
        now = [each for each in said if each.pulse <= number * PER_FRAME]
        said = [each for each in said if each not in now]
        run.frame(number, Readings(weighings=tuple(now)))
    assert set(run.out(Readings(weighings=tuple(said)))) == occupied(contents)


@QUICK
@given(
    belt=belts(),
    rubbish=st.lists(
        st.tuples(st.integers(0, 40), st.integers(-3, 12) | NONSENSE, NONSENSE | st.integers(-500, 4000), MASSES),
        max_size=40,
    ),
)
def test_no_reading_raises_or_takes_room_or_loses_or_invents_seen_fruit(
    belt: tuple[int, int, dict[Cup, Occupancy]], rubbish: list[tuple[int, int, int, float]]
) -> None:
    lanes, first, contents = belt
    place = installation(lanes, first, spectrometers=spectrometer(lanes))
    run = Run(contents, lanes=lanes, installation=place)
    last = max(cup for _, cup in contents)
    at: dict[int, tuple[list[Weighing], list[Scan]]] = {}
    for frame, lane, pulse, mass_g in rubbish:
        weighings, scans = at.setdefault(frame, ([], []))
        weighings.append(Weighing(lane, Pulse(pulse), HostNs(0), mass_g))
        kind = "white" if frame % 2 else "sample"
        scans.append(
            scan(lane, 0, pulse - SCAN_MM, counts=min(mass_g, 1e30), kind=kind, spectrometer="main" if lane else "none")
        )
    for number in frames_for(last):
        weighings, scans = at.get(number, ([], []))
        run.frame(number, Readings(tuple(weighings), tuple(scans)))
        assert len(run.state.track.said) <= 2 * len(rubbish)
        assert len(run.state.track.references) <= 2 * lanes
    weighings, scans = at.get(40, ([], []))
    records = run.out(Readings(tuple(weighings), tuple(scans)))
    assert occupied(contents) <= set(records)
    invented = set(records) - occupied(contents)
    heavy = [each for each in rubbish if each[3] >= 30 and math.isfinite(each[3])]
    assert all(run.flags(*cup) & Flag.NOT_SEEN for cup in invented)
    assert len(invented) <= len(heavy)


COUNTS = st.integers(-5, 60) | NONSENSE


@QUICK
@given(
    frames=st.lists(
        st.tuples(
            COUNTS, COUNTS, st.sampled_from(["", "lost", "repeated", "out of order", "cut short"]), st.booleans()
        ),
        max_size=40,
    ),
    belt=belts(),
)
def test_no_order_of_frames_and_pulses_raises_or_gives_a_cup_two_records(
    frames: list[tuple[int, int, str, bool]], belt: tuple[int, int, dict[Cup, Occupancy]]
) -> None:
    lanes, first, contents = belt
    run = Run(contents, lanes=lanes, installation=installation(lanes, first))
    for sequence, place, damage, there in frames:
        pulse = place * PER_FRAME if abs(place) < 100 else place
        run.frame(sequence, pulse=pulse, damage=damage, pixels=run.blank if there else None)
        held = run.state.track.cup[run.state.track.cup > -(1 << 61)]
        assert run.state.track.passed < held.min(initial=2**62)
        assert held.max(initial=-(2**62)) <= run.state.track.passed + run.state.track.course.slots
    invented = set(run.out()) - occupied(contents)  # `Run.take` raises for a second record
    assert all(run.flags(*cup) & Flag.NOT_SEEN for cup in invented)


@pytest.mark.parametrize("lanes", [1, 2])
def test_painted_frames_give_one_record_for_each_disc(lanes: int) -> None:
    chance = random.Random(lanes)
    fruit = [(lane, cup) for cup in range(9) for lane in range(lanes) if chance.random() < 0.7]
    run = Run(lanes=lanes, knowing=False, installation=installation(lanes))
    for number in frames_for(8):
        run.frame(number, pixels=painted(run.settings.camera_place, fruit, number * PER_FRAME))
    records = run.out()
    assert set(records) == set(fruit)
    assert all(record.values["diameter_mm"] == pytest.approx(76, abs=1.5) for record in records.values())


@pytest.mark.parametrize("jump", [10**12, -(10**12), 10**5, -(10**5), 2**62, -3 * PITCH, 60, 2 * PITCH])
def test_when_the_encoder_jumps_all_that_was_on_the_belt_is_decided_and_flagged(jump: int) -> None:
    every = {(lane, cup): Occupancy.ONE for lane in range(2) for cup in range(100)}
    run = Run(every)
    for number in range(40):
        run.frame(number)
    before = set(run.records)
    newest = 39 * PER_FRAME // PITCH
    on_the_belt = {(lane, cup) for lane, cup in every if cup <= newest} - before
    assert on_the_belt and not any(record.flags & Flag.PULSE_JUMP for record in run.records.values())
    for number in range(40, 44):
        run.frame(number, pulse=number * PER_FRAME + jump)
    if not 0 < jump < 1000 and abs(jump) < FARTHEST_PULSE:  # else they come in time, or when the belt runs out
        assert on_the_belt <= set(run.records)
    run.out()
    assert on_the_belt <= set(run.records)
    assert all(run.flags(*cup) & Flag.PULSE_JUMP for cup in on_the_belt)
    assert all(run.records[cup].outlet == 0 for cup in on_the_belt)
    assert not any(run.records[cup].flags & Flag.PULSE_JUMP for cup in before)


def test_one_wild_pulse_among_good_ones_moves_nothing_and_fruit_after_it_are_sound() -> None:
    every = [(lane, cup) for lane in range(2) for cup in range(40)]
    run = Run(every)
    for number in frames_for(39):
        run.frame(number, pulse=10**12 if number == 20 else None)
    assert set(run.out()) == set(every)
    newest = 20 * PER_FRAME // PITCH
    assert all(run.flags(lane, cup) & Flag.PULSE_JUMP for lane, cup in every if cup < newest)
    assert {run.flags(lane, cup) for lane, cup in every if cup > newest} == {Flag.NO_WEIGHT}


def test_a_jump_there_and_back_costs_no_fruit_that_comes_later() -> None:
    every = [(lane, cup) for lane in range(2) for cup in range(60)]
    run = Run(every)
    for number in frames_for(59):
        run.frame(number, pulse=number * PER_FRAME + (10**12 if 20 <= number < 30 else 0))
    run.out()
    assert {cup for cup in run.records if cup[1] < 60} >= {cup for cup in every if cup[1] > 16}


def test_a_pulse_without_a_frame_that_is_far_ahead_decides_and_flags_all() -> None:
    every = [(0, cup) for cup in range(10)]
    for pulse in (10**12, 10**30):
        run = Run(every, lanes=1)
        run.frames(range(12))
        run.take(step(run.settings, run.state, None, pulse=Pulse(pulse)))
        run.out()
        assert set(run.records) == {(0, cup) for cup in range(11 * PER_FRAME // PITCH + 1)}
        assert all(record.flags & Flag.PULSE_JUMP for record in run.records.values())


def test_the_belt_stopping_in_the_middle_of_a_recording_leaves_nothing_behind() -> None:
    every = [(lane, cup) for lane in range(2) for cup in range(12)]
    run = Run(every)
    last = 3 * CROSSING // PER_FRAME // 4
    run.frames(range(last))
    shown = {(lane, cup) for lane, cup in every if cup * PITCH <= (last - 2) * PER_FRAME}
    assert shown <= set(run.out())
