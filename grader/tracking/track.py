"""Which fruit is it: everything that was seen, weighed and scanned, kept by (lane, cup serial).

A cup closes twice. It is *seen* when it has left the camera; it is *decided* at the decision pulse: what is known
then becomes its measurement, and the cup is forgotten. Every occupied cup comes out of `decide` exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.domain.artefacts import SugarModel
from grader.domain.flags import Flag
from grader.domain.frames import Frame, Readings, Scan, Weighing
from grader.domain.fruit import FruitMeasurements
from grader.domain.installation import Installation
from grader.domain.views import VIEW_VALUES, Occupancy, ViewFeatures
from grader.spectra.sugar import soluble_solids
from grader.units import Pulse, pulses_from_mm
from grader.vision.combine import CombineSettings, combined

SLOTS = 64
"""Cups per lane that can be on their way at once; from the first view to the decision there are about 16."""
MOST_VIEWS = 48
NO_CUP = np.int64(-1)

_FRAME_FLAGS = {"lost": Flag.FRAME_LOST, "repeated": Flag.FRAME_REPEATED, "out of order": Flag.FRAME_OUT_OF_ORDER}


class TrackSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a cup holds a fruit, and which readings are believed.

    least_views: whole views that must show something. occupied_share: of all whole views of the cup.
    least_mass_g: what weighs more is a fruit even if no camera saw it. most_mass_g: the scale's own limit.
    enough_views: with fewer, too little skin was seen to judge. zero_follows: share of each empty cup's
    reading that moves the scale's zero, once it is known.
    """

    least_views: int = 2
    occupied_share: float = 0.3
    enough_views: int = 8
    least_mass_g: float = 30.0
    most_mass_g: float = 1500.0
    zero_follows: float = 0.1
    density_g_per_ml: tuple[float, float] = (0.6, 1.25)


@dataclass(slots=True)
class TrackState:
    """Arrays (lanes, SLOTS, ...), changed in place by the functions of this file; slot = cup serial modulo SLOTS."""

    cup: NDArray[np.int64]
    n_views: NDArray[np.int64]
    views: NDArray[np.float32]
    view_pulse: NDArray[np.int64]
    occupancy: NDArray[np.uint8]
    flags: NDArray[np.uint32]
    reading_g: NDArray[np.float64]
    decided: NDArray[np.int64]  # (lanes,) the last cup serial that was decided
    zero_g: NDArray[np.float64]  # (lanes,) the scale's reading of an empty cup
    zero_n: NDArray[np.int64]  # (lanes,) empty cups it was learned from
    scans: dict[tuple[int, int], Scan] = field(default_factory=dict)
    references: dict[tuple[int, str], Scan] = field(default_factory=dict)
    last_sequence: int | None = None
    last_pulse: Pulse | None = None
    ignored_views: int = 0
    ignored_readings: int = 0


def new_track(installation: Installation) -> TrackState:
    """Nothing on the belt. Raises ValueError when the decision is too far down for `SLOTS` cups."""
    line = installation.line
    lanes = line.lanes
    if installation.gates.decision_mm / (line.pulses_per_cup * line.mm_per_pulse) > SLOTS - 2:
        raise ValueError(f"decision_mm is {SLOTS} cups or more after cup zero; bring it nearer to the camera")
    shape = (lanes, SLOTS)
    return TrackState(
        cup=np.full(shape, NO_CUP),
        n_views=np.zeros(shape, np.int64),
        views=np.full((*shape, MOST_VIEWS, len(VIEW_VALUES)), np.nan, np.float32),
        view_pulse=np.zeros((*shape, MOST_VIEWS), np.int64),
        occupancy=np.zeros((*shape, MOST_VIEWS), np.uint8),
        flags=np.zeros(shape, np.uint32),
        reading_g=np.full(shape, np.nan),
        decided=np.full(lanes, installation.line.first_cup - 1, np.int64),
        zero_g=np.zeros(lanes),
        zero_n=np.zeros(lanes, np.int64),
    )


