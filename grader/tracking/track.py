"""Which fruit is it: what the frames showed of every cup, kept by (lane, cup serial), until it is decided about.

A cup closes twice. It is *seen* when it has left the picture: its views become one measurement. It is *decided* at the
decision pulse: what was seen and what the sensors said become a fruit, or an empty cup, and the cup is forgotten. Every
occupied cup comes out of `decide` exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from grader.domain.artefacts import SugarModel
from grader.domain.flags import Flag
from grader.domain.fruit import QUANTITIES, FruitMeasurements
from grader.domain.installation import CameraPlace, Installation
from grader.domain.skin import MappedSkin, Sighting, SkinMeasures
from grader.domain.views import MOST_VIEWS, VIEW_COLUMNS, Occupancy, ViewFeatures
from grader.tracking.in_place import off_mm, out_of_place, seats_mm
from grader.tracking.readings import Looks, masses
from grader.tracking.scale import doubt_cups
from grader.tracking.settings import TrackSettings
from grader.tracking.state import MEASURED, NEVER, NO_CUP, Said, TrackState
from grader.tracking.sugar import sugars
from grader.units import Pulse
from grader.vision.combine import Combined, CombineSettings, combined
from grader.vision.eye import Shown
from grader.vision.hues import hue_spread_of

Cups = NDArray[np.int64]


class Look(IntEnum):
    """What the views of a cup come to. DOUBTFUL: something was there, never whole, in too few views to tell, or too
    slim for a fruit; or picture after picture failed to show it. The scale decides; without its word, it is a fruit."""

    NOTHING = 0
    DOUBTFUL = 1
    FRUIT = 2


def observe(state: TrackState, views: ViewFeatures, pulse: Pulse, flags: Flag, shown: Shown | None = None) -> None:
    """Keep one frame's views, and its portraits. Those of cups that were decided already are counted and left."""
    lane, cup, due = _open(state, views.lane, views.cup)
    row = np.flatnonzero(due)
    slot = _slots(state, lane, cup)
    state.flags[lane, slot] |= np.uint32(flags)
    twice = (state.view_pulse[lane, slot] == pulse).any(axis=1)
    late = twice | state.seen[lane, slot]
    if late.any():  # the same sight twice is not two sights, and what has left the picture is measured already
        state.flags[lane[twice], slot[twice]] |= np.uint32(Flag.FRAME_REPEATED)
        state.ignored_views += int(late.sum())
        lane, slot, row = lane[~late], slot[~late], row[~late]
    place = np.minimum(state.n_views[lane, slot], MOST_VIEWS - 1)
    state.views[lane, slot, place] = views.table()[row]
    state.view_pulse[lane, slot, place] = pulse
    state.occupancy[lane, slot, place] = views.occupancy[row]
    state.n_views[lane, slot] = place + 1
    if shown is not None:
        _, here, there = np.intersect1d(row, shown.row, assume_unique=True, return_indices=True)
        state.skins.keep(lane[here], slot[here], place[here], shown.cuts.portraits(there))


def touch(state: TrackState, lane: NDArray[np.int16], cup: Cups, flags: Flag) -> None:
    """Flag the cups that a frame without a picture would have shown."""
    at_lane, at_cup, _ = _open(state, lane, cup)
    slot = _slots(state, at_lane, at_cup)
    state.flags[at_lane, slot] |= np.uint32(flags)
    state.n_missed[at_lane, slot] += 1


def flag_cut_off(state: TrackState, pulse: Pulse) -> set[tuple[int, int]]:
    """Flag the known cups that a picture at this pulse would have shown whole, were it there; their lane and serial."""
    course = state.course
    half = course.pulses_per_cup // 2
    left, entered = course.last_past(course.leaves - half, pulse), course.last_past(course.enters + half, pulse)
    lane, slot = np.nonzero((state.cup > left) & (state.cup <= entered))
    state.flags[lane, slot] |= np.uint32(Flag.FRAME_LOST)
    return set(zip(lane.tolist(), state.cup[lane, slot].tolist(), strict=True))


def flag_all(state: TrackState, flags: Flag) -> None:
    """Flag everything that is on its way. When the encoder is in doubt, so is which cup of the chain is which."""
    if flags & Flag.PULSE_JUMP:
        doubt_cups(state.scale, state.belt.pulse, state.events)
        state.seats.begin_anew_along()
    state.flags[state.cup != NO_CUP] |= np.uint32(flags)
    for said in state.said.values():
        said.flags |= flags


