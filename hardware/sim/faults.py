"""What can go wrong on a line, as the plant, the cables and the devices would do it: the rows of a scenario file.

[[fault]]
kind = "belt_stops"
at_s = 20.0
for_s = 5.0
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec
import numpy as np

from hardware.sim.draws import keyed


class FaultKind(StrEnum):
    """What goes wrong. Those of no duration happen once."""

    # The plant
    BELT_STOPS = "belt_stops"
    BELT_JOGS = "belt_jogs"  # it creeps, by a person's hand
    EMERGENCY_STOP = "emergency_stop"
    OUTLET_FULL = "outlet_full"  # outlet
    FEED_STOPS = "feed_stops"  # no fruit come: a gap, which is no fault, but lots begin at one
    # The encoder
    ENCODER_SILENT = "encoder_silent"  # the belt moves and is not counted
    ENCODER_JUMPS = "encoder_jumps"  # pulses, once; below 0 it runs back
    # The camera
    CAMERA_SILENT = "camera_silent"  # gives no pictures until it is opened anew, and not before for_s
    CAMERA_GONE = "camera_gone"  # its connection ends, and cannot be opened for so long
    FRAMES_LOST = "frames_lost"  # frames
    FRAMES_REPEATED = "frames_repeated"  # frames
    FRAMES_SWAPPED = "frames_swapped"  # frames: pairs that come in the wrong order
    FRAMES_CUT = "frames_cut"  # frames: of which the lower part is of one colour
    LIGHT_FAILS = "light_fails"  # share of it that is left
    # The sensors
    SCALE_SILENT = "scale_silent"  # lane, or all
    SCALE_STUCK = "scale_stuck"  # lane, or all: says the same number again and again
    SPECTROMETER_SILENT = "spectrometer_silent"
    SPECTRUM_DARK = "spectrum_dark"
    SPECTRUM_SATURATED = "spectrum_saturated"
    SENSORS_GONE = "sensors_gone"  # their connection ends
    # The board and its port
    BOARD_SILENT = "board_silent"  # the cable is cut both ways
    BOARD_RESTARTS = "board_restarts"
    BOARD_REFUSES = "board_refuses"
    BOARD_LIES = "board_lies"  # pulses: its word of where the belt is, is off by so many
    SERIAL_NOISE = "serial_noise"  # share of bytes damaged, both ways
    PORT_PULLED = "port_pulled"  # the pseudo-terminal is closed; it comes back under another name


DRAWN = tuple(kind for kind in FaultKind if kind is not FaultKind.FEED_STOPS)
"""Kinds that come at random: what goes wrong."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong at_s seconds after the belt was started, for for_s seconds.

    lane: of a scale; None: all. outlet: which is full. pulses, frames, share: as the kind needs them.
    """

    kind: FaultKind
    at_s: float
    for_s: float = 0.0
    lane: int | None = None
    outlet: int = 1
    pulses: int = 0
    frames: int = 1
    share: float = 0.01


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong in a run. every_s, seed: besides the list, one fault drawn at random every so many seconds."""

    fault: tuple[Fault, ...] = ()
    every_s: float | None = None
    seed: int = 1


def random_faults(every_s: float, seed: int, *, lanes: int, outlets: int) -> Iterator[Fault]:
    """One after the other for ever, the first after every_s. Each kind comes once before any comes again."""
    rng = keyed(seed, "faults")
    turn = 0
    while True:
        for number in rng.permutation(len(DRAWN)):
            turn += 1
            yield _drawn(rng, DRAWN[number], turn * every_s, lanes=lanes, outlets=outlets)


def _drawn(rng: np.random.Generator, kind: FaultKind, at_s: float, *, lanes: int, outlets: int) -> Fault:
    at_once = {FaultKind.ENCODER_JUMPS, FaultKind.BOARD_RESTARTS}
    by_frames = {
        *(FaultKind.FRAMES_LOST, FaultKind.FRAMES_REPEATED, FaultKind.FRAMES_SWAPPED, FaultKind.FRAMES_CUT),
    }
    return Fault(
        kind=kind,
        at_s=at_s,
        for_s=0.0 if kind in at_once | by_frames else round(float(rng.uniform(0.3, 6.0)), 2),
        lane=int(rng.integers(lanes)) if rng.random() < 0.5 else None,
        outlet=int(rng.integers(1, outlets + 1)),
        pulses=int(rng.choice([-400, -96, -50, 50, 96, 400, 5000])),
        frames=int(rng.integers(1, 8)),
        share=0.01 if kind is FaultKind.SERIAL_NOISE else round(float(rng.uniform(0.0, 0.6)), 2),
    )
