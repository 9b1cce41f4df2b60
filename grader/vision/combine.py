"""Many views of a fruit into one measurement of it, weighted by the skin that each view shows."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import CameraPlace
from grader.domain.views import VIEW_COLUMNS
from grader.vision.axis import LieSettings, lies, outline_trust
from grader.vision.face import SEEN_DEG
from grader.vision.form import Form, forms, forms_by_views
from grader.vision.geometry import nearer_by, nominal_turn
from grader.vision.size import calliper_directions
from grader.vision.width_map import quantile

Values = NDArray[np.float64]


class CombineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How views are weighed against each other.

    lie: how fruit lie and turn on this line.
    doubtful_hollow: a view counts half for size when so much of its outline's hull is empty: what fills the rest is not
    fruit alone. Fruit have 0.002 to 0.007, fruit with a leaf beside them 0.03 and more.
    size_offset_mm: added to diameter and height, from calibration against bodies of known size.
    hollow_share: of the volume within a fruit's outline, what its stem cavity and calyx basin take; see `settings_for`.
    turn_doubt: standard error, as a share of the turn, up to which a turn that was seen is believed.
    least_skin: of a whole face; a view that shows less says nothing about colour.
    """

    lie: LieSettings = LieSettings()
    doubtful_hollow: float = 0.006
    size_offset_mm: float = 0.0
    hollow_share: float = 0.0
    turn_doubt: float = 0.05
    least_skin: float = 0.2


_HOLLOW_SHARE = {"apple": 0.012}
"""Of fruit that have hollows; the others, kiwifruit and citrus among them, are whole."""


def settings_for(fruit: str) -> CombineSettings:
    """Settings for a kind of fruit, named as in `Installation.fruit`."""
    return CombineSettings(hollow_share=_HOLLOW_SHARE.get(fruit, 0.0))


class Combined(NamedTuple):
    """A row per fruit, (n,) float64; NaN where no view served. Names and units as in `FruitMeasurements`.

    turn_deg: without its sense; NaN where outlines leave it in doubt.
    """

    diameter_mm: Values
    height_mm: Values
    volume_ml: Values
    blush_fraction: Values
    ground_hue_deg: Values
    defect_area_mm2: Values
    defect_count: Values
    largest_defect_mm2: Values
    defect_fraction: Values
    roundness: Values
    skin_seen: Values
    turn_deg: Values


class Skin(NamedTuple):
    """What views say of skin: those of `Combined` that are not of the body."""

    blush_fraction: Values
    ground_hue_deg: Values
    defect_area_mm2: Values
    defect_count: Values
    largest_defect_mm2: Values
    defect_fraction: Values
    skin_seen: Values


class _Body(NamedTuple):
    """What all outlines of a fruit say: lengths as in `Combined`; its turn per pulse, nominal where it was not seen for
    certain, NaN where that is not stated; and the turn from frame to frame where it was."""

    diameter_mm: Values
    height_mm: Values
    volume_ml: Values
    roundness: Values
    turn_rad_per_pulse: Values
    turn_deg: Values


def combined(
    views: NDArray[np.float32],
    pulses: NDArray[np.int64],
    whole: NDArray[np.bool_],
    camera: CameraPlace,
    settings: CombineSettings,
) -> Combined:
    """Measurements of n fruit from up to v views each.

    views: (n, v, VIEW_WIDTH) float32, each laid out as `VIEW_COLUMNS` says; pulses: (n, v) int64; whole: (n, v) bool,
    views that count.
    """
    most = int(np.max(np.flatnonzero(whole.any(axis=0)), initial=0)) + 1  # room is kept for more views than come
    views, pulses, whole = views[:, :most], pulses[:, :most], whole[:, :most]
    value = {
        name: np.where(whole, views[:, :, at.start], np.nan).astype(np.float64)
        for name, at in VIEW_COLUMNS.items()
        if at.stop - at.start == 1
    }
    callipers_mm = np.where(whole[:, :, None], views[:, :, VIEW_COLUMNS["callipers_mm"]], np.nan).astype(np.float64)
    body = _body(callipers_mm, value, pulses, camera, settings)
    turn = (pulses - pulses[:, :1]) * body.turn_rad_per_pulse[:, None]

    skin = skin_of(value, turn, whole, spheroid_area_mm2(body.diameter_mm, body.height_mm), settings)
    return Combined(
        diameter_mm=body.diameter_mm,
        height_mm=body.height_mm,
        volume_ml=body.volume_ml,
        roundness=body.roundness,
        turn_deg=body.turn_deg,
        **skin._asdict(),
    )


