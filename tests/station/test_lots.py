"""Every fruit is of one lot: lots begin and end while fruit run, in the same order in every lane, each by its sheet."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_line import MASS_G, PER_FRAME, PITCH, Cup, Run, frames_for, installation, sheet, weighed_at

from grader.config.sheets import load_sheet
from grader.domain.conditions import Conditions
from grader.domain.decisions import DEFAULT_OUTLET, FruitRecord
from grader.domain.events import Event, EventKind
from grader.domain.flags import Flag
from grader.domain.frames import Frame, Readings
from grader.domain.lots import NO_LOT, LotRecord
from grader.domain.views import Occupancy
from grader.errors import GraderError
from grader.grading.compiled import CompiledSheet, compiled
from grader.station.line import LineSettings, new_line, step
from grader.station.lots import (
    LotOrder,
    Lots,
    Start,
    close_lot,
    deal,
    lanes_waiting,
    lot_at,
    lot_records,
    lots_from,
    open_lot,
    unwatched,
)
from grader.tracking.settings import TrackSettings
from grader.tracking.state import Course, TrackState, new_track
from grader.units import HostNs, Pulse

QUICK = settings(max_examples=25, deadline=None, derandomize=True)
GAP = 3
SHIFT = 20  # cups between the first picture of a cup and its decision, at most


@cache
def other_sheet() -> CompiledSheet:
    return compiled(load_sheet("eu_apples"), "Fuji")


def order(name: str, start: Start | tuple[int, ...] = Start.AT_ONCE, **changes: Any) -> LotOrder:
    return LotOrder(**{"name": name, "sheet": sheet(), "start": start, **changes})  # type: ignore[arg-type]


class Belt(Run):
    """A line with fruit in some cups, whose events are kept."""

    def __init__(self, fruit: list[Cup], lanes: int = 1, **changes: Any) -> None:
        super().__init__(fruit, lanes=lanes, gap_cups=GAP, installation=installation(lanes), **changes)
        self.fruit, self.next = fruit, 0
        self.last = max(cup for _, cup in fruit)

    def to(self, cup: int) -> None:
        """Run until the cup has come half-way into the picture."""
        masses = dict.fromkeys(self.fruit, MASS_G)
        while self.next * PER_FRAME <= cup * PITCH:
            self.frame(self.next, weighed_at(self.next, masses))
            self.next += 1

    def open(self, *asked: Any, **changes: Any) -> list[Event]:
        said = open_lot(self.state.lots, self.state.track, order(*asked, **changes))
        self.events += said
        return said

    def close(self, name: str, start: Start | tuple[int, ...] = Start.AT_ONCE) -> list[Event]:
        said = close_lot(self.state.lots, self.state.track, name, start)
        self.events += said
        return said

    def of_lane(self, lane: int = 0) -> list[tuple[str, int, int]]:
        """Name, first and last fruit of every lot in a lane, after everything has run out."""
        self.to(self.last + SHIFT)
        found: list[tuple[str, int, int]] = []
        for (_, cup), record in sorted((key, each) for key, each in self.out().items() if key[0] == lane):
            if found and found[-1][0] == record.lot:
                found[-1] = (record.lot, found[-1][1], cup)
            else:
                found.append((record.lot, cup, cup))
        return found

    def began(self) -> list[tuple[Any, int | None, int | None]]:
        return [(each.values["name"], each.lane, each.cup) for each in self.events if each.kind is EventKind.LOT_BEGAN]


def cups(*ranges: range, lane: int = 0) -> list[Cup]:
    return [(lane, cup) for each in ranges for cup in each]


# -- beginning -----------------------------------------------------------------------------------------------------


def test_a_lot_begins_at_once_with_the_first_cup_that_no_picture_shows() -> None:
    belt = Belt(cups(range(40), lane=0) + cups(range(40), lane=1), lanes=2)
    belt.to(20)
    opened, *began = belt.open("noon", grower="Li")
    shown = belt.eye.looked[-1]
    first = next(cup for cup in range(40) if cup * PITCH - PITCH // 2 > shown)
    assert (opened.kind, opened.values["grower"]) == (EventKind.LOT_OPENED, "Li")
    assert [(each.lane, each.cup) for each in began] == [(0, first), (1, first)]
    for lane in range(2):
        assert belt.of_lane(lane) == [("lot-1", 0, first - 1), ("noon", first, 39)]


def test_a_lot_begins_at_the_cups_that_are_given() -> None:
    belt = Belt(cups(range(30), lane=0) + cups(range(30), lane=1), lanes=2)
    belt.to(5)
    belt.open("noon", (11, 14))
    assert belt.began() == [("noon", 0, 11), ("noon", 1, 14)]
    assert belt.of_lane(0) == [("lot-1", 0, 10), ("noon", 11, 29)]
    assert belt.of_lane(1) == [("lot-1", 0, 13), ("noon", 14, 29)]


def test_a_lot_begins_in_each_lane_with_the_first_fruit_after_a_gap_of_its_own() -> None:
    one = cups(range(12), range(12 + GAP, 30), lane=0)
    two = cups(range(15), range(15 + GAP - 1, 20), range(20 + GAP + 2, 30), lane=1)
    belt = Belt(one + two, lanes=2)
    belt.to(5)
    belt.open("noon", Start.AT_GAP)
    assert lanes_waiting(belt.state.lots) == {"noon": 2}
    assert belt.of_lane(0) == [("lot-1", 0, 11), ("noon", 12 + GAP, 29)]
    assert belt.of_lane(1) == [("lot-1", 0, 19), ("noon", 20 + GAP + 2, 29)]
    assert belt.began() == [("noon", 0, 12 + GAP), ("noon", 1, 20 + GAP + 2)]
    assert lanes_waiting(belt.state.lots) == {}


def test_empty_cups_that_came_before_the_order_are_no_gap() -> None:
    belt = Belt(cups(range(6), range(6 + GAP, 30)))
    belt.to(6 + GAP)
    belt.open("noon", Start.AT_GAP)
    assert belt.of_lane() == [("lot-1", 0, 29)]


def test_a_lane_that_shows_no_gap_waits_until_the_lot_is_ordered_to_begin_at_once() -> None:
    one, two = cups(range(12), range(12 + GAP, 60), lane=0), cups(range(60), lane=1)
    belt = Belt(one + two, lanes=2)
    belt.to(5)
    belt.open("noon", Start.AT_GAP)
    belt.to(40)
    assert lanes_waiting(belt.state.lots) == {"noon": 1}
    (began,) = belt.open("noon")
    assert (began.lane, lanes_waiting(belt.state.lots)) == (1, {})
    assert belt.of_lane(0) == [("lot-1", 0, 11), ("noon", 12 + GAP, 59)]
    assert belt.of_lane(1) == [("lot-1", 0, began.cup - 1), ("noon", began.cup, 59)]  # type: ignore[operator]


def test_two_lots_that_wait_take_a_gap_each() -> None:
    belt = Belt(cups(range(10), range(14, 20), range(24, 30)))
    belt.to(2)
    belt.open("noon", Start.AT_GAP)
    belt.open("night", Start.AT_GAP)
    assert belt.of_lane() == [("lot-1", 0, 9), ("noon", 14, 19), ("night", 24, 29)]


def test_a_lot_that_still_waits_gets_no_fruit_once_a_later_one_has_its_cup() -> None:
    belt = Belt(cups(range(30), range(40, 50)))
    belt.to(2)
    belt.open("noon", Start.AT_GAP)
    belt.open("night", (20,))
    assert lanes_waiting(belt.state.lots) == {}
    assert belt.of_lane() == [("lot-1", 0, 19), ("night", 20, 49)]


@pytest.mark.parametrize("jump", [0, 10**6])
def test_an_encoder_that_jumps_shows_no_gap(jump: int) -> None:
    belt = Belt(cups(range(200)))
    belt.to(5)
    belt.open("noon", Start.AT_GAP)
    for number in range(belt.next, 60):
        pulse = number * PER_FRAME + (jump if number >= 30 else 0)
        belt.eye.fruit = dict.fromkeys(cups(range(pulse // PITCH - 40, pulse // PITCH + 10)), Occupancy.ONE)
        belt.frame(number, pulse=pulse)
    belt.out()
    assert max(belt.records)[1] * PITCH > jump
    assert {record.lot for record in belt.records.values()} == {"lot-1"}


def test_a_camera_that_was_silent_for_long_shows_no_gap() -> None:
    every = cups(range(200))
    belt = Belt(every)
    belt.to(20)
    belt.open("noon", Start.AT_GAP)
    silent = range(belt.next, belt.next + 100)
    for number in silent:  # nobody tells of frames; the encoder counts, and decides what nobody saw
        belt.take(step(belt.settings, belt.state, None, pulse=Pulse(number * PER_FRAME)))
    for number in range(silent.stop, silent.stop + 60):
        belt.frame(number)
    belt.out()
    cup = sorted(cup for _, cup in belt.records)
    assert max(later - earlier for earlier, later in pairwise(cup)) > GAP
    assert {record.lot for record in belt.records.values()} == {"lot-1"}


# -- what cannot be ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (order("noon", grower="Li"), 'grower "Wang"'),
        (order("noon", grower="Wang", variety="Gala"), 'variety ""'),
        (order("noon", grower="Wang", sheet=other_sheet()), "another sheet"),
        (order("", ()), "cannot be the name"),
        (order("a\nb"), "cannot be the name"),
        (order(NO_LOT), "cannot be the name"),
        (order("new", (50, 50)), "2 cups are given, the line has 1 lanes"),
        (order("new", (3,)), "cup 3 of lane 0 is none that is still to come; 21 is"),
        (order("new", (1 << 63,)), "is none that is still to come"),
        (order("new", (29,)), "would come before one that is ordered to begin at cup 30: close that first"),
    ],
)
def test_an_order_that_cannot_be_is_refused_with_words_and_changes_nothing(asked: LotOrder, words: str) -> None:
    belt = Belt(cups(range(40)))
    belt.open("noon", (10,), grower="Wang")
    belt.open("night", (30,))
    belt.to(20)
    before = lot_records(belt.state.lots)
    with pytest.raises(GraderError, match=words):
        open_lot(belt.state.lots, belt.state.track, asked)
    assert lot_records(belt.state.lots) == before
    assert belt.of_lane() == [("lot-1", 0, 9), ("noon", 10, 29), ("night", 30, 39)]


@pytest.mark.parametrize(("name", "words"), [("none", "there is no such lot"), ("lot-1", "no such lot")])
def test_only_the_latest_lot_can_be_closed(name: str, words: str) -> None:
    belt = Belt(cups(range(20)))
    belt.open("noon", (10,))
    with pytest.raises(GraderError, match=words):
        belt.close(name)


# -- ending --------------------------------------------------------------------------------------------------------


def test_fruit_after_a_closed_lot_are_of_no_lot_measured_ungraded_and_sent_to_the_default_outlet() -> None:
    belt = Belt(cups(range(40)))
    belt.open("noon")
    belt.to(20)
    closed, began = belt.close("noon")
    assert (closed.kind, began.values["name"], began.cup) == (EventKind.LOT_CLOSED, NO_LOT, 21)
    assert belt.of_lane() == [("noon", 0, 20), (NO_LOT, 21, 39)]
    held = belt.records[0, 25]
    assert (held.outlet, held.grade, held.size, held.reasons) == (DEFAULT_OUTLET, "", "", ("lot: none is open",))
    assert held.values == belt.records[0, 15].values
    assert (0, 25) not in belt.commands


def test_a_lot_that_no_cup_has_come_to_is_withdrawn_and_the_one_before_goes_on() -> None:
    belt = Belt(cups(range(40)))
    belt.open("noon")
    belt.to(10)
    belt.open("mistake", (30,), grower="Li")
    (said,) = belt.close("mistake")
    assert "withdrawn" in said.text
    belt.open("mistake", (30,), grower="Wang")
    belt.close("mistake")
    assert belt.of_lane() == [("noon", 0, 39)]


def test_a_lot_closed_at_once_does_not_begin_any_more_in_lanes_that_it_has_not_come_to() -> None:
    belt = Belt(cups(range(50), lane=0) + cups(range(50), lane=1), lanes=2)
    belt.open("early", (10, 35))
    belt.open("noon", (20, 40))
    belt.to(30)
    belt.close("noon")
    assert belt.of_lane(0) == [("lot-1", 0, 9), ("early", 10, 19), ("noon", 20, 30), (NO_LOT, 31, 49)]
    assert belt.of_lane(1) == [("lot-1", 0, 30), (NO_LOT, 31, 49)]


def test_between_a_lot_closed_at_a_gap_and_one_opened_at_it_there_is_nothing() -> None:
    belt = Belt(cups(range(20), range(20 + GAP, 30), range(30 + GAP, 40)))
    belt.open("noon")
    belt.to(5)
    belt.close("noon", Start.AT_GAP)
    belt.open("night", Start.AT_GAP)
    assert belt.of_lane() == [("noon", 0, 19), ("night", 20 + GAP, 39)]


def test_a_lot_that_was_followed_or_closed_is_taken_up_again_and_its_outlets_go_on_in_turn() -> None:
    belt = Belt(cups(range(45)))
    belt.open("noon", sheet=other_sheet())
    belt.open("night", (5,))
    opened, _ = belt.open("noon", (10,), sheet=other_sheet())
    assert "taken up again" in opened.text
    belt.close("noon", (15,))
    belt.open("noon", (16,), sheet=other_sheet())
    assert belt.of_lane() == [("noon", 0, 4), ("night", 5, 9), ("noon", 10, 14), (NO_LOT, 15, 15), ("noon", 16, 44)]
    outlets = [record.outlet for record in belt.records.values() if record.lot == "noon"]
    assert outlets == [1 + k % 2 for k in range(len(outlets))]


def test_opening_the_lot_that_is_running_changes_nothing() -> None:
    belt = Belt(cups(range(30)))
    belt.open("noon")
    belt.to(10)
    assert belt.open("noon", Start.AT_GAP) == belt.open("noon") == []
    assert belt.of_lane() == [("noon", 0, 29)]


# -- two at once ---------------------------------------------------------------------------------------------------


def test_two_growers_lots_on_the_belt_are_graded_each_by_its_own_sheet() -> None:
    fruit = cups(range(40), lane=0) + cups(range(40), lane=1)
    alone = {}
    for name, of in (("a", sheet()), ("b", other_sheet())):
        belt = Belt(fruit, lanes=2)
        belt.open(name, sheet=of)
        belt.of_lane()
        alone[name] = belt.records
    both = Belt(fruit, lanes=2)
    both.open("a", grower="Li")
    both.open("b", (21, 17), grower="Wang", sheet=other_sheet())
    assert both.of_lane(0) == [("a", 0, 20), ("b", 21, 39)]
    assert both.of_lane(1) == [("a", 0, 16), ("b", 17, 39)]
    assert {record.grade for record in alone["a"].values()}.isdisjoint(each.grade for each in alone["b"].values())
    for key, record in both.records.items():
        assert (record.grade, record.size) == (alone[record.lot][key].grade, alone[record.lot][key].size)
    by_b = [record.outlet for key, record in both.records.items() if record.lot == "b" and key[0] == 0]
    assert by_b == [alone["b"][0, cup].outlet for cup in range(len(by_b))]  # its turns begin with its first fruit


# -- conditions ----------------------------------------------------------------------------------------------------


def judged_under(conditions: Conditions, of: CompiledSheet) -> dict[Cup, tuple[FruitRecord, bool]]:
    belt = Belt(cups(range(4)), sheet=of)
    belt.to(14)  # all of them have left the picture, the first one is not due yet
    end = Pulse(4 * PITCH + 2000)
    belt.take(step(belt.settings, belt.state, None, pulse=end, conditions=conditions))
    return {key: (record, key in belt.commands) for key, record in belt.records.items()}


def test_while_gates_are_shut_fruit_are_flagged_and_sent_to_the_default_outlet_without_a_command() -> None:
    found = judged_under(Conditions(gates_shut=True), sheet())
    assert set(found) == set(cups(range(4)))
    for record, commanded in found.values():
        assert record.flags & Flag.GATES_SHUT and record.outlet == DEFAULT_OUTLET and not commanded
        assert record.reasons == ("gates_shut: decided while the gates had to stay shut",)
        assert record.values["diameter_mm"] is not None


def test_a_full_outlet_sends_fruit_to_the_other_of_its_product_or_to_the_default_outlet_and_the_reason_names_it() -> (
    None
):
    well = judged_under(Conditions(), other_sheet())
    assert [record.outlet for record, _ in well.values()] == [1, 2] * 2
    for full, outlet, reason in (
        ({2}, 1, "outlet: 2 is full"),
        ({1, 2, 5}, DEFAULT_OUTLET, "outlet: 1, 2 are full"),
    ):
        found = judged_under(Conditions(outlets_full=frozenset(full)), other_sheet())
        for key, (record, commanded) in found.items():
            assert (record.outlet, commanded) == (outlet, outlet != DEFAULT_OUTLET)
            assert (record.grade, record.size, record.flags) == (
                well[key][0].grade,
                well[key][0].size,
                well[key][0].flags,
            )
            assert record.reasons == (*well[key][0].reasons, reason)
    assert judged_under(Conditions(outlets_full=frozenset({3})), other_sheet()) == well


# -- kept and taken up ---------------------------------------------------------------------------------------------


def test_lots_that_were_kept_go_on_as_they_were() -> None:
    belt = Belt(cups(range(30), lane=0) + cups(range(30), lane=1), lanes=2)
    belt.open("noon", (5, 6), grower="Li", sheet=other_sheet(), sheet_sha256="ab")
    belt.to(10)
    belt.close("noon", (15, 15))
    belt.open("night", Start.AT_GAP, sheet_sha256="cd")
    kept = msgspec.json.decode(msgspec.json.encode(lot_records(belt.state.lots)), type=list[LotRecord])
    assert kept[0] == LotRecord(
        name="noon",
        grower="Li",
        sheet=other_sheet().sheet.name,
        sheet_sha256="ab",
        first_cup=(5, 6),
        closed_cup=(15, 15),
    )
    assert (kept[1].name, kept[2].first_cup) == (NO_LOT, (None, None))
    sheets = {"ab": other_sheet(), "cd": sheet()}
    lots = lots_from(kept, 2, lambda record: sheets[record.sheet_sha256], sheet())
    assert lot_records(lots) == kept
    assert lots.known["noon"].sheet is other_sheet()
    after = replace(belt.settings, installation=installation(2, first_cup=100))  # serials go on behind a gap
    state = new_line(after, lots)
    assert [event.cup for event in open_lot(lots, state.track, order("night"))] == [100, 100]
    with pytest.raises(GraderError, match="another sheet"):
        open_lot(lots, state.track, order("noon", grower="Li"))


# -- whatever happens ----------------------------------------------------------------------------------------------


NAMES = st.sampled_from(["a", "b", "c", NO_LOT, "lot-1"])


@st.composite
def orders(draw: st.DrawFn, lanes: int) -> tuple[str, str, Start | tuple[int, ...]]:
    start = draw(st.sampled_from(Start) | st.tuples(*[st.integers(0, 40)] * lanes))
    return draw(st.sampled_from(["open", "open", "close"])), draw(NAMES), start


class Day(NamedTuple):
    """fruit: with gaps between them. orders: by the frame after which they come. lost: frames that never come."""

    lanes: int
    fruit: list[Cup]
    orders: dict[int, list[tuple[str, str, Start | tuple[int, ...]]]]
    lost: set[int]


@st.composite
def days(draw: st.DrawFn) -> Day:
    lanes = draw(st.integers(1, 3))
    fruit: list[Cup] = []
    for lane in range(lanes):
        cup = 0
        for run, gap in draw(st.lists(st.tuples(st.integers(1, 7), st.integers(0, 5)), min_size=1, max_size=4)):
            fruit += cups(range(cup, cup + run), lane=lane)
            cup += run + gap
    given: dict[int, list[tuple[str, str, Start | tuple[int, ...]]]] = {}
    for frame, asked in draw(st.lists(st.tuples(st.integers(0, 60), orders(lanes)), max_size=8)):
        given.setdefault(frame, []).append(asked)
    return Day(lanes, fruit, given, draw(st.sets(st.integers(1, 80), max_size=8)))


def a_day(day: Day, *, in_pieces: bool) -> Belt:
    """Run it; in pieces, the belt is looked at between frames too."""
    lanes, fruit, given, lost = day
    belt = Belt(fruit, lanes=lanes)
    for number in frames_for(belt.last + 16):
        if number not in lost:
            belt.frame(number, weighed_at(number, dict.fromkeys(fruit, MASS_G)))
        for what, name, start in given.get(number, []):
            before = lot_records(belt.state.lots)
            try:
                if what == "open":
                    belt.open(name, start, sheet=other_sheet() if name == "b" else sheet())
                else:
                    belt.close(name, start)
            except GraderError:
                assert lot_records(belt.state.lots) == before
        if in_pieces:
            belt.take(step(belt.settings, belt.state, None, pulse=Pulse(number * PER_FRAME + 20)))
    belt.out()
    return belt


@QUICK
@given(day=days())
def test_whatever_is_ordered_every_fruit_is_of_one_lot_in_the_order_of_all_lanes_and_graded_by_its_sheet(
    day: Day,
) -> None:
    belt = a_day(day, in_pieces=False)
    assert set(belt.records) >= set(day.fruit)
    lots = belt.state.lots
    names = [lot.name for lot in lots.stretches]
    for lane in range(day.lanes):
        at = 0  # the stretch that the lane has come to
        for (_, cup), record in sorted((key, each) for key, each in belt.records.items() if key[0] == lane):
            assert record.lot == lot_at(lots, lane, cup).name  # no order changed what was decided
            at = names.index(record.lot, at)
            of = lots.stretches[at].sheet
            assert (record.grade, record.outlet) == ("", 0) if of is None else record.grade in of.class_names
    for lane, first_cup in enumerate(lots.first_cup.T.tolist()):
        begun = [cup for cup in first_cup if cup < 1 << 62]
        assert begun == sorted(begun), lane
    in_pieces = a_day(day, in_pieces=True)
    assert in_pieces.records == belt.records
    assert sorted(in_pieces.began(), key=str) == sorted(belt.began(), key=str)
    assert lot_records(in_pieces.state.lots) == lot_records(lots)


def waiting_lots(lanes: int) -> tuple[Lots, TrackState]:
    place = installation(lanes)
    track = new_track(place, place.cameras["top"], TrackSettings())
    lots = lots_from([], lanes, lambda record: sheet(), sheet())
    unwatched(lots, track)
    for name in ("a", "b", "c"):
        open_lot(lots, track, order(name, Start.AT_GAP))
    return lots, track


@given(
    rows=st.sets(st.tuples(st.integers(0, 60), st.integers(0, 2)), max_size=60),
    cuts=st.sets(st.integers(0, 60), max_size=8),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_fruit_decided_together_or_apart_are_of_the_same_lots(rows: set[Cup], cuts: set[int]) -> None:
    def dealt(edges: list[int]) -> tuple[dict[Cup, str], list[LotRecord]]:
        lots, track = waiting_lots(3)
        found: dict[Cup, str] = {}
        for first, last in zip([-1, *edges], [*edges, 61], strict=True):
            batch = sorted((lane, cup) for cup, lane in rows if first < cup <= last)
            if not batch:
                continue
            lane, cup = np.array(batch, np.int64).reshape(-1, 2).T
            for lot, of_lot in deal(lots, track, lane.astype(np.int16), cup, GAP)[0]:
                assert not {batch[row] for row in of_lot} & set(found)
                found.update((batch[row], lot.name) for row in of_lot)
        assert len(found) == len(rows)
        return found, lot_records(lots)

    assert dealt(sorted(cuts)) == dealt([])


def test_the_next_cup_to_enter_is_the_first_of_which_the_picture_shows_no_part() -> None:
    place = installation(1)
    course = Course.of(place, place.cameras["top"])
    for pulse in range(0, 300, 7):
        assert course.next_to_enter(pulse) == next(cup for cup in range(9) if cup * PITCH - PITCH // 2 > pulse)


def test_a_line_is_told_of_the_lots_of_its_recording() -> None:
    asked = LineSettings(installation=installation(1), sheet=sheet())
    state = new_line(asked)
    blank = np.zeros((160, 1280, 3), np.uint8)
    step(asked, state, Frame("top", 0, Pulse(0), HostNs(0), blank), Readings())
    assert lot_at(state.lots, 0, 10**9).name == "lot-1"
