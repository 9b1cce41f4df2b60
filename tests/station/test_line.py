"""The corridor's promises: what is joined to which fruit, when it is decided, what its gate is told, its lot."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from small_line import (
    CHANNELS,
    CROSSING,
    DECISION_MM,
    MASS_G,
    PER_FRAME,
    PITCH,
    Cup,
    Run,
    camera,
    frames_for,
    installation,
    painted,
    scan,
    spectrometer,
    weighed_at,
    weighing,
    with_gates,
)

from grader.app.setting_up import SUGAR_MODEL, make_artefacts
from grader.domain.artefacts import SugarModel
from grader.domain.events import EventKind
from grader.domain.flags import Flag
from grader.domain.frames import NO_READINGS, Readings, Scan
from grader.domain.installation import LotMark, Spectrometer
from grader.domain.views import Occupancy
from grader.errors import BadSettings
from grader.station.line import MOST_UNSEEN, gate_window, new_line, step
from grader.storage.artefacts import load_artefact
from grader.tracking.scale import memory_of
from grader.units import Pulse
from hardware.sim.levels import IDEAL
from hardware.sim.line import LineSettings as SimSettings
from hardware.sim.line import SimulatedLine

EVERY = [(lane, cup) for lane in range(2) for cup in range(12)]


# -- when ----------------------------------------------------------------------------------------------------------


def test_a_fruit_is_decided_in_the_first_step_at_or_past_its_decision_pulse() -> None:
    run = Run([(0, 3)], lanes=1)
    run.frames(frames_for(3))
    due = 3 * PITCH + DECISION_MM
    for pulse, decided in [(due - 1, []), (due, [(0, 3)]), (due + 1, [])]:
        assert run.take(step(run.settings, run.state, None, pulse=Pulse(pulse))) == decided


def test_a_cup_is_seen_when_it_has_left_the_picture_and_decided_when_the_sensors_have_spoken() -> None:
    run = Run([(0, 0)], lanes=1)
    track = run.state.track
    looked_closed = {}
    for number in range(DECISION_MM // PER_FRAME + 2):
        run.frame(number, Readings((weighing(0, 0, MASS_G),)) if number == 25 else NO_READINGS)
        slot = 0 % track.course.slots
        looked_closed[number] = bool(track.seen[0, slot]), bool(track.measured[0, slot, 0] > 0)
    leaves = math.ceil(CROSSING / PER_FRAME)
    assert looked_closed[leaves - 1] == (False, False)
    assert looked_closed[leaves + 1] == (True, True)  # long before 1,500 mm, and without a weight
    assert run.records[0, 0].values["mass_g"] == MASS_G


def test_where_the_picture_reaches_beyond_the_decision_what_was_seen_until_then_decides() -> None:
    wide = installation(1, cameras={"top": camera(1, width_px=2200)})  # 1,760 mm
    run = Run([(0, cup) for cup in range(8)], installation=wide)
    run.frames(range(90))
    assert set(run.out()) == {(0, cup) for cup in range(8)}
    for record in run.records.values():
        assert record.flags & ~Flag.NO_WEIGHT == Flag.NONE
        assert record.values["diameter_mm"] == pytest.approx(80, abs=4)


def test_after_the_last_frame_the_belt_runs_on_until_all_is_decided_and_readings_still_count() -> None:
    run = Run(EVERY)
    run.frames(range(20))
    later = Readings(weighings=tuple(weighing(lane, cup, MASS_G + cup) for lane, cup in EVERY))
    records = run.out(later)
    newest = 19 * PER_FRAME // PITCH
    for lane, cup in EVERY:  # cups beyond the last frame were weighed, and are fruit that nobody saw
        assert records[lane, cup].values["mass_g"] == MASS_G + cup
        assert bool(records[lane, cup].flags & Flag.NOT_SEEN) == (cup > newest)


def test_a_scale_that_goes_on_long_after_the_camera_died_still_finds_its_fruit() -> None:
    run = Run([], lanes=1)
    run.frames(range(5))
    heavy = range(0, 400, 3)
    records = run.out(Readings(tuple(weighing(0, cup, 150.0 if cup in heavy else 0.5) for cup in range(400))))
    assert set(records) == {(0, cup) for cup in heavy}
    assert all(record.flags & Flag.NOT_SEEN and record.outlet == 0 for record in records.values())


def test_a_step_needs_a_frame_or_a_pulse() -> None:
    run = Run()
    with pytest.raises(ValueError, match="frame or a pulse"):
        step(run.settings, run.state, None)


# -- which ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("off", "cup"), [(-49, 4), (-48, 5), (47, 5), (48, 6)])
def test_weight_and_scan_are_of_the_cup_within_half_a_cup_either_way(off: int, cup: int) -> None:
    place = installation(1, spectrometers=spectrometer(1))
    run = Run([(0, 4), (0, 5), (0, 6)], lanes=1, installation=place)
    run.frames(frames_for(6))
    run.out(Readings((weighing(0, 5, 180.0, off),), (scan(0, 5, off),)))
    assert {key: record.values["mass_g"] for key, record in run.records.items()} == {
        (0, k): 180.0 if k == cup else None for k in (4, 5, 6)
    }
    for k in (4, 5, 6):
        assert bool(run.flags(0, k) & Flag.NO_SPECTRUM) == bool(run.flags(0, k) & Flag.NO_WEIGHT) == (k != cup)


def test_lanes_do_not_mix() -> None:
    masses = {(lane, cup): 100.0 + 10 * lane + cup for lane, cup in EVERY}
    run = Run(EVERY)
    run.frames(frames_for(40), masses)
    assert {key: record.values["mass_g"] for key, record in run.out().items()} == masses


def test_only_the_lines_own_camera_is_looked_through_and_the_others_still_move_the_belt() -> None:
    run = Run(EVERY, camera="side")
    for number in frames_for(11):
        run.frame(number, camera="side", pulse=number * PER_FRAME)
        run.frame(10**6 - number, camera="top", pulse=number * PER_FRAME + 7, pixels=np.zeros((3, 3, 3), np.uint8))
    assert run.eye.looked == [number * PER_FRAME for number in frames_for(11)]
    run.frame(0, camera="top", pulse=11 * PITCH + DECISION_MM)
    assert set(run.records) == set(EVERY)
    assert {Flag(record.flags) for record in run.records.values()} == {Flag.NO_WEIGHT}


def test_a_recording_that_starts_in_the_middle_of_the_belt_tells_fruit_that_were_half_seen() -> None:
    start = 2000
    every = {(0, cup): Occupancy.ONE for cup in range(start + 40)}
    run = Run(every, lanes=1)
    first = start * PITCH // PER_FRAME
    run.frames(range(first, first + 60))
    run.out()
    seen = sorted(cup for _, cup in run.records)
    assert seen == list(range(seen[0], start + 30)) and seen[0] < start - 8
    few = {cup for _, cup in run.records if run.flags(0, cup) & (Flag.FEW_VIEWS | Flag.NOT_SEEN)}
    assert few and max(set(range(start - 11, start + 24)) & few) < start - 1


def test_cups_before_the_first_are_no_part_of_it() -> None:
    run = Run(EVERY, installation=installation(2, first_cup=4))
    heavy = dict.fromkeys(EVERY, 200.0)
    run.frames(frames_for(30), heavy)
    assert set(run.out()) == {(lane, cup) for lane, cup in EVERY if cup >= 4}


# -- what is in a cup ----------------------------------------------------------------------------------------------


def test_a_heavy_cup_that_no_camera_saw_is_a_fruit_and_litter_is_none() -> None:
    masses: dict[Cup, float] = {(0, 2): 150.0, (0, 3): 12.0, (0, 4): 1.0, (0, 5): math.nan}
    run = Run([], lanes=1)
    run.frames(frames_for(30), masses)
    assert set(run.out()) == {(0, 2)}
    assert run.flags(0, 2) == Flag.NOT_SEEN
    assert run.records[0, 2].values["mass_g"] == 150.0
    assert run.records[0, 2].outlet == 0


@pytest.mark.parametrize(("mass_g", "fruit"), [(8.0, False), (150.0, True), (math.nan, True), (None, True)])
def test_what_shows_in_one_frame_only_is_a_fruit_unless_the_scale_found_it_light(
    mass_g: float | None, fruit: bool
) -> None:
    run = Run([(0, 1)], lanes=1)
    for number in range(45):
        run.frame(
            number,
            Readings((weighing(0, 1, mass_g),)) if number == 28 and mass_g is not None else NO_READINGS,
            pixels=run.blank if number == 12 else None,
            damage="" if number == 12 else "lost",
        )
    assert ((0, 1) in run.out()) == fruit
    assert all(record.flags & Flag.NOT_SEEN for cup, record in run.records.items() if cup != (0, 1))


def test_a_fruit_that_is_plainly_seen_stays_one_when_the_scale_stands_at_zero() -> None:
    run = Run(EVERY)
    run.frames(frames_for(40), dict.fromkeys(EVERY, 0.0))
    assert set(run.out()) == set(EVERY)


@pytest.mark.parametrize(
    ("mass_g", "fruit"), [(2.4, False), (-0.8, False), (150.0, True), (math.nan, True), (None, True)]
)
def test_what_is_too_slim_for_a_fruit_is_a_leaf_if_it_weighs_nothing(mass_g: float | None, fruit: bool) -> None:
    run = Run([(0, 1), (0, 2)], lanes=1)
    run.eye.slim.add((0, 1))
    run.frames(frames_for(30), {(0, 2): 150.0} | ({(0, 1): mass_g} if mass_g is not None else {}))
    assert set(run.out()) == {(0, 2)} | ({(0, 1)} if fruit else set())


def test_without_a_scale_nothing_that_was_seen_is_left_out_for_its_shape() -> None:
    run = Run([(0, 1)], installation=installation(1, scale=None))
    run.eye.slim.add((0, 1))
    run.frames(frames_for(30))
    assert set(run.out()) == {(0, 1)}


@pytest.mark.parametrize(
    ("contents", "flag"), [(Occupancy.TOUCHING, Flag.TOUCHING), (Occupancy.OVERSIZE, Flag.OVERSIZE)]
)
def test_fruit_that_no_gate_can_take_go_to_the_default_outlet(contents: Occupancy, flag: Flag) -> None:
    run = Run({(0, 0): Occupancy.ONE, (0, 1): contents, (0, 2): Occupancy.ONE}, lanes=1)
    run.frames(frames_for(2), {(0, cup): MASS_G for cup in range(3)})
    run.out(Readings(tuple(weighing(0, cup, MASS_G) for cup in range(3))))
    beside = Flag.EXTRA_READING | Flag.UNLIKELY_SIZE  # every fruit of this line weighs the same
    assert [run.flags(0, cup) & ~beside for cup in range(3)] == [Flag.NONE, flag, Flag.NONE]
    assert [record.outlet > 0 for record in run.records.values()] == [True, False, True]
    assert run.records[0, 1].grade == "" and (0, 1) not in run.commands


def test_masses_of_the_simulated_scale_are_right_to_a_gram_and_a_half() -> None:
    sim = SimulatedLine(SimSettings(fruit=400, lanes=2, seed=11))
    truth = {(lane, cup): sim._mass_g(lane, cup) for cup in range(sim.n_cups) for lane in range(2)}
    fruit = {key for key, mass_g in truth.items() if mass_g > 0}
    run = Run(fruit)
    told = Pulse(0)
    for number in frames_for(sim.n_cups + 20):
        now = Pulse(number * PER_FRAME)
        run.frame(number, Readings(tuple(sim.weighings_between(told, now))))
        told = now
    assert set(run.out()) == fruit
    error_g = np.array([(run.records[key].values["mass_g"] or math.nan) - truth[key] for key in fruit])
    assert np.sqrt((error_g**2).mean()) < 1.5


def test_a_step_hands_out_what_happened_to_the_scale_and_another_line_goes_on_with_it() -> None:
    run = Run(lanes=1)
    run.frames(frames_for(80), {(0, cup): 3.0 for cup in range(80)})
    assert [(each.kind, each.lane) for each in run.events] == [(EventKind.SCALE_ZERO, 0)]
    assert run.events[0].values == {"from_g": 0.0, "to_g": 3.0}

    memory = memory_of(run.state.track.scale)
    later = Run([(0, 5)], lanes=1)
    later.state = new_line(later.settings, scale_memory=memory)
    later.state.eye = later.eye  # type: ignore[assignment]
    later.frames(frames_for(20), {(0, 5): MASS_G})
    assert later.out()[0, 5].values["mass_g"] == MASS_G - 3.0


# -- frames that are not as they should be -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "flag"),
    [
        ("lost", Flag.FRAME_LOST),
        ("cut short", Flag.FRAME_DAMAGED),
        ("wrong size: 3 x 3, not 4 x 4", Flag.FRAME_DAMAGED),
        ("missing", Flag.FRAME_DAMAGED),
        ("out of order", Flag.FRAME_OUT_OF_ORDER),
        ("repeated", Flag.FRAME_REPEATED),
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_a_frame_that_its_driver_marks_is_a_flag_on_the_fruit_in_it_and_on_no_other(
    damage: str, flag: Flag, there: bool
) -> None:
    fruit = [(0, cup) for cup in range(40)]
    run = Run(fruit, lanes=1)
    at = 40
    for number in frames_for(39):
        marked = number == at
        run.frame(number, damage=damage if marked else "", pixels=run.blank if there or not marked else None)
    run.out()
    in_view = {cup for cup in range(40) if 0 <= at * PER_FRAME - cup * PITCH < CROSSING}
    assert {cup for _, cup in run.records if run.flags(0, cup) & flag} == in_view
    assert {run.flags(0, cup) for _, cup in run.records if cup not in in_view} == {Flag.NO_WEIGHT}
    assert {run.flags(0, cup) for cup in in_view} == {Flag.NO_WEIGHT | flag}
    assert set(run.records) == set(fruit)


def test_frames_that_never_came_are_a_flag_on_the_fruit_that_they_would_have_shown() -> None:
    fruit = [(0, cup) for cup in range(60)]
    run = Run(fruit, lanes=1)
    lost = range(40, 46)
    run.frames(number for number in frames_for(59) if number not in lost)
    run.out()
    missed = {cup for cup in range(60) if any(0 <= number * PER_FRAME - cup * PITCH < CROSSING for number in lost)}
    assert {cup for _, cup in run.records if run.flags(0, cup) & Flag.FRAME_LOST} == missed
    assert set(run.records) == set(fruit)


def test_a_picture_of_another_size_is_damage_and_no_crash() -> None:
    run = Run(EVERY)
    for number in frames_for(11):
        shape = {9: (0, 0, 3), 10: (5, 5, 3), 11: (310, 1280, 1), 12: (310, 1280)}.get(number)
        run.frame(number, pixels=run.blank if shape is None else np.zeros(shape, np.uint8))
        assert run.looked == (shape is None), "what was not looked at shows nobody's fruit"
    assert set(run.out()) == set(EVERY)
    assert run.flags(0, 0) & Flag.FRAME_DAMAGED


def test_the_same_sight_twice_is_not_two_sights() -> None:
    runs = [Run([(0, 0)], lanes=1), Run([(0, 0)], lanes=1)]
    for number in frames_for(0):
        for run, times in zip(runs, (1, 3), strict=True):
            for _ in range(times):
                run.frame(number)
    once, thrice = (run.out()[0, 0] for run in runs)
    assert thrice.values == once.values
    assert thrice.flags == once.flags | Flag.FRAME_REPEATED


def test_a_frame_that_comes_late_still_counts_once() -> None:
    runs = [Run([(0, 0)], lanes=1), Run([(0, 0)], lanes=1)]
    runs[0].frames(frames_for(0))
    runs[1].frames([0, 1, 2, 4, 5, 3, 4, *range(6, len(frames_for(0)))])
    in_order, late = (run.out()[0, 0] for run in runs)
    assert late.values == in_order.values
    assert late.flags == in_order.flags | Flag.FRAME_LOST | Flag.FRAME_OUT_OF_ORDER | Flag.FRAME_REPEATED


def test_a_camera_that_falls_silent_leaves_fruit_unseen_but_counted() -> None:
    fruit = {(0, cup): MASS_G + cup / 10 for cup in range(80)}  # a scale that always says the same is not believed
    run = Run(fruit, lanes=1)
    for number in frames_for(120):
        said = tuple(
            weighing(0, cup, mass_g)
            for (_, cup), mass_g in fruit.items()
            if number == (cup * PITCH + 1200) // PER_FRAME + 1
        )
        if 60 <= number < 140:
            run.take(step(run.settings, run.state, None, Readings(said), Pulse(number * PER_FRAME)))
        else:
            run.frame(number, Readings(said))
    assert set(run.out()) == set(fruit)
    assert all(record.values["mass_g"] == fruit[key] for key, record in run.records.items())
    unseen = {cup for _, cup in run.records if run.flags(0, cup) & Flag.NOT_SEEN}
    assert unseen == {cup for cup in range(80) if cup * PITCH >= 60 * PER_FRAME and cup * PITCH + CROSSING <= 140 * 48}


def test_what_the_scale_said_while_frames_were_missing_is_of_the_fruit_that_crossed_then() -> None:
    fruit = [(lane, cup) for lane in range(2) for cup in range(60)]
    masses = {(lane, cup): 100.0 + 10 * lane + cup for lane, cup in fruit}
    run = Run(fruit)
    gap = range(30, 110)
    run.frames(range(gap.start), masses)
    said = [each for number in [*gap, gap.stop] for each in weighed_at(number, masses).weighings]
    run.frame(gap.stop, Readings(tuple(said)))
    run.frames(range(gap.stop + 1, frames_for(70).stop), masses)
    assert {cup: record.values["mass_g"] for cup, record in run.out().items()} == masses
    unseen = {cup for _, cup in run.records if run.flags(0, cup) & Flag.NOT_SEEN}
    first, last = gap.start * PER_FRAME, gap.stop * PER_FRAME
    assert unseen == {cup for cup in range(60) if first <= cup * PITCH <= last - CROSSING}


def test_of_a_gap_too_long_to_go_over_both_ends_are_flagged_and_the_rest_is_counted() -> None:
    beyond = MOST_UNSEEN + 100
    last_before, first_after = 30, 31 + beyond
    run = Run({(0, cup): Occupancy.ONE for cup in range(2 * beyond)}, lanes=1)
    run.frames([*range(last_before + 1), *range(first_after, first_after + 60)])
    run.out()
    assert run.state.faults.missing == beyond
    assert run.state.faults.passed_over == 100
    in_view = {cup for cup in range(beyond) for at in (last_before + 1, first_after - 1) if is_in_view(cup, at)}
    assert in_view <= {cup for _, cup in run.records if run.flags(0, cup) & Flag.FRAME_LOST}


def is_in_view(cup: int, number: int) -> bool:
    return 0 <= number * PER_FRAME - cup * PITCH < CROSSING


def shown(run: Run, number: int, fruit: list[Cup], light: float = 1.0) -> NDArray[np.uint8]:
    """What the camera takes of the belt where it is at a frame of this number."""
    return (painted(run.settings.camera_place, fruit, number * PER_FRAME) * light).astype(np.uint8)


def pulse_jumps(run: Run) -> int:
    return sum(bool(record.flags & Flag.PULSE_JUMP) for record in run.out().values())


def test_a_belt_that_moves_while_the_encoder_is_silent_is_told_by_its_pictures() -> None:
    run = Run(EVERY)
    for number in frames_for(11):
        stands = 20 <= number < 24
        pulse = (20 if stands else number) * PER_FRAME
        run.frame(number, pulse=pulse, pixels=shown(run, number, EVERY))
    assert pulse_jumps(run) > 0
    assert run.state.faults.uncounted == 3


def test_a_camera_that_sends_an_old_picture_as_a_new_one_shows_nobodys_fruit() -> None:
    run = Run(EVERY)
    for number in frames_for(11):
        is_frozen = 20 < number < 25
        run.frame(number, pixels=shown(run, 20 if is_frozen else number, EVERY))
        assert run.looked == (not is_frozen)
    assert set(run.out()) == set(EVERY)


@pytest.mark.parametrize("light", [1.0, 0.7])
def test_a_belt_that_stands_is_no_silent_encoder_however_the_light_changes(light: float) -> None:
    run = Run(EVERY)
    number = 0
    for place in frames_for(11):
        for again in range(3 if place == 20 else 1):
            run.frame(number, pulse=place * PER_FRAME, pixels=shown(run, place, EVERY, light if again == 1 else 1.0))
            number += 1
    assert pulse_jumps(run) == 0
    assert run.state.faults.uncounted == 0


def test_a_picture_that_is_sent_again_after_it_was_lost_is_no_silent_encoder() -> None:
    run = Run(EVERY)
    for number in frames_for(11):
        if number == 20:
            run.frame(number, pixels=None, damage="lost")
        run.frame(number, pixels=shown(run, number, EVERY))
    assert pulse_jumps(run) == 0


def test_a_picture_without_colour_is_damage_to_the_fruit_in_it() -> None:
    run = Run(EVERY)
    for number in frames_for(11):
        picture = shown(run, number, EVERY)
        run.frame(number, pixels=picture if number != 20 else np.repeat(picture[:, :, 2:], 3, axis=2))
    assert set(run.out()) == set(EVERY)
    damaged = {cup for _, cup in run.records if run.flags(0, cup) & Flag.FRAME_DAMAGED}
    assert damaged == {cup for cup in range(12) if is_in_view(cup, 20)}


# -- gates and lots ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pitch", [96, 95])
def test_a_gate_is_told_half_a_cup_either_way_and_neighbours_meet_without_a_gap(pitch: int) -> None:
    place = installation(1)
    place = msgspec.structs.replace(place, line=msgspec.structs.replace(place.line, pulses_per_cup=pitch))
    for outlet in range(1, 9):
        opens, closes = gate_window(place, 7, outlet)
        assert opens == 7 * pitch + 2000 + 600 * (outlet - 1) - pitch // 2
        assert closes == gate_window(place, 8, outlet)[0]


def test_commands_are_of_the_fruit_that_a_gate_takes_and_leave_the_board_its_lead() -> None:
    run = Run(EVERY)
    for number in frames_for(40):
        said = [weighing(lane, cup, MASS_G) for lane, cup in EVERY if number == (cup * PITCH + 1200) // PER_FRAME + 1]
        for key in run.frame(number, Readings(tuple(said))):
            command = run.commands[key]
            opens, closes = gate_window(run.settings.installation, command.cup, command.outlet)
            assert (command.open_pulse, command.close_pulse) == (opens, closes)
            assert opens - number * PER_FRAME >= run.settings.installation.gates.lead_pulses
    assert set(run.commands) == set(EVERY)


def test_lots_change_at_their_cup_lane_by_lane() -> None:
    lots = (
        LotMark(name="morning", first_cup=(2, 0)),
        LotMark(name="noon", first_cup=(5, 7)),
        LotMark(name="never", first_cup=(99, 99)),
    )
    run = Run(EVERY, installation=installation(2, lots=lots))
    run.frames(frames_for(11))
    run.out()
    found = {key: record.lot for key, record in run.records.items()}
    for cup in range(12):
        assert found[0, cup] == ("lot-1" if cup < 2 else "morning" if cup < 5 else "noon")
        assert found[1, cup] == ("morning" if cup < 7 else "noon")


# -- sugar ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> SugarModel:
    make_artefacts()
    return load_artefact(SUGAR_MODEL, SugarModel)[0]


@pytest.fixture(scope="module")
def sim() -> SimulatedLine:
    return SimulatedLine(SimSettings(level=IDEAL, fruit=24, lanes=2, seed=3))


def sweet(model: SugarModel, sim: SimulatedLine, **changes: object) -> Run:
    """A run of the simulated line's scans, whatever its camera shows."""
    place = installation(2, spectrometers=sim.installation.spectrometers)
    place = msgspec.structs.replace(
        place, **{key: changes.pop(key) for key in ("fruit", "spectrometers") & changes.keys()}
    )
    fruit = [(lane, cup) for cup in range(sim.n_cups) for lane in range(2) if sim.occupied(lane, cup)]
    return Run(fruit, installation=place, sugar=model, **changes)


