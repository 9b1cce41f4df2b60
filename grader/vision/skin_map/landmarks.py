"""Which end of a fruit is the stem's, and how far its stalk sticks out.

An apple is broader towards its stem: of an outline about its own middle, the third harmonic about the stem-calyx axis
says on which side the shoulders are. Where a stalk sticks out between them, it says so more surely.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import CameraPlace
from grader.domain.skin import Portraits, Sighting
from grader.domain.views import VIEW_COLUMNS
from grader.vision.light import log_light
from grader.vision.portrait import sampled
from grader.vision.rays import RAY_ANGLES
from grader.vision.skin_map.grid import Floats, Values
from grader.vision.skin_map.mapper import MapSettings, SkinMap
from grader.vision.skin_map.placing import sights, turns

_LEAST_ACROSS = 0.6
"""Of the axis, as the view shows it: beyond 37 degrees towards the lens or away, the end lies before the body."""
_LEAST_VIEWS = 4
_BEYOND_PX, _BESIDE_PX = np.arange(1, 9), np.arange(-7, 8)
"""Where a stalk is looked for: pixels beyond the outline, and beside the axis."""
_NEAR = 3
"""Pixels beyond the outline in which a stalk that sticks out has to begin."""
_STALK = 0.7
"""Log light of a stalk above that of the belt beside it: simulated ones have 1.7, noise 0.6 in one of a hundred."""
_SURE = 0.9
"""Of simulated apples, nine in ten are so sure, and all of them right."""
_TAPER_ODDS, _STALK_ODDS = 700.0, 6.0
"""Log odds for a share of the radius and for log light: simulated Fuji and Gala have a third harmonic of 0.007, SD
0.0044."""


class Landmarks(NamedTuple):
    """stem: (3,) unit vector to its end in the frame of the map; the calyx is at the other one. sure: 0..1, where 0 is
    a guess. stalk_mm: as much as sticks out beyond the shoulders; 0 where none does: it is short, torn off or gone."""

    stem: Values
    sure: float
    stalk_mm: float

    @property
    def known(self) -> bool:
        """Whether people are told which end is which."""
        return self.sure > _SURE


def landmarks(sighting: Sighting, skin_map: SkinMap, camera: CameraPlace, settings: MapSettings) -> Landmarks | None:
    """None of a fruit that has no hollows to find."""
    if settings.hollow_deg == 0.0:
        return None
    along_mm, aside_mm = (
        sighting.views[:, VIEW_COLUMNS[name].start].astype(float) for name in ("along_mm", "aside_mm")
    )
    seen = sights(along_mm, aside_mm, camera.lens_above_mm) @ turns(skin_map.turned_rad)
    axis = (seen @ skin_map.body.axis)[:, :2]  # (v, 2) in the picture
    portraits, across = sighting.portraits, np.hypot(axis[:, 0], axis[:, 1])
    weight = across**2
    shape = portraits.radius_px / portraits.radius_px.mean(axis=1, keepdims=True)
    third = 2.0 * (shape * np.cos(3.0 * (RAY_ANGLES - np.arctan2(axis[:, 1], axis[:, 0])[:, None]))).mean(axis=1)
    broader = -float((weight * third).sum() / max(weight.sum(), 1e-9))
    shown = across > _LEAST_ACROSS
    one, other = (_beyond(portraits, way * axis / np.maximum(across, 1e-9)[:, None], shown) for way in (1, -1))
    odds = _TAPER_ODDS * broader + _STALK_ODDS * float(one[:_NEAR].mean() - other[:_NEAR].mean())
    sticks_out = np.append(one if odds > 0 else other, 0.0) > _STALK
    mm_per_px = skin_map.radius_mm / float(np.median(portraits.radius_px))
    return Landmarks(
        stem=skin_map.body.axis * (1.0 if odds > 0 else -1.0),
        sure=abs(float(np.tanh(odds / 2.0))),
        stalk_mm=float(np.argmin(sticks_out)) * mm_per_px,
    )


def _beyond(portraits: Portraits, ways: Values, shown: NDArray[np.bool_]) -> Values:
    """(pixels beyond the outline,) how much lighter than its surroundings the lightest thing is there, median of the
    views that show that end aside; 0 with too few of them. ways: (v, 2) unit vectors in the picture."""
    if np.count_nonzero(shown) < _LEAST_VIEWS:
        return np.zeros(len(_BEYOND_PX))
    angle = np.arctan2(ways[:, 1], ways[:, 0])
    edge = np.array(
        [np.interp(a, RAY_ANGLES, r, period=2 * np.pi) for a, r in zip(angle, portraits.radius_px, strict=True)]
    )
    out = (edge[:, None] + _BEYOND_PX)[:, :, None]
    x, y = (portraits.centre_px[:, i, None, None] + ways[:, i, None, None] * out for i in (0, 1))
    x, y = x - ways[:, 1, None, None] * _BESIDE_PX, y + ways[:, 0, None, None] * _BESIDE_PX
    red = log_light(sampled(portraits, x.astype(np.float32), y.astype(np.float32)))[..., 2].reshape(x.shape)
    lighter: Floats = (red - np.median(red, axis=2, keepdims=True)).max(axis=2)
    return np.asarray(np.median(lighter[shown], axis=0), np.float64)
