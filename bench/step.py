"""How long the line takes for one frame: looking, tracking, joining, deciding, grading, all of `station.line.step`.

    python -m bench.step [SECONDS]

Frames are of the simulated line, 8 lanes, level changing, every cup taken: pictures of a few cups that come round for
ever, with the readings of scale and spectrometer. What comes out is compared with what lay in the cups.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from grader.app.setting_up import decider, maps_by
from grader.domain.decisions import FruitRecord
from grader.domain.frames import Frame, Readings
from grader.domain.skin import MappedSkin
from grader.processes import keep_memory
from grader.station.line import new_line, step
from grader.units import Pulse
from hardware.sim.levels import LEVELS
from hardware.sim.line import PULSES_PER_CUP, PULSES_PER_FRAME, LineSettings, SimulatedLine
from hardware.sim.simulate import CAMERA, prepared_loop

SEED = 31
LANES, LOOP_CUPS = 8, 16  # the loop has more pictures than the line knows again: none is one that came before
SETTINGS = LineSettings(level=LEVELS["changing"], seed=SEED, lanes=LANES, loop_cups=LOOP_CUPS, empty_share=0.0)
FEWEST_STEPS = 80
MOST_RMSE_MM, MOST_RMSE_G = 1.0, 2.0  # looser than what is asked of the line: this is no test of accuracy


class Said(NamedTuple):
    """One frame and the readings since the one before."""

    frame: Frame
    readings: Readings


def measure(seconds: float = 10.0) -> dict[str, float]:
    """step_ms_p50, _p99, _worst over all steps; map_ms_per_fruit, its _p99 and _worst, of maps of skin, made between
    the steps. Raises ValueError when a fruit is missing, extra or wrong."""
    cv2.setNumThreads(1)
    keep_memory()
    line = SimulatedLine(SETTINGS)
    chosen = decider(line.installation)
    state, maps = new_line(chosen.settings), maps_by(chosen.settings)
    took_ms: list[float] = []
    mapped: list[MappedSkin] = []
    map_ms: list[float] = []
    records: list[FruitRecord] = []
    said, pulses = stream(line), []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(took_ms) < FEWEST_STEPS:
        frame, readings = next(said)
        before = time.perf_counter()
        result = step(chosen.settings, state, frame, readings, maps=mapped)
        took_ms.append((time.perf_counter() - before) * 1e3)
        mapped = maps.of(result.sightings)
        map_ms += [each.took_ms for each in mapped]
        records += result.records
        pulses.append(frame.pulse)
    _check(line, records, pulses[0], pulses[-1])
    p50, p99, worst = np.percentile(took_ms, [50, 99, 100]).tolist()
    map_p50, map_p99, map_worst = np.percentile(map_ms, [50, 99, 100]).tolist()
    return {
        "step_ms_p50": p50,
        "step_ms_p99": p99,
        "step_ms_worst": worst,
        "step_lanes": float(LANES),
        "map_ms_per_fruit": map_p50,
        "map_ms_p99": map_p99,
        "map_ms_worst": map_worst,
    }


def stream(line: SimulatedLine) -> Iterator[Said]:
    """Frames for ever, from when the picture is full, with the readings up to each."""
    loop = prepared_loop(SETTINGS)
    first = 2 * len(loop)
    told = line.pulse_of_frame(first)
    references = line.reference_scans()
    for sequence in itertools.count(first):
        pulse = line.pulse_of_frame(sequence)
        readings = Readings(tuple(line.weighings_between(told, pulse)), (*references, *line.scans_between(told, pulse)))
        yield Said(Frame(CAMERA, sequence, pulse, line.t_ns_at(pulse), loop[sequence % len(loop)]), readings)
        references, told = [], pulse


def _check(line: SimulatedLine, records: list[FruitRecord], first: Pulse, last: Pulse) -> None:
    """One record for each fruit that entered after the first frame and was due by the last, close to the truth."""
    gates = line.installation.gates
    due = range(-(-first // PULSES_PER_CUP), int(last - gates.decision_mm) // PULSES_PER_CUP + 1)
    wanted = {(lane, cup) for cup in due for lane in range(LANES) if line.occupied(lane, cup)}
    found = [(record.lane, record.cup) for record in records if record.cup >= due.start]
    if set(found) != wanted or len(found) != len(wanted):
        raise ValueError(
            f"{len(wanted - set(found))} fruit have no record, {len(set(found) - wanted)} records no fruit"
        )
    truth = {key: line.truth_of(*key) for key in {(lane, cup) for lane, cup in wanted if cup < due.start + LOOP_CUPS}}
    for quantity, most in (("diameter_mm", MOST_RMSE_MM), ("mass_g", MOST_RMSE_G)):
        errors = [
            (record.values[quantity] or math.nan) - getattr(truth[record.lane, record.cup], quantity)
            for record in records
            if (record.lane, record.cup) in truth
        ]
        rmse = math.sqrt(sum(error**2 for error in errors) / len(errors))
        if not rmse <= most:
            raise ValueError(f"{quantity} is wrong by {rmse:.2f}, at most {most} was expected")


if __name__ == "__main__":
    print(f"seed {SEED}, {LANES} lanes, level changing, frames {PULSES_PER_FRAME} pulses apart")
    for name, value in measure(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0).items():
        print(f"{name:24} {value:10.3f}")