def scanned(run: Run, sim: SimulatedLine, references: list[Scan]) -> None:
    told = Pulse(0)
    for number in frames_for(sim.n_cups + 20):
        now = Pulse(number * PER_FRAME)
        run.frame(number, Readings(scans=(*references, *sim.scans_between(told, now))))
        references, told = [], now


def test_sugar_is_that_of_the_fruit_in_the_cup(model: SugarModel, sim: SimulatedLine) -> None:
    run = sweet(model, sim)
    scanned(run, sim, sim.reference_scans())
    for (lane, cup), record in run.records.items():
        true = sim._fruit(sim._riders(lane, cup)[0].number, None).ssc_brix
        assert record.values["ssc_brix"] == pytest.approx(true, abs=4 * (record.values["ssc_brix_sd"] or 0))
        assert Flag(record.flags) == Flag.NO_WEIGHT


def test_a_lane_whose_reference_is_damaged_has_no_sugar_and_the_other_has(
    model: SugarModel, sim: SimulatedLine
) -> None:
    cut = [
        replace(scan_, counts=scan_.counts[:5]) if scan_.kind == "white" and scan_.lane == 1 else scan_
        for scan_ in sim.reference_scans()
    ]
    run = sweet(model, sim)
    scanned(run, sim, cut)
    for (lane, _), record in run.records.items():
        assert (record.values["ssc_brix"] is None) == (lane == 1)
        assert bool(record.flags & Flag.SPECTRUM_DAMAGED) == (lane == 1)


