"""From the views of one fruit to the map of its skin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from grader.domain.installation import CameraPlace
from grader.domain.skin import Sighting
from grader.domain.views import MOST_VIEWS, N_CALLIPERS, VIEW_COLUMNS
from grader.vision.axis import LieSettings, lies_turning, outline_trust
from grader.vision.face import FaceSampler
from grader.vision.form import forms
from grader.vision.geometry import REFERENCE_DIAMETER_MM, nearer_by, nominal_turn
from grader.vision.portrait import on_one_strip
from grader.vision.size import calliper_directions
from grader.vision.skin_map.blend import Blend, blended
from grader.vision.skin_map.grid import Spheroid, Values
from grader.vision.skin_map.placing import placed, sights
from grader.vision.skin_map.slip import slips
from grader.vision.skin_map.spots import SkinSpotSettings
from grader.vision.skin_map.turn import Turn, turn_seen

_RATIOS = (0.6, 1.4)
"""Height over diameter: beyond, an outline is not that of a fruit alone."""
_HEIGHTS = (0.4, 2.0)
"""The same, where it is measured and not mapped: nothing on a grading line is flatter or longer."""
_FULL = (0.8, 1.4)
"""Volume over that of the spheroid: the same."""
_AGREED = (0.5, 0.7)
"""Share of widths that agree on one body: with less its axis is anywhere, with more it is known to two degrees. Of
turning fruit 0.7 to 0.93 do, of photographs that were cut out and centred one by one 0.4 to 0.65."""
_USUAL_TURN_DEG = 22.5
"""From frame to frame where nobody says how fast fruit turn: sixteen frames show all of it."""
_USUAL_NEARNESS = 0.1
"""Radius of a fruit over its distance from a lens of which nobody says where it is: hardly any is telecentric, and one
on a stand is some ten radii away."""


class MapSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a map is believed.

    lie: how fruit lie and turn on this line. spots: which dark skin is a spot. least_views: with fewer there is no map.
    least_likeness, least_lead, least_across: of a sure turn (`Turn`), the last as a share of its likeness. Shuffled
    views have a likeness of 0.16 and less; where the next fruit came into the cup, nine in ten have a share of less
    than that. unlikely: of turns that are not the line's, see `turn_seen`. Where nobody says how fast fruit turn on the
    line, a fruit must have turned by least_turned_deg while it was seen, so that its skin nearly meets itself again.
    fine_marks: pores tell the turn, too, as they have to where there is no blush: see `turn_seen`.
    doubtful_hollow: as in `CombineSettings`. hollow_deg: how far from the stem-calyx axis stem cavity and calyx basin
    reach, which are no skin; see `map_settings_for`.
    """

    lie: LieSettings = LieSettings()
    spots: SkinSpotSettings = SkinSpotSettings()
    least_views: int = 6
    least_likeness: float = 0.3
    least_lead: float = 0.015
    least_across: float = 0.75
    unlikely: float = 0.02
    least_turned_deg: float = 320.0
    fine_marks: bool = False
    doubtful_hollow: float = 0.006
    hollow_deg: float = 0.0


_HOLLOW_DEG = {"apple": 25.0}
"""Of fruit that have hollows, with the shade of their rims."""


_OF_ONE_COLOUR = ("citrus", "kiwifruit")
"""Of simulated ones nine in ten turns are seen by their pores, six in ten without; wrong ones have less of a lead, and
shuffled views a likeness below 0.05."""


def map_settings_for(fruit: str) -> MapSettings:
    """Settings for a kind of fruit, named as in `Installation.fruit`."""
    if fruit in _OF_ONE_COLOUR:
        return MapSettings(fine_marks=True, least_likeness=0.07, least_lead=0.03, least_across=0.7, unlikely=0.005)
    return MapSettings(hollow_deg=_HOLLOW_DEG.get(fruit, 0.0))


class SkinMap(NamedTuple):
    """The skin of one fruit, in the frame of `grid`.

    radius_mm: of the equator. height_mm: along the axis. fullness: area of its skin over that of the spheroid.
    axis_sure: 0..1, how far its outlines are those of one body about that axis. turned_rad: (v,) in each view, from the
    middle one on.
    """

    body: Spheroid
    radius_mm: float
    height_mm: float
    fullness: float
    axis_sure: float
    turn: Turn
    turned_rad: Values
    skin: Blend


class _Turning(NamedTuple):
    """How one fruit turned, evenly, and how its v views looked at it: turned_rad (v,), sight and towards as of `sights`
    and `calliper_directions`."""

    turn: Turn
    turned_rad: Values
    sight: Values
    towards: Values


class _Body(NamedTuple):
    """The first five of `SkinMap`."""

    spheroid: Spheroid
    radius_mm: float
    height_mm: float
    fullness: float
    axis_sure: float


