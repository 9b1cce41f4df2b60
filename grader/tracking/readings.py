"""Weighings and scans given to the cups that they are of, and masses made of what the scale said."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.domain.flags import Flag
from grader.domain.frames import Readings, Scan, Weighing
from grader.domain.snapshot import ScaleAlarm
from grader.tracking.belt import FARTHEST_PULSE
from grader.tracking.scale import Place, learn
from grader.tracking.scale_watch import is_believed, watch_empty, watch_fruit, watch_repeats, watch_zero
from grader.tracking.settings import TrackSettings
from grader.tracking.state import Said, TrackState
from grader.units import Pulse

_WHOSE = np.uint32(Flag.PULSE_JUMP | Flag.OUT_OF_PLACE)
"""Of a cup with one of these nobody can say for certain which it is."""

MOST_REFERENCES = 32
"""Scans of one kind and time that a mean is made of."""


def join(state: TrackState, readings: Readings) -> None:
    """Give every weighing and scan to the cup that was over the sensor at its pulse.

    Those of cups that are decided already, that cannot have come to the sensor yet, or of lanes that are not there, are
    counted and left. A second reading of a cup is a flag, the first one stands.
    """
    # A loop over readings: one or two per fruit, each of its own kind; 2 us each.
    for weighing in readings.weighings:
        said = _said(state, weighing.lane, weighing.pulse, state.course.scale)
        if said is not None:
            _keep_weighing(said, weighing)
    for scan in readings.scans:
        if scan.kind != "sample":
            _keep_reference(state, scan)
            continue
        said = _said(state, scan.lane, scan.pulse, state.course.spectrometers.get(scan.spectrometer))
        if said is None:
            continue
        if said.scan is None:
            said.scan = scan
        else:
            said.flags |= Flag.EXTRA_READING


def _said(state: TrackState, lane: int, pulse: int, position: int | None) -> Said | None:
    """Where the cup's readings are kept; None for a cup that nothing can be said of now."""
    course, belt = state.course, state.belt.pulse
    farthest = FARTHEST_PULSE if belt is None else belt + course.reach
    if position is not None and 0 <= lane < state.lanes and pulse <= farthest:
        cup = course.cup_over(position, pulse)
        if cup > state.passed and cup > state.decided[lane]:
            return state.said.setdefault((lane, cup), Said())
    state.ignored_readings += 1
    return None


def _keep_weighing(said: Said, weighing: Weighing) -> None:
    if np.isfinite(said.reading_g):
        said.flags |= Flag.EXTRA_READING
    elif np.isfinite(weighing.mass_g):
        said.reading_g = weighing.mass_g
    else:
        said.flags |= Flag.BAD_WEIGHT


def _keep_reference(state: TrackState, scan: Scan) -> None:
    """References taken while the belt hardly moved are of one time, and count together; later ones replace them."""
    if not 0 <= scan.lane < state.lanes or scan.kind not in ("white", "dark"):
        state.ignored_readings += 1
        return
    of_now = state.references.setdefault((scan.lane, scan.kind), [])
    if of_now and abs(scan.pulse - of_now[0].pulse) > state.course.pulses_per_cup:
        of_now.clear()
    if len(of_now) < MOST_REFERENCES:
        of_now.append(scan)
    state.lane_references = None


class Masses(NamedTuple):
    """What the scale makes of cups, (n,) each.

    mass_g: NaN where there is no weight that can be of a fruit, or none that is believed. light, heavy bool: it found
    next to nothing, be it a little below zero, where no fruit can be; it found as much as a fruit weighs, or more.
    """

    mass_g: NDArray[np.float64]
    light: NDArray[np.bool_]
    heavy: NDArray[np.bool_]


class Looks(NamedTuple):
    """How cups look to the scale, (n,) bool each: a fruit is in it; nothing is; many pictures show plainly that nothing
    is, and none is missing."""

    fruit: NDArray[np.bool_]
    empty: NDArray[np.bool_]
    plainly_empty: NDArray[np.bool_]


def masses(
    state: TrackState,
    lane: NDArray[np.int64],
    cup: NDArray[np.int64],
    said: list[Said],
    looks: Looks,
    volume_ml: NDArray[np.float64],
    flags: NDArray[np.uint32],
    settings: TrackSettings,
) -> Masses:
    """Readings less zero and tare; flags are set in place. volume_ml: (n,) as seen, NaN where it was not.

    A cup that looks empty and weighs next to nothing teaches the scale of its lane its zero, and its own tare. What a
    scale says that is not to be believed is no weight, but nothing that it found heavy is forgotten.
    """
    found = Masses(np.full(len(lane), np.nan), np.zeros(len(lane), bool), np.zeros(len(lane), bool))
    scale, course, events = state.scale, state.course, state.events
    # A loop over cups: each empty one moves the zero that the next one is weighed against. 2 us, an empty one 20 us.
    for row, (n, serial, each) in enumerate(zip(lane.tolist(), cup.tolist(), said, strict=True)):
        if not np.isfinite(each.reading_g):
            continue
        of, reading_g = scale.lanes[n], each.reading_g
        pulse = Pulse(serial * course.pulses_per_cup + (course.scale or 0))
        place = Place(n, serial, scale.chain_cup(serial), pulse)
        watch_repeats(of, place, reading_g, holds_fruit=bool(looks.fruit[row]), settings=settings.scale, events=events)
        above_g = reading_g - of.zero_g - of.tare_g(place.chain_cup)
        is_light = abs(above_g) < settings.least_mass_g
        is_heavy = settings.least_mass_g <= above_g <= settings.most_mass_g
        if ScaleAlarm.FROZEN in of.alarms:  # what the camera did not see may still be there
            flags[row] |= np.uint32(Flag.BAD_WEIGHT)
            found.heavy[row] = is_heavy and not looks.plainly_empty[row]
            continue
        if looks.fruit[row] and ScaleAlarm.ASTRAY in of.alarms:
            fits = state.densities.fits(n, above_g, volume_ml[row])
            watch_fruit(of, place, fits=fits, settings=settings.scale, events=events)
        if looks.empty[row]:
            sure = not flags[row] & _WHOSE
            if is_light:
                learn(of, place, reading_g, sure_of_cup=sure, settings=settings.scale, events=events)
                watch_zero(of, place, settings.scale, events)
            if looks.plainly_empty[row]:
                watch_empty(
                    of,
                    place,
                    reading_g - of.zero_g,
                    fruit_g=settings.least_mass_g,
                    sure_of_cup=sure,
                    settings=settings.scale,
                    events=events,
                )
        found.light[row], found.heavy[row] = is_light, is_heavy
        is_possible = 0 <= above_g <= settings.most_mass_g or (looks.empty[row] and is_light)
        if is_possible and is_believed(of, place):
            found.mass_g[row] = above_g
        else:
            flags[row] |= np.uint32(Flag.BAD_WEIGHT)
    return found
