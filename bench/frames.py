"""Frames that benchmarks look at: a full line of simulated fruit, the same for everyone who runs them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import Installation
from grader.units import Pulse
from hardware.sim.levels import LEVELS
from hardware.sim.line import LineSettings, SimulatedLine

SEED = 20
LANES = 8
LOOP_CUPS = 12


class BenchFrame(NamedTuple):
    """pixels: (1210, 1280, 3) uint8 at `pulse`; fruit: how many are wholly in view."""

    pixels: NDArray[np.uint8]
    pulse: Pulse
    installation: Installation


def full_frame(level: str = "changing") -> BenchFrame:
    """1280 x 1210 pixels, 8 lanes, every cup taken: about 80 fruit in view."""
    line = SimulatedLine(
        LineSettings(level=LEVELS[level], seed=SEED, lanes=LANES, loop_cups=LOOP_CUPS, empty_share=0.0)
    )
    place = line.installation.cameras["top"]
    pixels = np.empty((place.height_px, place.width_px, len(place.bands)), np.uint8)
    sequence = 4 * LOOP_CUPS
    line.render_into(sequence, pixels)
    return BenchFrame(pixels, line.pulse_of_frame(sequence), line.installation)
