"""Weighings and scans given to the cups that they are of, and the scale's zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grader.domain.flags import Flag
from grader.domain.frames import Readings, Scan, Weighing
from grader.tracking.belt import FARTHEST_PULSE
from grader.tracking.settings import TrackSettings
from grader.tracking.state import Said, TrackState

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


def masses(
    state: TrackState,
    lane: NDArray[np.int64],
    said: list[Said],
    looks_empty: NDArray[np.bool_],
    flags: NDArray[np.uint32],
    settings: TrackSettings,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Readings less the scale's zero, (n,) g, NaN where there is none that can be of a fruit; flags are set in place.
    And where the scale found next to nothing, (n,) bool: a little below its zero, too, where no fruit can be.

    A cup that looks empty and weighs next to nothing teaches the scale of its lane its zero.
    """
    mass_g, light = np.full(len(lane), np.nan), np.zeros(len(lane), bool)
    # A loop over cups: each empty one moves the zero that the next one is weighed against.
    for row, (n, each) in enumerate(zip(lane.tolist(), said, strict=True)):
        if not np.isfinite(each.reading_g):
            continue
        above_g = each.reading_g - float(state.zero_g[n])
        light[row] = abs(above_g) < settings.least_mass_g
        if looks_empty[row] and light[row]:
            _learn_zero(state, n, each.reading_g)
        elif not 0 <= above_g <= settings.most_mass_g:
            flags[row] |= np.uint32(Flag.BAD_WEIGHT)
            continue
        mass_g[row] = above_g
    return mass_g, light


def _learn_zero(state: TrackState, lane: int, reading_g: float) -> None:
    readings = state.empty_g[lane]
    readings[state.n_empty[lane] % len(readings)] = reading_g
    state.n_empty[lane] += 1
    state.zero_g[lane] = np.median(readings)