def test_a_model_of_another_fruit_gives_no_sugar_and_says_so(model: SugarModel, sim: SimulatedLine) -> None:
    run = sweet(model, sim, fruit="kiwifruit")
    scanned(run, sim, sim.reference_scans())
    assert run.records
    assert all(record.values["ssc_brix"] is None for record in run.records.values())
    assert {Flag(record.flags) for record in run.records.values()} == {Flag.NO_WEIGHT | Flag.SPECTRUM_UNLIKE}


def test_a_spectrometer_of_other_channels_gives_no_sugar_and_says_so(model: SugarModel, sim: SimulatedLine) -> None:
    shifted = tuple(nm + 1.0 for nm in sim.installation.spectrometers["main"].wavelengths_nm)
    other = {"main": Spectrometer(lanes=(0, 1), position_mm=1400.0, wavelengths_nm=shifted)}
    run = sweet(model, sim, spectrometers=other)
    scanned(run, sim, sim.reference_scans())
    assert {Flag(record.flags) for record in run.records.values()} == {Flag.NO_WEIGHT | Flag.SPECTRUM_DAMAGED}


def test_a_lane_without_a_spectrometer_misses_no_spectrum() -> None:
    place = installation(2, spectrometers={"main": spectrometer(1)["main"]})
    run = Run([(0, 1), (1, 1)], installation=place)
    run.frames(frames_for(1))
    run.out()
    assert [bool(run.flags(lane, 1) & Flag.NO_SPECTRUM) for lane in (0, 1)] == [True, False]
    assert CHANNELS == len(place.spectrometers["main"].wavelengths_nm)


