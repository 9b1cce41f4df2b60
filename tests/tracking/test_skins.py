"""What a map of its skin says belongs to the fruit that was sent off, and to no other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from test_track import CAMERA, LINE, SETTINGS, views

from grader.domain.colour import N_HUES
from grader.domain.flags import Flag
from grader.domain.fruit import FruitMeasurements
from grader.domain.skin import PORTRAIT_PX, MappedSkin, Portraits, Sighting, SkinMeasures
from grader.domain.views import Occupancy
from grader.tracking.belt import advance
from grader.tracking.state import TrackState, new_track
from grader.tracking.track import ByViews, close_seen, decide, join_maps, observe
from grader.units import Pulse
from grader.vision.combine import CombineSettings
from grader.vision.eye import Shown
from grader.vision.rays import N_RAYS

FRAMES = range(400, 1000, 48)
CUPS = [(0, 2), (1, 2), (0, 3)]
RED, YELLOW = (np.eye(N_HUES, dtype=np.float32)[degree] * np.ones((4, 1), np.float32) for degree in (40, 120))
"""All of the skin at 10.5 degrees, or at 90.5."""
MEASURES = SkinMeasures(
    height_mm=66.6,
    skin_seen=0.91,
    turn_deg=19.5,
    defect_area_mm2=31.0,
    defect_count=2.0,
    largest_defect_mm2=20.0,
    defect_fraction=0.002,
    stripe_contrast=0.15,
    tones=RED,
)


def number_of(lane: int, cup: int, pulse: int) -> int:
    return (lane * 100 + cup * 10 + pulse // 48) % 251


class Painted(NamedTuple):
    """In the place of `Cuts`."""

    whole: Portraits

    def portraits(self, which: NDArray[np.int64]) -> Portraits:
        return Portraits(*(values[which] for values in self.whole))


def shown(cups: list[tuple[int, int]], rows: list[int], pulse: int) -> Shown:
    """Portraits of some rows, filled with a number that is theirs alone."""
    pixels = np.zeros((len(rows), PORTRAIT_PX, PORTRAIT_PX, 3), np.uint8)
    for index, row in enumerate(rows):
        pixels[index] = number_of(*cups[row], pulse)
    m = len(rows)
    whole = Portraits(pixels, np.full((m, 2), 32, np.float32), np.full((m, N_RAYS), 20, np.float32))
    return Shown(np.array(rows), Painted(whole))


def track() -> TrackState:
    state = new_track(LINE, CAMERA, SETTINGS, maps=True)
    advance(state.belt, Pulse(0), state.course.reach)
    return state


def passed(state: TrackState, rows: list[int] | None = None) -> None:
    """The cups cross the picture; those of some rows hold a fruit, the others none."""
    rows = list(range(len(CUPS))) if rows is None else rows
    for pulse in FRAMES:
        seen = views(CUPS)
        seen.occupancy[[row for row in range(len(CUPS)) if row not in rows]] = Occupancy.EMPTY
        observe(state, seen, Pulse(pulse), Flag.NONE, shown(CUPS, rows, pulse))
    advance(state.belt, Pulse(3 * 96 + state.course.leaves), state.course.reach)
    close_seen(state, CAMERA, SETTINGS, CombineSettings())


def decided(state: TrackState, by_views: ByViews | None = None) -> dict[tuple[int, int], FruitMeasurements]:
    fruit = decide(state, LINE, sugar=None, settings=SETTINGS, all_cups=True, by_views=by_views)
    return {(int(fruit.lane[row]), int(fruit.cup[row])): fruit.rows([row]) for row in range(len(fruit))}


def test_every_fruit_is_sent_off_once_with_its_own_portraits_in_their_order() -> None:
    state = track()
    passed(state, rows=[0, 2])
    assert [(each.lane, each.cup) for each in state.skins.sightings] == [(0, 2), (0, 3)]
    for each in state.skins.sightings:
        assert each.pulses.tolist() == list(FRAMES)
        numbers = [number_of(each.lane, each.cup, pulse) for pulse in FRAMES]
        assert each.portraits.pixels[:, 0, 0, 0].tolist() == numbers
        assert (each.portraits.pixels == each.portraits.pixels[:, :1, :1, :1]).all()


def test_what_the_map_says_is_that_fruits_alone() -> None:
    state = track()
    passed(state)
    join_maps(state, [MappedSkin(0, 3, MEASURES)])
    fruit = decided(state)
    values = {name: value for name, value in MEASURES._asdict().items() if name != "tones"}
    assert {name: float(getattr(fruit[0, 3], name)[0]) for name in values} == values
    assert np.array_equal(fruit[0, 3].tones[0], RED)
    assert not fruit[0, 3].flags[0] & (Flag.NO_MAP | Flag.TURN_UNSURE)
    for other in ((0, 2), (1, 2)):
        assert np.isnan(fruit[other].tones).all() and np.isnan(fruit[other].skin_seen[0])
        assert fruit[other].flags[0] & Flag.NO_MAP


def test_a_fruit_whose_turn_was_not_seen_says_so() -> None:
    state = track()
    passed(state)
    join_maps(state, [MappedSkin(*cup, None) for cup in CUPS])
    for fruit in decided(state).values():
        assert fruit.flags[0] & Flag.TURN_UNSURE and not fruit.flags[0] & Flag.NO_MAP


def test_a_fruit_of_which_nothing_shows_a_colour_says_so() -> None:
    state = track()
    passed(state)
    join_maps(state, [MappedSkin(0, 2, MEASURES), MappedSkin(1, 2, MEASURES._replace(tones=RED * np.nan))])
    flagged = {cup: bool(fruit.flags[0] & Flag.NO_COLOUR) for cup, fruit in decided(state).items()}
    assert flagged == {(0, 2): False, (1, 2): True, (0, 3): True}


def test_a_blurred_view_does_not_count_and_its_fruit_says_so() -> None:
    state = track()
    for pulse in FRAMES:
        seen = views(CUPS)
        seen.sharpness[:] = [0.5, 0.5, 0.2 if pulse == FRAMES[3] else 0.5]
        if pulse == FRAMES[3]:
            seen.callipers_mm[2] = 90.0  # as blur makes it
        observe(state, seen, Pulse(pulse), Flag.NONE, shown(CUPS, [0, 1, 2], pulse))
    advance(state.belt, Pulse(3 * 96 + state.course.leaves), state.course.reach)
    close_seen(state, CAMERA, SETTINGS, CombineSettings())
    counted = {(each.lane, each.cup): each.pulses.tolist() for each in state.skins.sightings}
    assert counted[0, 3] == [pulse for pulse in FRAMES if pulse != FRAMES[3]] and counted[0, 2] == list(FRAMES)
    flagged = {cup: bool(fruit.flags[0] & Flag.BLURRED) for cup, fruit in decided(state).items()}
    assert flagged == {(0, 2): False, (1, 2): False, (0, 3): True}


def test_a_map_that_comes_after_the_decision_is_left_and_does_not_fall_to_the_next_in_its_slot() -> None:
    state = track()
    passed(state)
    assert all(fruit.flags[0] & Flag.NO_MAP for fruit in decided(state).values())
    late = [MappedSkin(lane, cup, MEASURES) for lane, cup in CUPS]
    join_maps(state, late)
    slots = state.course.slots
    for pulse in FRAMES:  # whole rounds of slots later
        observe(state, views([(0, 2 + slots)]), Pulse(pulse + slots * 96), Flag.NONE)
    join_maps(state, late)
    assert not np.any(np.isclose(state.measured, MEASURES.turn_deg))
    assert not state.skins.mapped.any()


def test_only_fruit_without_a_map_are_measured_by_their_views_and_each_by_its_own() -> None:
    state, asked = track(), []
    passed(state)
    join_maps(state, [MappedSkin(0, 3, MEASURES), MappedSkin(1, 2, None)])

    def by_views(sighting: Sighting, *body: float) -> SkinMeasures:
        asked.append((sighting.lane, sighting.cup))
        assert sighting.portraits.pixels[0, 0, 0, 0] == number_of(sighting.lane, sighting.cup, int(sighting.pulses[0]))
        return MEASURES._replace(defect_count=5.0 + sighting.lane, tones=YELLOW)

    fruit = decided(state, by_views)
    assert sorted(asked) == [(0, 2), (1, 2)]
    assert [float(fruit[cup].defect_count[0]) for cup in CUPS] == [5.0, 6.0, MEASURES.defect_count]
    assert all(
        np.array_equal(fruit[cup].tones[0], tones) for cup, tones in zip(CUPS, (YELLOW, YELLOW, RED), strict=True)
    )
    assert not state.skins.undecided


def test_an_empty_cup_is_not_sent_off_and_gets_no_flag() -> None:
    state = track()
    passed(state, rows=[])
    assert state.skins.sightings == []
    assert decided(state) == {}


@pytest.mark.parametrize(("decision_mm", "maps"), [(1000.0, True), (LINE.gates.decision_mm, False)])
def test_where_no_map_can_be_there_in_time_views_are_the_way_and_no_flag(decision_mm: float, maps: bool) -> None:
    near = LINE.gates.__class__(decision_mm=decision_mm)
    line = LINE.__class__(fruit="apple", line=LINE.line, cameras=LINE.cameras, gates=near)
    state = new_track(line, CAMERA, SETTINGS, maps=maps)
    advance(state.belt, Pulse(0), state.course.reach)
    passed(state)
    for fruit in decided(state, lambda sighting, *body: MEASURES).values():
        assert not fruit.flags[0] & Flag.NO_MAP and float(fruit.defect_area_mm2[0]) == MEASURES.defect_area_mm2