def frame_flags(state: TrackState, frame: Frame, pulses_per_frame: int) -> Flag:
    """What is wrong with a frame, told by its count, its pulse and its driver; moves the state on to it."""
    flags = Flag.NONE
    if frame.damage:
        flags |= _FRAME_FLAGS.get(frame.damage, Flag.FRAME_DAMAGED)
    if state.last_sequence is not None and state.last_pulse is not None:
        frames, pulses = frame.sequence - state.last_sequence, frame.pulse - state.last_pulse
        if frames == 0 or pulses == 0:
            return flags | Flag.FRAME_REPEATED
        if frames < 0:
            flags |= Flag.FRAME_OUT_OF_ORDER
        elif frames > 1:
            flags |= Flag.FRAME_LOST
        if abs(pulses - frames * pulses_per_frame) > pulses_per_frame // 2:
            flags |= Flag.PULSE_JUMP
    state.last_sequence, state.last_pulse = frame.sequence, frame.pulse
    return flags


def observe(state: TrackState, views: ViewFeatures, pulse: Pulse, flags: Flag) -> None:
    """Keep one frame's views. Views of cups that were decided already are counted and left."""
    due = views.cup > state.decided[views.lane]
    state.ignored_views += int((~due).sum())
    lane, cup = views.lane[due].astype(np.int64), views.cup[due]
    slot = _slots(state, lane, cup)
    state.flags[lane, slot] |= np.uint32(flags)
    if flags & Flag.FRAME_REPEATED:
        return  # the same sight twice is not two sights
    place = np.minimum(state.n_views[lane, slot], MOST_VIEWS - 1)
    for column, name in enumerate(VIEW_VALUES):  # 12 columns, not fruit
        state.views[lane, slot, place, column] = getattr(views, name)[due]
    state.view_pulse[lane, slot, place] = pulse
    state.occupancy[lane, slot, place] = views.occupancy[due]
    state.n_views[lane, slot] = place + 1


def touch(state: TrackState, lane: NDArray[np.int64], cup: NDArray[np.int64], flags: Flag) -> None:
    """Flag the cups that a frame without a picture would have shown."""
    due = cup > state.decided[lane]
    lane, cup = lane[due].astype(np.int64), cup[due]
    state.flags[lane, _slots(state, lane, cup)] |= np.uint32(flags)


def join(state: TrackState, readings: Readings, installation: Installation) -> None:
    """Give every weighing and scan to the cup that was over the sensor at its pulse."""
    line = installation.line
    # A loop over readings: one or two per fruit, each of its own kind.
    for weighing in readings.weighings:
        if installation.scale is not None:
            _join_weighing(state, weighing, _cup_at(weighing.pulse, installation.scale.position_mm, installation))
    for scan in readings.scans:
        place = installation.spectrometers.get(scan.spectrometer)
        if scan.kind != "sample":
            state.references[scan.lane, scan.kind] = scan
        elif place is not None and 0 <= scan.lane < line.lanes:
            _join_scan(state, scan, _cup_at(scan.pulse, place.position_mm, installation))