def close_seen(
    state: TrackState, camera: CameraPlace, settings: TrackSettings, combine: CombineSettings, *, all_cups: bool = False
) -> None:
    """Measure every cup that has left the picture: its views become one row, which waits for the decision.

    Where the picture reaches beyond the decision, what was seen until then has to do.
    """
    if state.belt.pulse is None:
        return
    left = state.course.last_past(min(state.course.leaves, state.course.decision), state.belt.pulse)
    lane, slot = np.nonzero(~state.seen & (state.cup != NO_CUP) & (all_cups | (state.cup <= left)))
    if not len(lane):
        return
    kept = _kept(state.n_views[lane, slot])
    code = state.occupancy[lane, slot]
    uncut = kept & (code != Occupancy.CUT)
    whole = uncut & (code != Occupancy.EMPTY)
    n_uncut, n_whole, n_cut = uncut.sum(axis=1), whole.sum(axis=1), (kept & ~uncut).sum(axis=1)
    shown = (n_whole >= settings.least_views) & (n_whole >= settings.occupied_share * n_uncut)
    missed = max(1, min(settings.enough_views, state.course.views))
    never_shown = (n_uncut == 0) & ((n_cut > 0) | (state.n_missed[lane, slot] >= missed))
    doubtful = never_shown | ((n_uncut < settings.least_views) & (n_whole > 0))
    narrowest_mm = state.views[lane, slot, :, VIEW_COLUMNS["callipers_mm"]].min(axis=2)
    slim = 2 * (whole & (narrowest_mm < settings.least_width_mm)).sum(axis=1) > n_whole
    # At the end of a recording what is slim and hardly seen comes to no scale; else it would have to be weighed.
    litter = slim & (n_whole < settings.enough_views) & (state.course.scale is not None)
    look = np.where(shown & ~slim, Look.FRUIT, np.where((shown | doubtful) & ~litter, Look.DOUBTFUL, Look.NOTHING))
    blank = (look == Look.NOTHING) | (n_whole == 0)
    state.look[lane, slot] = look
    state.flags[lane, slot] |= (
        _where(2 * (whole & (code == Occupancy.TOUCHING)).sum(axis=1) > n_whole, Flag.TOUCHING)
        | _where(blank, Flag.NOT_SEEN)
        | _where(~blank & (n_whole < settings.enough_views), Flag.FEW_VIEWS)
    )
    state.seen[lane, slot] = True
    fruit = ~blank
    if fruit.any():
        lane, slot = lane[fruit], slot[fruit]
        views, pulses, whole = state.views[lane, slot], state.view_pulse[lane, slot], whole[fruit]
        off = off_mm(views, pulses, whole, lane, state.cup[lane, slot], state.course)
        beside, far = out_of_place(off, whole, state.course, settings)
        near = whole & ~far  # what lay elsewhere in a view was perhaps its neighbour
        whole = np.where(near.any(axis=1)[:, None], near, whole)
        blurred = _blurred(views[:, :, VIEW_COLUMNS["sharpness"].start], whole, settings.blurred_share)
        whole = whole & ~blurred
        in_place = ~beside & whole.any(axis=1) & ((state.flags[lane, slot] & Flag.PULSE_JUMP) == 0)
        state.seats.see(seats_mm(off, whole)[in_place])
        values = combined(views, pulses, whole, camera, combine)
        state.measured[lane[:, None], slot[:, None], _OF_BODY] = np.stack(values, axis=1)
        state.flags[lane, slot] |= _where(beside, Flag.OUT_OF_PLACE)
        state.flags[lane, slot] |= _where(np.asarray(blurred.any(axis=1)), Flag.BLURRED)
        # Not by what single views look like: a leaf beside a fruit makes them wide, all of them together know better.
        state.flags[lane, slot] |= _where(values.diameter_mm > settings.oversize_mm, Flag.OVERSIZE)
        for row in range(len(lane)):  # a loop over the fruit of a row of cups: each is sent off by itself
            at = int(lane[row]), int(slot[row])
            state.skins.sight(*at, int(state.cup[at]), views[row], pulses[row], whole[row])