def skin_of(
    value: dict[str, Values], turn: Values, whole: NDArray[np.bool_], area_mm2: Values, settings: CombineSettings
) -> Skin:
    """The skin of n fruit from v views each.

    value: by name in `ViewFeatures`, (n, v), NaN where a view does not count. turn: (n, v) rad from the first view, NaN
    where it is not known. whole: (n, v) bool. area_mm2: (n,) of all its skin.
    """
    weight = np.where(whole & (value["skin_weight"] >= settings.least_skin), _turn_weights(turn, whole), 0.0)
    skin = _sum(weight, value["skin_weight"])
    faces = weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        blush = np.where(skin > 0, _sum(weight, value["blush_weight"]) / skin, np.nan)
        ground = _sum(weight, value["ground_weight"])
        hue = np.where(ground > 0.02 * faces, _sum(weight, value["ground_hue_sum_deg"]) / ground, np.nan)
        dark = np.where(faces > 0, _sum(weight, value["dark_weight"]) / faces, np.nan)
        spots = np.where(faces > 0, np.rint(_sum(weight, value["dark_spots"]) / faces), np.nan)
    largest, area = quantile(value["largest_dark_mm2"], 0.9), dark * area_mm2
    return Skin(
        blush_fraction=blush,
        ground_hue_deg=hue,
        defect_area_mm2=area,
        defect_count=spots,
        largest_defect_mm2=np.where(np.isnan(area), np.nan, np.minimum(largest, area)),
        defect_fraction=dark,
        skin_seen=_skin_seen(turn, whole),
    )


def _body(
    callipers_mm: Values,
    value: dict[str, Values],
    pulses: NDArray[np.int64],
    camera: CameraPlace,
    settings: CombineSettings,
) -> _Body:
    """Sizes and turn of n fruit from the callipers (n, v, k) of their outlines; NaN where a view does not count."""
    if camera.turn_deg_per_pulse is None:
        unknown = np.full(len(callipers_mm), np.nan)
        form = forms_by_views(value["widest_mm"], callipers_mm, value["area_mm2"])
        return _at_true_height(form, unknown, unknown, camera, settings)
    trust = outline_trust(value["hollow"], settings.doubtful_hollow)
    trust = np.where(np.isfinite(trust) & np.isfinite(callipers_mm).all(axis=2), trust, 0.0)
    along_mm, aside_mm = np.nan_to_num(value["along_mm"]), np.nan_to_num(value["aside_mm"])
    towards = calliper_directions(along_mm, aside_mm, camera.lens_above_mm)
    nominal = nominal_turn(camera.turn_deg_per_pulse, quantile(value["widest_mm"], 0.5))
    lie = lies(callipers_mm, towards, pulses, trust, nominal, settings.lie)
    form = forms(callipers_mm, lie.towards, lie.axis, lie.trust)
    certain = lie.turn_doubt <= settings.turn_doubt
    turn_deg = np.where(certain, np.degrees(lie.turn_rad_per_pulse) * camera.pulses_per_frame, np.nan)
    return _at_true_height(form, np.where(certain, lie.turn_rad_per_pulse, nominal), turn_deg, camera, settings)


