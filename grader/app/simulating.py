"""A recording of the simulated line, with truth.csv for whoever judges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from grader.errors import BadFile
from grader.storage.recordings import PackedWriter, RecordingWriter
from hardware.sim.levels import LEVELS
from hardware.sim.line import LineSettings, SimulatedLine
from hardware.sim.simulate import simulate
from hardware.sim.varieties import VARIETIES

PACKED = ".packed"


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

    Raises BadFile when there is something at `out` already.
    """
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise BadFile(out, "there is something here already", remedy="name another place, or take it away")
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
    writer = PackedWriter if out.suffix == PACKED else RecordingWriter
    with writer(out, line.installation) as recording:
        simulate(settings, recording, progress)
    return line.n_frames()


__all__ = ["LEVELS", "VARIETIES", "write_simulated"]
