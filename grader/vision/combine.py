"""Many views of a fruit into one measurement of its body."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import CameraPlace
from grader.domain.views import VIEW_COLUMNS
from grader.vision.axis import LieSettings, lies, outline_trust
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
    """

    lie: LieSettings = LieSettings()
    doubtful_hollow: float = 0.006
    size_offset_mm: float = 0.0
    hollow_share: float = 0.0
    turn_doubt: float = 0.05


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
    roundness: Values
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
    if camera.turn_deg_per_pulse is None:
        form = forms_by_views(value["widest_mm"], callipers_mm, value["area_mm2"])
        return _at_true_height(form, np.full(len(callipers_mm), np.nan), camera, settings)
    trust = outline_trust(value["hollow"], settings.doubtful_hollow)
    trust = np.where(np.isfinite(trust) & np.isfinite(callipers_mm).all(axis=2), trust, 0.0)
    along_mm, aside_mm = np.nan_to_num(value["along_mm"]), np.nan_to_num(value["aside_mm"])
    towards = calliper_directions(along_mm, aside_mm, camera.lens_above_mm)
    nominal = nominal_turn(camera.turn_deg_per_pulse, quantile(value["widest_mm"], 0.5))
    lie = lies(callipers_mm, towards, pulses, trust, nominal, settings.lie)
    form = forms(callipers_mm, lie.towards, lie.axis, lie.trust)
    certain = lie.turn_doubt <= settings.turn_doubt
    turn_deg = np.where(certain, np.degrees(lie.turn_rad_per_pulse) * camera.pulses_per_frame, np.nan)
    return _at_true_height(form, turn_deg, camera, settings)


def _at_true_height(form: Form, turn_deg: Values, camera: CameraPlace, settings: CombineSettings) -> Combined:
    """Lengths as measured at the reference height, at the height where the fruit really is."""
    nearer = nearer_by(camera, form.diameter)
    diameter = form.diameter * nearer + settings.size_offset_mm
    grown = diameter / form.diameter
    return Combined(
        diameter_mm=diameter,
        height_mm=form.height * nearer + settings.size_offset_mm,
        volume_ml=(1.0 - settings.hollow_share) * form.volume * grown**3 * 1e-3,
        roundness=form.narrowest / form.diameter,
        turn_deg=turn_deg,
    )