def _at_true_height(
    form: Form, turn_rad_per_pulse: Values, turn_deg: Values, camera: CameraPlace, settings: CombineSettings
) -> _Body:
    """Lengths as measured at the reference height, at the height where the fruit really is."""
    nearer = nearer_by(camera, form.diameter)
    diameter = form.diameter * nearer + settings.size_offset_mm
    grown = diameter / form.diameter
    return _Body(
        diameter_mm=diameter,
        height_mm=form.height * nearer + settings.size_offset_mm,
        volume_ml=(1.0 - settings.hollow_share) * form.volume * grown**3 * 1e-3,
        roundness=form.narrowest / form.diameter,
        turn_rad_per_pulse=turn_rad_per_pulse,
        turn_deg=turn_deg,
    )


def spheroid_area_mm2(diameter_mm: Values, height_mm: Values) -> Values:
    """Surface of a spheroid with an equator of diameter_mm and an axis of height_mm, not longer than it.

    2 pi a^2 (1 + (1 - e^2) / e * artanh e), e^2 = 1 - c^2 / a^2 (oblate spheroid, any handbook).
    """
    a, c = diameter_mm / 2, np.minimum(height_mm, diameter_mm) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        e = np.sqrt(np.maximum(1 - (c / a) ** 2, 1e-12))
        return np.asarray(2 * np.pi * a**2 * (1 + (1 - e**2) / e * np.arctanh(e)))


def _turn_weights(turn: Values, whole: NDArray[np.bool_]) -> Values:
    """How much of a fruit's girth each view speaks for, in rad: half of the way to the views before and after it, at
    either end half of what no view looks straight at, and never farther than a view sees. Divided by how often its face
    came by: skin that a second turn shows again counts once.

    turn: (n, v) rad from the first view; where it is not known, all views count the same.
    """
    turn = np.where(whole, turn, np.nan)
    with np.errstate(invalid="ignore"):
        first, last = _least(turn, np.inf), -_least(-turn, np.inf)
        step = (last - first) / np.maximum(whole.sum(axis=1) - 1, 1)
        again = np.floor((last[:, None] + step[:, None] / 2 - turn) / (2 * np.pi))
        before = np.floor((turn - first[:, None] + step[:, None] / 2) / (2 * np.pi))
        at_the_ends = np.maximum(2 * np.pi - (last - first), step) / 2
    times = 1.0 + np.maximum(again, 0) + np.maximum(before, 0)
    order = np.argsort(turn, axis=1)  # views that do not count come last
    between = np.diff(np.take_along_axis(turn, order, axis=1), axis=1) / 2
    reach = np.repeat(at_the_ends[:, None], turn.shape[1] + 1, axis=1)
    reach[:, 1:-1] = np.where(np.isnan(between), reach[:, 1:-1], between)
    reach = np.minimum(reach, np.radians(SEEN_DEG))
    weight = np.empty_like(turn)
    np.put_along_axis(weight, order, reach[:, :-1] + reach[:, 1:], axis=1)
    weight /= times
    return np.where(whole, np.where(np.isfinite(weight), weight, 1.0), 0.0)


def _skin_seen(turn: Values, whole: NDArray[np.bool_]) -> Values:
    """Share of a ball's skin shown at SEEN_DEG or less; NaN where the turn is not known."""
    known = np.isfinite(turn).any(axis=1)
    turn = np.where(whole, turn, np.nan)
    with np.errstate(invalid="ignore"):
        angle = -_least(-turn, np.inf) - _least(turn, np.inf) + 2 * np.radians(SEEN_DEG)
    seen = np.minimum(angle / (2 * np.pi), 1.0) * np.sin(np.radians(SEEN_DEG))
    return np.where(whole.any(axis=1), np.where(known, seen, np.nan), 0.0)


def _least(values: Values, empty: float) -> Values:
    return np.asarray(np.min(np.where(np.isnan(values), empty, values), axis=1))


def _sum(weight: Values, values: Values) -> Values:
    return np.asarray(np.einsum("nv,nv->n", weight, np.where(np.isnan(values), 0.0, values)))