def _blurred(sharpness: NDArray[np.float32], whole: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """(n, v) which views have edges that are much less sharp than half of the fruit's other views have."""
    ordered = np.sort(np.where(whole, sharpness, np.inf), axis=1)
    usual = ordered[np.arange(len(ordered)), whole.sum(axis=1) // 2]
    return np.asarray(whole & (sharpness < share * np.where(np.isfinite(usual), usual, 0.0)[:, None]))


def join_maps(state: TrackState, maps: Sequence[MappedSkin]) -> None:
    """What maps say of skin, and of what is known better with them. Those that come too late are left."""
    for made in maps:
        at = made.lane, made.cup % state.course.slots
        if state.cup[at] != made.cup or not state.seen[at]:
            continue
        state.skins.mapped[at] = True
        if made.measures is None:
            state.flags[at] |= np.uint32(Flag.TURN_UNSURE)
        else:
            _take_skin(state, at, made.measures)


def _take_skin(state: TrackState, at: tuple[int, int], measures: SkinMeasures) -> None:
    *values, state.tones[at] = measures
    state.measured[at][_OF_SKIN] = values


_OF_BODY = [MEASURED.index(name) for name in Combined._fields]
_OF_SKIN = [MEASURED.index(name) for name in SkinMeasures._fields if name != "tones"]
_FOR_VIEWS = [MEASURED.index(name) for name in ("diameter_mm", "height_mm", "turn_deg")]
ByViews = Callable[[Sighting, float, float, float], SkinMeasures]
"""Of a fruit, its diameter_mm, height_mm and turn_deg."""


def decide(
    state: TrackState,
    installation: Installation,
    *,
    sugar: SugarModel | None,
    settings: TrackSettings,
    all_cups: bool = False,
    by_views: ByViews | None = None,
) -> FruitMeasurements:
    """Close every cup whose decision pulse has come: measurements of those that hold a fruit, lane by lane.

    all_cups: the others too, because the belt will not bring them. by_views: measures the skin of a fruit without a
    map. `close_seen` comes before. What is called blush is said later (`with_blush`).
    """
    lane, cup = _due(state, all_cups)
    if not len(lane):
        return _NO_FRUIT
    slot = cup % state.course.slots
    held = state.cup[lane, slot] == cup  # else only the sensors know of it
    look = np.where(held, state.look[lane, slot], Look.NOTHING)
    flags = np.where(held, state.flags[lane, slot], np.uint32(Flag.NOT_SEEN))
    said = [state.said.pop(key, _NOTHING_SAID) for key in zip(lane.tolist(), cup.tolist(), strict=True)]
    mapped = state.skins.mapped[lane, slot]
    shows_skin = held & (look != Look.NOTHING) & ((flags & Flag.NOT_SEEN) == 0)
    if state.maps_due:
        flags |= _where(shows_skin & ~mapped, Flag.NO_MAP)
    if by_views is not None:
        for row in np.flatnonzero(shows_skin & (~mapped | ((flags & Flag.TURN_UNSURE) != 0))):  # a loop: seldom any
            sighting = state.skins.undecided.get((int(lane[row]), int(cup[row])))
            if sighting is not None:
                at = int(lane[row]), int(slot[row])
                _take_skin(state, at, by_views(sighting, *state.measured[at][_FOR_VIEWS].tolist()))
    flags |= np.array([each.flags for each in said], np.uint32)
    empty = look == Look.NOTHING
    shown = held & (state.n_views[lane, slot] >= settings.enough_views) & ((flags & ~np.uint32(Flag.NOT_SEEN)) == 0)
    looks = Looks(fruit=look == Look.FRUIT, empty=empty, plainly_empty=empty & shown)
    measured = dict(zip(MEASURED, np.where(held[:, None], state.measured[lane, slot], np.nan).T, strict=True))
    tones = np.where(held[:, None, None], state.tones[lane, slot], np.float32(np.nan))
    mass_g, light, heavy = masses(state, lane, cup, said, looks, measured["volume_ml"], flags, settings)
    flags |= _where(shows_skin & np.isnan(tones[:, 0, 0]), Flag.NO_COLOUR)
    small = (measured["diameter_mm"] < settings.least_diameter_mm) & ((flags & Flag.OUT_OF_PLACE) != 0)
    plain = (look == Look.FRUIT) & ~(small & light)  # small, weightless and anywhere in its cup: litter
    rows = np.flatnonzero(plain | heavy | ((look == Look.DOUBTFUL) & ~light))
    seen, tones = {name: values[rows] for name, values in measured.items()}, tones[rows]
    scans = [said[row].scan for row in rows]
    _forget(state, lane[held], slot[held])

    lane, cup, flags, mass_g = lane[rows], cup[rows], flags[rows], mass_g[rows]
    np.maximum.at(state.decided, lane, cup)
    if installation.scale is not None:
        flags |= _where(np.isnan(mass_g), Flag.NO_WEIGHT)
    with np.errstate(invalid="ignore", divide="ignore"):
        density = mass_g / seen["volume_ml"]
        shape_index = seen["height_mm"] / seen["diameter_mm"]
    least, most = settings.density_g_per_ml
    unlikely = (density < least) | (density > most)
    flags |= _where(unlikely, Flag.UNLIKELY_SIZE)
    state.densities.see(lane, np.where(unlikely, np.nan, density))
    brix, brix_sd = sugars(state, lane, scans, flags, installation, sugar)
    known = {
        "mass_g": mass_g,
        "density_g_per_ml": density,
        "shape_index": shape_index,
        "ssc_brix": brix,
        "ssc_brix_sd": brix_sd,
        "hue_spread_deg": hue_spread_of(tones),
        **seen,
    }
    # Not by `unmeasured`, which takes 0.1 ms: this is called for every row of cups.
    values = dict.fromkeys(QUANTITIES, np.full(len(lane), np.nan)) | known
    return FruitMeasurements(lane=lane.astype(np.int16), cup=cup, flags=flags, tones=tones, **values)


_NO_FRUIT = FruitMeasurements.unmeasured(np.empty(0, np.int16), np.empty(0, np.int64))
_NOTHING_SAID = Said()


def _due(state: TrackState, all_cups: bool) -> tuple[Cups, Cups]:
    """Lane and cup of all that is to be closed, by lane, then cup; moves `passed` on."""
    course, pulse = state.course, state.belt.pulse
    if pulse is not None:
        state.passed = max(course.last_past(course.decision, pulse), course.first_cup - 1)
    lane, slot = np.nonzero((state.cup != NO_CUP) & (all_cups | (state.cup <= state.passed)))
    keys = set(zip(lane.tolist(), state.cup[lane, slot].tolist(), strict=True))
    keys.update(key for key in state.said if all_cups or key[1] <= state.passed)
    rows = np.array(sorted(keys), np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def _forget(state: TrackState, lane: Cups, slot: Cups) -> None:
    cup = state.cup[lane, slot]
    state.cup[lane, slot] = NO_CUP
    state.n_views[lane, slot] = 0
    state.n_missed[lane, slot] = 0
    state.views[lane, slot] = np.nan
    state.view_pulse[lane, slot] = NEVER
    state.flags[lane, slot] = 0
    state.seen[lane, slot] = False
    state.look[lane, slot] = Look.NOTHING
    state.measured[lane, slot] = np.nan
    state.tones[lane, slot] = np.nan
    state.skins.mapped[lane, slot] = False
    for key in zip(lane.tolist(), cup.tolist(), strict=True):
        state.skins.undecided.pop(key, None)


def _open(state: TrackState, lane: NDArray[np.int16], cup: Cups) -> tuple[Cups, Cups, NDArray[np.bool_]]:
    """Lane and cup of the rows that can still be told something, and which these are.

    The upper bound is never met by a believed frame; with it, no cup can take the slot of another that is on its way.
    """
    at_lane = lane.astype(np.int64)
    due = (cup > np.maximum(state.decided[at_lane], state.passed)) & (cup <= state.passed + state.course.slots)
    state.ignored_views += int((~due).sum())
    return at_lane[due], cup[due], due


def _slots(state: TrackState, lane: Cups, cup: Cups) -> Cups:
    """Slots of open cups, taken for those that are new."""
    slot = cup % state.course.slots
    state.cup[lane, slot] = cup
    return np.asarray(slot)


def _kept(n_views: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n, MOST_VIEWS): which places hold views, of cups that have so many."""
    return np.arange(MOST_VIEWS) < n_views[:, None]


def _where(rows: NDArray[np.bool_], flag: Flag) -> NDArray[np.uint32]:
    return np.where(rows, np.uint32(flag), np.uint32(0))