class SkinMapper:
    """Maps fruit that one camera saw."""

    def __init__(self, camera: CameraPlace, settings: MapSettings = MapSettings()) -> None:
        self._camera, self._settings = camera, settings
        self._faces = FaceSampler(MOST_VIEWS, self._nearness(REFERENCE_DIAMETER_MM / 2))

    def _nearness(self, radius_mm: float) -> float:
        """Of a fruit, over its distance from the lens."""
        lens_mm = self._camera.lens_above_mm
        return _USUAL_NEARNESS if lens_mm is None else radius_mm / lens_mm

    def map(self, sightings: Sequence[Sighting]) -> list[SkinMap | None]:
        """The map of each fruit; None where it cannot be told how it turned."""
        turning = [(sighting, turning) for sighting in sightings if (turning := self._turning(sighting)) is not None]
        bodies = iter(self._bodies(turning) if turning else ())
        known = {id(sighting): turning for sighting, turning in turning}
        return [
            self._laid(sighting, known[id(sighting)], next(bodies)) if id(sighting) in known else None
            for sighting in sightings  # a loop over fruit: the views of one fill the cache
        ]

    def _turning(self, sighting: Sighting) -> _Turning | None:
        camera, settings, portraits = self._camera, self._settings, sighting.portraits
        if len(sighting.pulses) < settings.least_views:
            return None
        along_mm, aside_mm, widest_mm = (
            sighting.views[:, VIEW_COLUMNS[name].start].astype(np.float64)
            for name in ("along_mm", "aside_mm", "widest_mm")
        )
        sight = sights(along_mm, aside_mm, camera.lens_above_mm)
        ahead = np.arctan2(-sight[:, 2, 0], sight[:, 2, 2])
        deg_per_pulse = camera.turn_deg_per_pulse or _USUAL_TURN_DEG / camera.pulses_per_frame
        nominal = float(nominal_turn(deg_per_pulse, np.median(widest_mm)))
        faces = self._faces.sample(*on_one_strip(portraits), portraits.radius_px)
        known = camera.turn_deg_per_pulse is not None
        unlikely = settings.unlikely if known else 0.0
        turn = turn_seen(faces, sighting.pulses, ahead, nominal, unlikely=unlikely, fine=settings.fine_marks)
        least_across = settings.least_across * turn.likeness
        if turn.likeness < settings.least_likeness or turn.lead < settings.least_lead or turn.across < least_across:
            return None
        seen_for = sighting.pulses[-1] - sighting.pulses[0] + camera.pulses_per_frame
        if not known and np.degrees(abs(turn.rad_per_pulse)) * seen_for < settings.least_turned_deg:
            return None
        middle = sighting.pulses[0] + (sighting.pulses[-1] - sighting.pulses[0]) // 2
        towards = calliper_directions(along_mm, aside_mm, camera.lens_above_mm)
        return _Turning(turn, turn.rad_per_pulse * (sighting.pulses - middle), sight, towards)

    def _bodies(self, turning: Sequence[tuple[Sighting, _Turning]]) -> list[_Body]:
        """Of all fruit together, by their outlines: these arrays are small."""
        n, most = len(turning), max(len(sighting.pulses) for sighting, _ in turning)
        widths_mm, towards = np.ones((n, most, N_CALLIPERS)), np.zeros((n, most, N_CALLIPERS, 3))
        towards[..., 1] = 1.0
        turned, trust = np.zeros((n, most)), np.zeros((n, most))
        for row, (sighting, its) in enumerate(turning):
            views = len(sighting.pulses)
            hollow = sighting.views[:, VIEW_COLUMNS["hollow"].start].astype(np.float64)
            widths_mm[row, :views] = sighting.views[:, VIEW_COLUMNS["callipers_mm"]]
            towards[row, :views], turned[row, :views] = its.towards, its.turned_rad
            trust[row, :views] = outline_trust(hollow, self._settings.doubtful_hollow)
        axis, towards, believed = lies_turning(widths_mm, towards, turned, trust, self._settings.lie)
        form = forms(widths_mm, towards, axis, believed)
        ratio = np.clip(form.height / form.diameter, *_RATIOS)
        # Bodies alike but for their size have areas as the volumes' powers of two thirds.
        fullness = np.clip(form.volume / (np.pi / 6.0 * ratio * form.diameter**3), *_FULL) ** (2.0 / 3.0)
        agreed = believed.sum(axis=(1, 2)) / np.maximum(trust.sum(axis=1) * N_CALLIPERS, 1e-9)
        sure = np.clip((agreed - _AGREED[0]) / (_AGREED[1] - _AGREED[0]), 0.0, 1.0)
        nearer = nearer_by(self._camera, form.diameter)
        height = np.clip(form.height / form.diameter, *_HEIGHTS) * form.diameter
        numbers = np.stack([form.diameter * nearer / 2.0, height * nearer, fullness, sure], axis=1).tolist()
        return [_Body(Spheroid(axis[row], float(ratio[row])), *numbers[row]) for row in range(n)]

    def _laid(self, sighting: Sighting, its: _Turning, of_fruit: _Body) -> SkinMap:
        portraits, body = sighting.portraits, of_fruit.spheroid
        nearness = self._nearness(of_fruit.radius_mm)
        turned_rad = its.turned_rad + slips(portraits, body, its.turned_rad, its.sight, nearness)
        at = placed(body, turned_rad, its.sight, portraits.centre_px, portraits.radius_px, nearness=nearness)
        return SkinMap(*of_fruit, its.turn, turned_rad, blended(portraits, at))