# -- start ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        with_gates(installation(1), decision_mm=1e9),
        installation(1, cameras={"top": camera(1, cup_zero_px=(1e8, 80.0))}),
        msgspec.structs.replace(
            installation(1), line=msgspec.structs.replace(installation(1).line, mm_per_pulse=0.0001)
        ),
    ],
    ids=["far decision", "far camera", "tiny pulses"],
)
def test_a_line_too_long_to_follow_is_refused_with_words(place: object) -> None:
    with pytest.raises(BadSettings, match=r"cups lie between .* \(check"):
        Run(installation=place)


def test_two_runs_of_the_same_frames_give_the_same_records() -> None:
    runs = [Run(lanes=1, knowing=False, installation=installation(1)) for _ in range(2)]
    for number in frames_for(3):
        picture = painted(runs[0].settings.camera_place, [(0, 1), (0, 3)], number * PER_FRAME)
        for run in runs:
            run.frame(number, pixels=picture)
    assert runs[0].out() == runs[1].out()
    assert list(runs[0].records) == [(0, 1), (0, 3)]


def test_a_new_line_is_empty() -> None:
    run = Run()
    assert run.take(step(run.settings, run.state, None, pulse=Pulse(10**6))) == []
    assert run.out() == {}
    assert new_line(run.settings).track.on_the_way() is None