def _cup_at(pulse: Pulse, position_mm: float, installation: Installation) -> int:
    """The cup over a sensor: -half <= pulse - (cup * pulses_per_cup + position) < half (recording format)."""
    line = installation.line
    offset = pulse - pulses_from_mm(position_mm, line.mm_per_pulse) + line.pulses_per_cup // 2
    return int(offset // line.pulses_per_cup)


def _reading_slot(state: TrackState, lane: int, cup: int) -> int | None:
    if not (0 <= lane < len(state.decided)) or not (0 < cup - state.decided[lane] < SLOTS):
        state.ignored_readings += 1
        return None
    return int(_slots(state, np.array([lane]), np.array([cup], np.int64))[0])


def _join_weighing(state: TrackState, weighing: Weighing, cup: int) -> None:
    slot = _reading_slot(state, weighing.lane, cup)
    if slot is None:
        return
    at = weighing.lane, slot
    if np.isfinite(state.reading_g[at]):
        state.flags[at] |= np.uint32(Flag.EXTRA_READING)  # the first one stands
    elif np.isfinite(weighing.mass_g):
        state.reading_g[at] = weighing.mass_g
    else:
        state.flags[at] |= np.uint32(Flag.BAD_WEIGHT)


def _join_scan(state: TrackState, scan: Scan, cup: int) -> None:
    slot = _reading_slot(state, scan.lane, cup)
    if slot is None:
        return
    if (scan.lane, cup) in state.scans:
        state.flags[scan.lane, slot] |= np.uint32(Flag.EXTRA_READING)
    else:
        state.scans[scan.lane, cup] = scan


def _slots(state: TrackState, lane: NDArray[np.int64], cup: NDArray[np.int64]) -> NDArray[np.int64]:
    """Slots of cups, made ready for those that are new. Raises ValueError where an undecided cup would be lost."""
    slot = cup % SLOTS
    held = state.cup[lane, slot]
    if ((held != cup) & (held != NO_CUP)).any():
        raise ValueError("a cup would be forgotten before it was decided")
    new = held != cup
    state.cup[lane[new], slot[new]] = cup[new]
    return np.asarray(slot)


def decide(
    state: TrackState,
    pulse: Pulse,
    installation: Installation,
    *,
    camera: str,
    sugar: SugarModel | None,
    settings: TrackSettings,
    combine: CombineSettings,
) -> FruitMeasurements:
    """Close every cup whose decision pulse has come: measurements of those that hold a fruit, lane by lane.

    Cups that hold nothing teach the scale its zero.
    """
    line = installation.line
    decision = pulses_from_mm(installation.gates.decision_mm, line.mm_per_pulse)
    last_due = (pulse - decision) // line.pulses_per_cup
    lane, slot = np.nonzero((state.cup != NO_CUP) & (state.cup <= last_due))
    state.decided[:] = np.maximum(state.decided, last_due)
    order = np.lexsort((state.cup[lane, slot], lane))
    lane, slot = lane[order], slot[order]
    fruit = _measured(state, lane, slot, installation, camera, sugar, settings, combine)
    state.cup[lane, slot] = NO_CUP
    state.n_views[lane, slot] = 0
    state.views[lane, slot] = np.nan
    state.flags[lane, slot] = 0
    state.reading_g[lane, slot] = np.nan
    return fruit


def on_the_way(state: TrackState) -> int:
    """The highest cup serial that something is known of and that is not decided; -1 for none."""
    return int(state.cup.max())


def _measured(
    state: TrackState,
    lane: NDArray[np.int64],
    slot: NDArray[np.int64],
    installation: Installation,
    camera: str,
    sugar: SugarModel | None,
    settings: TrackSettings,
    combine: CombineSettings,
) -> FruitMeasurements:
    cup, flags = state.cup[lane, slot], state.flags[lane, slot]
    kept = np.arange(MOST_VIEWS) < state.n_views[lane, slot][:, None]
    code = state.occupancy[lane, slot]
    uncut = kept & (code != Occupancy.CUT)
    something = uncut & (code != Occupancy.EMPTY)
    n_uncut, n_something = uncut.sum(axis=1), something.sum(axis=1)
    shown = (n_something >= settings.least_views) & (n_something >= settings.occupied_share * n_uncut)
    cut_only = (n_uncut == 0) & kept.any(axis=1)

    mass = _masses(state, lane, slot, flags, ~shown & ~cut_only, settings)
    weighed = np.nan_to_num(mass) >= settings.least_mass_g
    occupied = shown | cut_only | weighed | (n_uncut < settings.least_views) & (n_something > 0)
    scanned = _forget_scans(state, lane, cup)

    rows = np.flatnonzero(occupied)
    lane, slot, cup, flags, mass = lane[rows], slot[rows], cup[rows], flags[rows], mass[rows]
    whole = something[rows]
    seen = combined(state.views[lane, slot], state.view_pulse[lane, slot], whole, installation.cameras[camera], combine)
    n_whole = whole.sum(axis=1)
    touching = (code[rows] == Occupancy.TOUCHING) & kept[rows]
    oversize = (code[rows] == Occupancy.OVERSIZE) & kept[rows]
    flags |= np.where(touching.sum(axis=1) > n_whole * 0.5, Flag.TOUCHING, 0).astype(np.uint32)
    flags |= np.where(oversize.sum(axis=1) > n_whole * 0.5, Flag.OVERSIZE, 0).astype(np.uint32)
    flags |= np.where(n_whole == 0, Flag.NOT_SEEN, 0).astype(np.uint32)
    flags |= np.where((n_whole > 0) & (n_whole < settings.enough_views), Flag.FEW_VIEWS, 0).astype(np.uint32)
    if installation.scale is not None:
        flags |= np.where(np.isnan(mass), Flag.NO_WEIGHT, 0).astype(np.uint32)
    with np.errstate(invalid="ignore", divide="ignore"):
        density = mass / seen.volume_ml
        shape_index = seen.height_mm / seen.diameter_mm
        unlikely = (density < settings.density_g_per_ml[0]) | (density > settings.density_g_per_ml[1])
    flags |= np.where(unlikely, Flag.UNLIKELY_SIZE, 0).astype(np.uint32)
    brix, brix_sd = _sugars(state, [scanned[row] for row in rows], flags, installation, sugar)
    return FruitMeasurements.unmeasured(
        lane,
        cup,
        flags,
        mass_g=mass,
        density_g_per_ml=density,
        shape_index=shape_index,
        ssc_brix=brix,
        ssc_brix_sd=brix_sd,
        **seen._asdict(),
    )


def _masses(
    state: TrackState,
    lane: NDArray[np.int64],
    slot: NDArray[np.int64],
    flags: NDArray[np.uint32],
    looks_empty: NDArray[np.bool_],
    settings: TrackSettings,
) -> NDArray[np.float64]:
    """Readings less the scale's zero, cup by cup in their order; flags are set in place."""
    mass = np.full(len(lane), np.nan)
    # A loop over cups: each empty one moves the zero that the next one is weighed against.
    for row, (n, reading) in enumerate(zip(lane, state.reading_g[lane, slot], strict=True)):
        if not np.isfinite(reading):
            continue
        above = reading - state.zero_g[n]
        if looks_empty[row] and abs(above) < settings.least_mass_g:
            state.zero_n[n] += 1
            state.zero_g[n] += above * max(1.0 / state.zero_n[n], settings.zero_follows)
        elif above < 0 or above > settings.most_mass_g:
            flags[row] |= np.uint32(Flag.BAD_WEIGHT)
            continue
        mass[row] = above
    return mass


def _forget_scans(state: TrackState, lane: NDArray[np.int64], cup: NDArray[np.int64]) -> list[Scan | None]:
    return [state.scans.pop((int(n), int(k)), None) for n, k in zip(lane, cup, strict=True)]


def _sugars(
    state: TrackState,
    scans: list[Scan | None],
    flags: NDArray[np.uint32],
    installation: Installation,
    sugar: SugarModel | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Soluble solids and their standard error; flags are set in place. NaN without a scan, a model or trust in it."""
    brix, brix_sd = np.full(len(scans), np.nan), np.full(len(scans), np.nan)
    if not installation.spectrometers:
        return brix, brix_sd
    by_reference: dict[tuple[int, str], list[int]] = {}
    for row, scan in enumerate(scans):
        if scan is None:
            flags[row] |= np.uint32(Flag.NO_SPECTRUM)
        elif sugar is not None:
            if scan.counts.shape != sugar.white_counts.shape:
                flags[row] |= np.uint32(Flag.SPECTRUM_DAMAGED)
            else:
                by_reference.setdefault((scan.lane, scan.spectrometer), []).append(row)
    if sugar is None:
        return brix, brix_sd
    for (lane, name), rows in by_reference.items():  # one call per lane: each has its own references
        counts = np.stack([scan.counts for row in rows if (scan := scans[row]) is not None])
        white, dark = state.references.get((lane, "white")), state.references.get((lane, "dark"))
        solids = soluble_solids(
            sugar,
            counts,
            white.counts if white is not None else None,
            dark.counts if dark is not None else None,
            wavelengths_nm=installation.spectrometers[name].wavelengths_nm,
        )
        brix[rows], brix_sd[rows] = solids.ssc_brix, solids.ssc_brix_sd
        flags[rows] |= solids.flags
    return brix, brix_sd
