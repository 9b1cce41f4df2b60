"""Whether the scale can be believed: what is told when it cannot, once when that comes and once when it is over.

    frozen    fruit after fruit weighs exactly the same: the scale repeats itself
    astray    empty cups weigh a fruit, all the same one: the zero has jumped, too far to be followed
    creep     the zero moves faster than that of a good scale
    drift     the zero has come far from where it was
    stuck     a cup weighs something round after round, though it looks empty

What a frozen scale or one gone astray says of a lane, or any of a stuck cup, is no weight. A zero that creeps or drifts
is followed, and told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from grader.domain.events import Event, EventKind
from grader.domain.snapshot import ScaleAlarm, ScaleHealth
from grader.tracking.scale import LaneScale, Place, ScaleState
from grader.tracking.settings import ScaleSettings

_COMES = {
    ScaleAlarm.FROZEN: "the scale says one number again and again: weighings do not count until it says another",
    ScaleAlarm.ASTRAY: "empty cups weigh {figure:+.1f} g: weighings do not count until they weigh 0; zero the scale",
    ScaleAlarm.CREEP: "the zero of the scale moved by {figure:+.1f} g in a short time: look what lies on it",
    ScaleAlarm.DRIFT: "the zero of the scale has come {figure:+.1f} g away from where it was: clean and zero it",
    ScaleAlarm.STUCK: "looks empty and weighs {figure:+.1f} g round after round: clean it; its weighings do not count",
}
_GOES = {
    ScaleAlarm.FROZEN: "the scale says other numbers again",
    ScaleAlarm.ASTRAY: "empty cups weigh nothing again, or fruit what they should",
    ScaleAlarm.CREEP: "the zero of the scale holds still again",
    ScaleAlarm.DRIFT: "the zero of the scale is near where it was again",
    ScaleAlarm.STUCK: "weighs nothing again when it is empty",
}
_BACK = 0.5
"""What was beyond a limit must come within this share of it for the alarm to be over: it shall not come and go."""


def watch_repeats(
    lane: LaneScale, place: Place, reading_g: float, *, holds_fruit: bool, settings: ScaleSettings, events: list[Event]
) -> None:
    """Any weighing. Empty cups may well weigh the same again and again, in whole grams; fruit do not."""
    if reading_g != lane.last_g:
        lane.last_g, lane.repeats = reading_g, 0
    lane.repeats += holds_fruit
    _set(lane, place, ScaleAlarm.FROZEN, lane.repeats >= settings.frozen_fruit, reading_g, events)


def watch_empty(
    lane: LaneScale,
    place: Place,
    above_g: float,
    *,
    fruit_g: float,
    sure_of_cup: bool,
    settings: ScaleSettings,
    events: list[Event],
) -> None:
    """A cup that was plainly seen to be empty. above_g: its reading above the zero; fruit_g: from there on, a fruit's.
    sure_of_cup: which cup of the chain it was is certain."""
    if abs(above_g) < fruit_g:
        lane.far_g.clear()
        _set(lane, place, ScaleAlarm.ASTRAY, False, above_g, events)
    else:
        lane.far_g.append(above_g)
        if len(lane.far_g) == settings.astray_cups and _spread(lane.far_g) <= 2 * settings.stuck_g:
            lane.fitting = 0
            _set(lane, place, ScaleAlarm.ASTRAY, True, above_g, events)
    if place.chain_cup is None or not sure_of_cup:
        return
    known = lane.cup_of(place.chain_cup, settings)
    known.off_g.append(above_g)
    was_stuck = place.chain_cup in lane.stuck_cups
    if was_stuck:
        is_stuck = abs(above_g) > _BACK * settings.stuck_g
    else:
        is_far = len(known.off_g) == settings.stuck_times and min(map(abs, known.off_g)) > settings.stuck_g
        is_stuck = is_far and _spread(known.off_g) <= settings.stuck_g and ScaleAlarm.ASTRAY not in lane.alarms
    if is_stuck != was_stuck:
        (lane.stuck_cups.add if is_stuck else lane.stuck_cups.discard)(place.chain_cup)
        events.append(_told(place, ScaleAlarm.STUCK, is_stuck, above_g, place.chain_cup))


def watch_fruit(lane: LaneScale, place: Place, *, fits: bool, settings: ScaleSettings, events: list[Event]) -> None:
    """A fruit on a scale that is astray, and whether it weighed what fruit of its size use to. So many in a row do not
    by chance: where no empty cup comes by, they say that the zero is back."""
    lane.fitting = lane.fitting + 1 if fits else 0
    if lane.fitting >= settings.astray_cups:
        lane.far_g.clear()
        _set(lane, place, ScaleAlarm.ASTRAY, False, 0.0, events)


def watch_zero(lane: LaneScale, place: Place, settings: ScaleSettings, events: list[Event]) -> None:
    """The zero of a lane has moved. Until it is made of empty cups alone it is still looked for."""
    if len(lane.latest_g) < settings.least_zero_cups:
        return
    if math.isnan(lane.home_g):
        lane.home_g = lane.zero_g
    if lane.anchor_cup is None:
        lane.anchor_g, lane.anchor_cup = lane.zero_g, place.cup
    moved_g, away_g = lane.zero_g - lane.anchor_g, lane.zero_g - lane.home_g
    if abs(moved_g) > settings.creep_g:
        _set(lane, place, ScaleAlarm.CREEP, True, moved_g, events)
    if not 0 <= place.cup - lane.anchor_cup < settings.creep_cups:
        if abs(moved_g) <= _BACK * settings.creep_g:
            _set(lane, place, ScaleAlarm.CREEP, False, moved_g, events)
        lane.anchor_g, lane.anchor_cup = lane.zero_g, place.cup
    if abs(away_g) > settings.drift_g:
        _set(lane, place, ScaleAlarm.DRIFT, True, away_g, events)
    elif abs(away_g) <= _BACK * settings.drift_g:
        _set(lane, place, ScaleAlarm.DRIFT, False, away_g, events)


def is_believed(lane: LaneScale, place: Place) -> bool:
    """Whether a weighing in this cup is a weight."""
    return not lane.alarms & {ScaleAlarm.FROZEN, ScaleAlarm.ASTRAY} and place.chain_cup not in lane.stuck_cups


def scale_health(scale: ScaleState) -> tuple[ScaleHealth, ...]:
    """What is wrong with the scale now, by lane. May be called while another thread weighs."""
    health = []
    for lane in scale.lanes:
        # Copied at once, before anything is made of them: a set that grows meanwhile cannot be walked through.
        alarms, stuck_cups = tuple(lane.alarms), tuple(lane.stuck_cups)
        stuck = (ScaleAlarm.STUCK,) if stuck_cups else ()
        health.append(ScaleHealth(alarms=(*sorted(alarms), *stuck), stuck_cups=tuple(sorted(stuck_cups))))
    return tuple(health)


def _spread(values_g: Sequence[float]) -> float:
    return max(values_g) - min(values_g)


def _set(lane: LaneScale, place: Place, alarm: ScaleAlarm, on: bool, figure_g: float, events: list[Event]) -> None:
    if on == (alarm in lane.alarms):
        return
    (lane.alarms.add if on else lane.alarms.discard)(alarm)
    events.append(_told(place, alarm, on, figure_g, None))


def _told(place: Place, alarm: ScaleAlarm, on: bool, figure_g: float, chain_cup: int | None) -> Event:
    where = f"Lane {place.lane}" if chain_cup is None else f"Lane {place.lane}, cup {chain_cup} of the chain"
    words = (_COMES if on else _GOES)[alarm].format(figure=figure_g)
    return Event(
        kind=EventKind.SCALE_ALARM,
        text=f"{where}: {words}.",
        pulse=place.pulse,
        lane=place.lane,
        cup=chain_cup,
        values={"alarm": alarm.value, "is": "on" if on else "over", "figure_g": round(figure_g, 3)},
    )
