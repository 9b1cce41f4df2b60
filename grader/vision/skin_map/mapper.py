"""From the views of one fruit to the map of its skin."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

from grader.domain.installation import CameraPlace
from grader.domain.skin import Sighting
from grader.domain.views import MOST_VIEWS, VIEW_COLUMNS
from grader.vision.axis import LieSettings, from_middle, lies_turning
from grader.vision.face import FaceSampler
from grader.vision.form import forms
from grader.vision.geometry import REFERENCE_DIAMETER_MM
from grader.vision.portrait import on_one_strip
from grader.vision.size import calliper_directions
from grader.vision.skin_map.blend import Blend, blended
from grader.vision.skin_map.grid import Spheroid, Values
from grader.vision.skin_map.placing import placed, sights
from grader.vision.skin_map.slip import slips
from grader.vision.skin_map.turn import Turn, turn_seen

_USUAL_TURN_DEG = 22.5
"""From frame to frame where nobody says how fast fruit turn: sixteen frames show all of it."""


class MapSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a map is believed.

    lie: how fruit lie and turn on this line. least_views: with fewer there is no map. least_likeness, least_lead: of a
    turn that is sure (`Turn`); views that are not of one fruit have a likeness of 0.16 and less.
    doubtful_hollow: as in `CombineSettings`. hollow_deg: how far from the stem-calyx axis stem cavity and calyx basin
    reach, which are no skin; see `map_settings_for`.
    """

    lie: LieSettings = LieSettings()
    least_views: int = 6
    least_likeness: float = 0.3
    least_lead: float = 0.02
    doubtful_hollow: float = 0.006
    hollow_deg: float = 0.0


_HOLLOW_DEG = {"apple": 18.0}
"""Of fruit that have hollows: half as wide as they look, for skin reaches down into them."""


def map_settings_for(fruit: str) -> MapSettings:
    """Settings for a kind of fruit, named as in `Installation.fruit`."""
    return MapSettings(hollow_deg=_HOLLOW_DEG.get(fruit, 0.0))


class SkinMap(NamedTuple):
    """The skin of one fruit, in the frame of `grid`. turned_rad: (v,) in each view, from the middle one on."""

    body: Spheroid
    turn: Turn
    turned_rad: Values
    skin: Blend


class SkinMapper:
    """Maps fruit that one camera saw, one after the other."""

    def __init__(self, camera: CameraPlace, settings: MapSettings = MapSettings()) -> None:
        self._camera, self._settings = camera, settings
        self._faces = FaceSampler(MOST_VIEWS)

    def map(self, sighting: Sighting) -> SkinMap | None:
        """The map of one fruit; None where it cannot be told how it turned."""
        camera, settings = self._camera, self._settings
        pulses, views, portraits = sighting.pulses, sighting.views, sighting.portraits
        if len(pulses) < settings.least_views:
            return None
        along_mm, aside_mm, widest_mm, hollow = (
            views[:, VIEW_COLUMNS[name].start].astype(np.float64)
            for name in ("along_mm", "aside_mm", "widest_mm", "hollow")
        )
        sight = sights(along_mm, aside_mm, camera.lens_above_mm)
        nominal = _nominal(camera, float(np.median(widest_mm)))
        ahead = np.arctan2(-sight[:, 2, 0], sight[:, 2, 2])
        turn = turn_seen(self._faces.sample(*on_one_strip(portraits), portraits.radius_px), pulses, ahead, nominal)
        if turn.likeness < settings.least_likeness or turn.lead < settings.least_lead:
            return None
        trust = 1.0 / (1.0 + (np.maximum(hollow, 0.0) / settings.doubtful_hollow) ** 2)
        turned = turn.rad_per_pulse * from_middle(pulses[None], trust[None] > 0)[0]
        widths_mm = views[None, :, VIEW_COLUMNS["callipers_mm"]].astype(np.float64)
        towards = calliper_directions(along_mm, aside_mm, camera.lens_above_mm)[None]
        axis, towards, believed = lies_turning(widths_mm, towards, turned[None], trust[None], settings.lie)
        form = forms(widths_mm, towards, axis, believed)
        body = Spheroid(axis[0], float(np.clip(form.height[0] / form.diameter[0], 0.6, 1.4)))
        turned += slips(portraits, body, turned, sight)
        at = placed(body, turned, sight, portraits.centre_px, portraits.radius_px)
        return SkinMap(body, turn, turned, blended(portraits, at))


def _nominal(camera: CameraPlace, diameter_mm: float) -> float:
    """Turn in rad per pulse of a fruit of that size."""
    if camera.turn_deg_per_pulse is None:
        return float(np.radians(_USUAL_TURN_DEG / camera.pulses_per_frame))
    return float(np.radians(camera.turn_deg_per_pulse) * REFERENCE_DIAMETER_MM / diameter_mm)
