"""A recording of the simulated line, with truth.csv for whoever judges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from grader.storage.recordings import new_recording
from hardware.sim.levels import LEVELS
from hardware.sim.line import LineSettings, SimulatedLine
from hardware.sim.simulate import simulate
from hardware.sim.varieties import VARIETIES


def write_simulated(
    out: Path,
    *,
    fruit: int,
    seed: int,
    level: str,
    lanes: int,
    variety: str,
    passes: int,
    cups_per_second: float,
    nir: bool,
    progress: Callable[[float], None],
) -> int:
    """Render and write; a name that ends in .packed gives the packed form. Returns the number of frames.

    Nothing stands at `out` until the recording is whole. Raises BadRecording when there is something already.
    """
    settings = LineSettings(
        level=LEVELS[level],
        seed=seed,
        fruit=fruit,
        lanes=lanes,
        variety=VARIETIES[variety],
        passes=passes,
        cups_per_second=cups_per_second,
        nir=nir,
    )
    line = SimulatedLine(settings)
    with new_recording(out, line.installation) as recording:
        simulate(settings, recording, progress)
    return line.n_frames()


__all__ = ["LEVELS", "VARIETIES", "write_simulated"]
