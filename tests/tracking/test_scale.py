"""The scale learns zero and tares from empty cups, tells every change, and is not believed when it cannot be right."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from grader.domain.events import Event, EventKind
from grader.domain.flags import Flag
from grader.domain.installation import Installation
from grader.domain.snapshot import ScaleAlarm, ScaleHealth
from grader.tracking.densities import LATELY
from grader.tracking.readings import Looks, masses
from grader.tracking.scale import ScaleMemory, memory_of
from grader.tracking.scale_watch import scale_health
from grader.tracking.settings import TrackSettings
from grader.tracking.state import Said, TrackState, new_track
from grader.tracking.track import flag_all
from hardware.sim.levels import CHANGING, LEVELS
from hardware.sim.reference import CAMERA, reference_installation
from hardware.sim.scale import SimulatedScale

CHAIN, SETTINGS = 48, TrackSettings()
SCALE = SETTINGS.scale


def place(chain: int | None = CHAIN, g_per_count: tuple[float, ...] | None = None) -> Installation:
    known = reference_installation(
        fruit="apple",
        variety="Fuji",
        note="",
        lanes=1,
        cups_per_second=12.0,
        cups_per_chain=CHAIN,
        bands=("blue", "green", "red"),
        wavelengths_nm=(700.0, 710.0),
    )
    assert known.scale is not None
    scale = msgspec.structs.replace(known.scale, g_per_count=g_per_count)
    return msgspec.structs.replace(known, line=msgspec.structs.replace(known.line, cups_per_chain=chain), scale=scale)


def new(chain: int | None = CHAIN, memory: ScaleMemory | None = None) -> TrackState:
    there = place(chain)
    return new_track(there, there.cameras[CAMERA], SETTINGS, memory)


class Found(NamedTuple):
    mass_g: np.ndarray
    flags: np.ndarray
    heavy: np.ndarray
    events: list[Event]


def weigh(
    track: TrackState,
    cups: list[int],
    readings_g: list[float],
    *,
    empty: bool | np.ndarray = True,
    volume_ml: float = float("nan"),
) -> Found:
    """Cups of lane 0, plainly seen to be empty or to hold a fruit of that size; what came of them."""
    n = len(cups)
    is_empty = np.broadcast_to(np.array(empty), n)
    said, flags = [Said(reading_g=float(reading_g)) for reading_g in readings_g], np.zeros(n, np.uint32)
    looks, volumes = Looks(~is_empty, is_empty, is_empty), np.full(n, volume_ml)
    found = masses(track, np.zeros(n, int), np.array(cups), said, looks, volumes, flags, SETTINGS)
    told, track.events = track.events, []
    return Found(found.mass_g, flags, found.heavy, told)


def alarms(events: list[Event]) -> list[tuple[object, object]]:
    return [(each.values["alarm"], each.values["is"]) for each in events if each.kind is EventKind.SCALE_ALARM]


class Day(NamedTuple):
    rmse_g: np.ndarray  # of every round of the chain
    events: list[Event]


def day(
    track: TrackState,
    rounds: range,
    *,
    level: str = "changing",
    slipped: int = 0,
    seed: int = 3,
) -> Day:
    """Round after round of the chain over the simulated scale, 8 % of the cups empty, in a few of them a leaf."""
    scale, rng = SimulatedScale(LEVELS[level], seed, CHAIN, 1), np.random.default_rng([seed, rounds.start])
    tare_g = np.array([scale.tare_g(lane=0, cup=cup) for cup in range(CHAIN)])
    rmse, events = [], []
    for number in rounds:
        cups = np.arange(number * CHAIN, (number + 1) * CHAIN)
        empty, leaf_g = rng.random(CHAIN) < 0.08, (rng.random(CHAIN) < 0.03) * rng.uniform(0.5, 20.0, CHAIN)
        true_g = np.where(empty, 0.0, rng.normal(200.0, 30.0, CHAIN))
        zero_g = scale.zero_g(lane=0, hours=number * CHAIN / 12 / 3600)
        noise_g = LEVELS[level].scale_sd_g * rng.standard_normal(CHAIN)
        said_g = true_g + np.where(empty, leaf_g, 0.0) + zero_g + tare_g[(cups + slipped) % CHAIN] + noise_g
        found = weigh(track, cups.tolist(), said_g.tolist(), empty=empty)
        assert not found.flags.any()
        rmse.append(((found.mass_g - true_g)[~empty] ** 2).mean())
        events += found.events
    return Day(np.array(rmse), events)


def rmse_g(of: Day, first: int, last: int) -> float:
    return float(np.sqrt(of.rmse_g[first:last].mean()))


def test_masses_come_close_to_the_scales_own_noise_when_the_chain_has_gone_round_often_enough() -> None:
    with_tares, without = day(new(), range(800)), day(new(chain=None), range(800))
    assert rmse_g(without, 200, 800) > 1.2 * CHANGING.scale_sd_g
    for first in range(0, 200, 20):
        assert rmse_g(with_tares, first, first + 20) < rmse_g(without, first, first + 20) * 1.01
    assert rmse_g(with_tares, 200, 800) < 1.07 * CHANGING.scale_sd_g


@pytest.mark.parametrize(("level", "chain"), [("static", CHAIN), ("changing", CHAIN + 1)], ids=["no tares", "no chain"])
def test_tares_that_are_not_there_do_no_harm(level: str, chain: int) -> None:
    believed, plain = day(new(chain), range(800), level=level), day(new(chain=None), range(800), level=level)
    for first in range(0, 800, 200):
        assert rmse_g(believed, first, first + 200) < rmse_g(plain, first, first + 200) * 1.03


def test_a_day_writes_down_what_it_used_and_not_more() -> None:
    rounds = 800  # as many cups as a lane has in less than an hour
    told = day(new(), range(rounds)).events
    kinds = Counter(each.kind for each in told)
    assert set(kinds) == {EventKind.SCALE_ZERO, EventKind.CUP_TARE}
    assert kinds.total() < 0.02 * rounds * CHAIN
    before: dict[int | None, float] = {}
    for each in told:
        if "to_g" in each.values:  # every change begins where the last one ended
            assert each.values["from_g"] == before.get(each.cup, 0.0)
            before[each.cup] = float(each.values["to_g"])
            assert each.lane == 0 and each.pulse is not None and "was" in each.text


def test_a_leaf_that_lay_in_a_cup_once_is_not_its_tare() -> None:
    track = new()
    for number, leaf_g in enumerate([4.5, 0.1, -0.1, 0.0]):
        weigh(track, [number * CHAIN + 5], [leaf_g])
        assert abs(track.scale.lanes[0].cups[5].tare_g) < 0.2


def test_when_the_encoder_is_in_doubt_tares_are_not_used_until_they_are_proven_again() -> None:
    track = new()
    day(track, range(300))
    assert track.scale.lanes[0].tares_used
    flag_all(track, Flag.PULSE_JUMP)
    assert not track.scale.lanes[0].tares_used and [each.values for each in track.events] == [{"used": 0}]
    track.events.clear()
    after = day(track, range(300, 340))
    assert rmse_g(after, 0, 5) > 1.1
    assert [each.values["used"] for each in after.events if "used" in each.values] == [1]


def test_tares_of_other_cups_are_forgotten_and_learnt_anew() -> None:
    slipped, plain = (_after_a_slip(new(chain), by=7) for chain in (CHAIN, None))
    for first in range(0, 100, 20):
        assert rmse_g(slipped, first, first + 20) < rmse_g(plain, first, first + 20) * 1.02
    assert rmse_g(slipped, 300, 600) < 1.09


def _after_a_slip(track: TrackState, by: int) -> Day:
    day(track, range(300))
    flag_all(track, Flag.PULSE_JUMP)
    return day(track, range(300, 900), slipped=by)


# -- a restart -----------------------------------------------------------------------------------------------------


def test_a_restart_goes_on_with_what_the_scale_had_learnt() -> None:
    track = new()
    day(track, range(400))
    kept = msgspec.json.encode(memory_of(track.scale))
    again = new(memory=msgspec.json.decode(kept, type=ScaleMemory))
    assert memory_of(again.scale) == memory_of(track.scale)
    resumed = day(again, range(400, 440))
    assert abs(again.scale.lanes[0].zero_g - track.scale.lanes[0].zero_g) < 0.5
    assert [each.values["used"] for each in resumed.events if "used" in each.values] == [1]
    assert rmse_g(resumed, 15, 40) < 1.1


def test_of_a_chain_of_another_length_only_the_zero_is_remembered() -> None:
    track = new()
    day(track, range(100))
    again = new(chain=CHAIN + 2, memory=memory_of(track.scale))
    assert again.scale.lanes[0].zero_g == track.scale.lanes[0].zero_g
    assert again.scale.lanes[0].cups == {}


def test_a_span_is_told_when_it_is_not_what_it_was() -> None:
    def told(g_per_count: tuple[float, ...] | None, memory: ScaleMemory | None) -> list[dict[str, object]]:
        there = place(g_per_count=g_per_count)
        events = new_track(there, there.cameras[CAMERA], SETTINGS, memory).events
        assert all(each.kind is EventKind.SCALE_SPAN and each.lane == 0 for each in events)
        return [dict(each.values) for each in events]

    there = place(g_per_count=(0.1,))
    memory = memory_of(new_track(there, there.cameras[CAMERA], SETTINGS).scale)
    assert told(None, None) == told((0.1,), memory) == []
    assert told((0.1,), None) == [{"to": 0.1}]
    assert told((0.2,), memory) == [{"from": 0.1, "to": 0.2}]
    assert told(None, memory) == [{"from": 0.1}]


# -- a scale that cannot be believed -------------------------------------------------------------------------------


def test_a_scale_that_repeats_itself_is_not_believed_until_it_says_something_else() -> None:
    track, n = new(), 40
    found = weigh(track, list(range(n)), [187.4] * n, empty=np.arange(n) % 8 == 7)
    assert alarms(found.events) == [("frozen", "on")]
    assert np.isnan(found.mass_g[SCALE.frozen_fruit :]).all()
    assert (found.flags[SCALE.frozen_fruit :] == Flag.BAD_WEIGHT).all()
    assert not found.heavy[SCALE.frozen_fruit :][np.arange(SCALE.frozen_fruit, n) % 8 == 7].any()  # seen to be empty
    again = weigh(track, [n, n + 1], [187.5, 190.0], empty=False)
    assert alarms(again.events) == [("frozen", "over")]
    assert again.mass_g.tolist() == [187.5, 190.0]


def test_empty_cups_that_weigh_the_same_in_whole_grams_are_no_frozen_scale() -> None:
    found = weigh(new(), list(range(100)), [2.0] * 100)
    assert alarms(found.events) == [] and not found.flags.any()


@pytest.mark.parametrize("stuck_g", [8.0, -7.0, 60.0])
def test_a_cup_that_weighs_something_round_after_round_is_told_once_and_gives_no_weight(stuck_g: float) -> None:
    track, told, rng = new(), [], np.random.default_rng(1)
    for number in range(10):
        readings_g = rng.normal(0.0, 1.0, CHAIN)
        readings_g[7] += stuck_g
        told += weigh(track, list(range(number * CHAIN, (number + 1) * CHAIN)), readings_g.tolist()).events
    assert alarms(told) == [("stuck", "on")]
    assert [each.cup for each in told if each.kind is EventKind.SCALE_ALARM] == [7]
    assert scale_health(track.scale)[0] == ScaleHealth(alarms=(ScaleAlarm.STUCK,), stuck_cups=(7,))
    fruit = weigh(track, [10 * CHAIN + 7, 10 * CHAIN + 8], [200.0 + stuck_g, 201.0], empty=False)
    assert np.isnan(fruit.mass_g).tolist() == [True, False] and fruit.flags.tolist() == [Flag.BAD_WEIGHT, 0]
    assert fruit.heavy.all()
    cleaned = weigh(track, [11 * CHAIN + 7, 12 * CHAIN + 7], [0.4, 0.2])
    assert alarms(cleaned.events) == [("stuck", "over")] and not cleaned.flags.any()
    assert scale_health(track.scale)[0] == ScaleHealth()


def test_litter_that_comes_and_goes_is_no_stuck_cup() -> None:
    track = new()
    rounds = [weigh(track, [number * CHAIN + 7], [each]) for number, each in enumerate([9, 20, 8, 0, 9, 9, 0, 25, 7])]
    assert [alarms(found.events) for found in rounds] == [[]] * 9


def test_a_zero_that_has_jumped_too_far_to_be_followed_takes_the_lane_its_weights() -> None:
    track = new()
    weigh(track, list(range(40)), [0.0] * 40)
    jumped = weigh(track, list(range(40, 60)), [55.0, 56.0] * 10)
    assert alarms(jumped.events) == [("astray", "on")]
    fruit = weigh(track, [60], [255.0], empty=False)
    assert np.isnan(fruit.mass_g[0]) and fruit.flags[0] == Flag.BAD_WEIGHT
    back = weigh(track, [61, 62], [0.0, 0.5])
    assert alarms(back.events) == [("astray", "over")]
    assert weigh(track, [63], [200.0], empty=False).mass_g[0] == 200.0


def test_where_no_empty_cup_comes_by_fruit_that_weigh_what_they_should_say_that_the_zero_is_back() -> None:
    track, rng = new(), np.random.default_rng(2)
    track.densities.see(np.zeros(LATELY, int), 0.86 * np.exp(rng.normal(0.0, 0.02, LATELY)))
    assert alarms(weigh(track, list(range(SCALE.astray_cups)), [230.0] * SCALE.astray_cups).events) == [
        ("astray", "on")
    ]
    n = SCALE.astray_cups
    heavy = weigh(track, list(range(100, 100 + n)), [215.0 + 40.0 + i for i in range(n)], empty=False, volume_ml=250.0)
    assert alarms(heavy.events) == []
    assert np.isnan(heavy.mass_g).all()
    right = [215.0 + rng.normal(0.0, 4.0) for _ in range(n)]
    some = weigh(track, list(range(200, 199 + n)), right[:-1], empty=False, volume_ml=250.0)
    assert alarms(some.events) == []
    enough = weigh(track, [199 + n], right[-1:], empty=False, volume_ml=250.0)
    assert alarms(enough.events) == [("astray", "over")]
    assert enough.mass_g[0] == pytest.approx(right[-1], abs=1.0)


def test_a_zero_that_moves_fast_or_far_is_followed_and_told_once() -> None:
    track, rng, told, cup = new(), np.random.default_rng(2), [], 0
    for zero_g in [0.0, 0.0, *np.arange(0.0, 14.0, 0.5), *[14.0] * 20, *np.arange(14.0, 0.0, -0.1), *[0.0] * 40]:
        readings_g = zero_g + rng.normal(0.0, 1.0, 1000)
        empty = rng.random(1000) < 0.08
        readings_g[~empty] += 180.0 + 40.0 * rng.random(int((~empty).sum()))
        told += weigh(track, list(range(cup, cup + 1000)), readings_g.tolist(), empty=empty).events
        cup += 1000
    assert alarms(told) == [("creep", "on"), ("drift", "on"), ("creep", "over"), ("drift", "over")]


def test_a_zero_that_wanders_as_a_good_scales_does_raises_no_alarm() -> None:
    assert alarms(day(new(), range(600)).events) == []
