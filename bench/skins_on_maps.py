"""Spots and stripes that were found on maps of skin, against what the simulated line had painted on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.domain.skin import Sighting
from grader.vision.skin_map.blend import Blend
from grader.vision.skin_map.grid import DIRECTIONS
from grader.vision.skin_map.mapper import SkinMap, SkinMapper, map_settings_for
from grader.vision.skin_map.measures import spots_on
from grader.vision.skin_map.regions import connected, grown
from grader.vision.skin_map.spots import Spots
from grader.vision.skin_map.stripes import stripe_contrast
from hardware.sim.line import SimulatedLine
from hardware.sim.motion import Ride
from hardware.sim.reference import CAMERA, PULSES_PER_CUP, PULSES_PER_FRAME
from hardware.sim.skin import N_LAT, N_LON

LEAST_MM2 = 20.0
"""Smaller lesions are no error when they are not found, and none when they are."""
_PART = 0.5
"""Share of a cell that a lesion takes at least to be there."""
_CELLS_OF_SKIN = 5
"""Cells of the painted skin, along and across, to one of a map."""

Grid = NDArray[np.int64]


@dataclass(frozen=True)
class Painted:
    """What was painted, cell by cell of a map: lesion, number of a lesion from 1 on, 0 for none; skin, outside hollows;
    light, what it reflects of blue, green, red. area_mm2: true area of each lesion on skin. stem: (3,) towards it."""

    lesion: Grid
    skin: NDArray[np.bool_]
    light: NDArray[np.float32]
    area_mm2: tuple[float, ...]
    stem: NDArray[np.float64]

    @property
    def stripe_contrast(self) -> float:
        """As it is measured, of what was painted."""
        seen = np.ones(self.skin.shape, np.float32)
        return stripe_contrast(Blend(self.light, seen, 0 * seen, seen > 0), self.stem)


@dataclass
class SkinJudge:
    """Maps what a replay shows it once more, and compares. Counts over all fruit so far; a lesion is one, or several
    that touch, of LEAST_MM2 and more, that lies wholly on skin that was seen.

    lesions, found, twice: how many, and with one spot or more, or with more than one. area_off: of those with one spot
    of their own, its area over the true one, less 1. sound, sound_with_spot: fruit without lesions. unmapped: fruit.
    stripes: of every fruit that was mapped, the contrast of those that were painted and of those that were found.
    """

    line: SimulatedLine
    lesions: int = 0
    found: int = 0
    twice: int = 0
    area_off: list[float] = field(default_factory=list)
    sound: int = 0
    sound_with_spot: int = 0
    unmapped: int = 0
    stripes: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        installation = self.line.installation
        self._settings = map_settings_for(installation.fruit)
        self._mapper = SkinMapper(installation.cameras[CAMERA], self._settings)

    def see(self, sightings: Sequence[Sighting]) -> None:
        """To be shown every fruit of a recording of the line."""
        for sighting, skin_map in zip(sightings, self._mapper.map(sightings), strict=True):
            if skin_map is None:
                self.unmapped += 1
                continue
            painted = painted_on(self.line, sighting, skin_map)
            self._compare(painted, spots_on(skin_map, self._settings), skin_map.skin.seen)
            self.stripes.append((painted.stripe_contrast, stripe_contrast(skin_map.skin, skin_map.body.axis)))

    def _compare(self, painted: Painted, spots: Spots, seen: NDArray[np.bool_]) -> None:
        if not painted.area_mm2:
            self.sound += 1
            self.sound_with_spot += bool(len(spots.area_mm2))
            return
        groups, n = connected(painted.lesion > 0)
        met = [set(np.unique(spots.labels[grown(groups == group)]).tolist()) - {0} for group in range(n)]
        for group in range(1, n):
            there = groups == group
            lesions = set(np.unique(painted.lesion[there]).tolist())
            true_mm2 = sum(painted.area_mm2[lesion - 1] for lesion in lesions)
            around = grown(there)
            if not there.any() or true_mm2 < LEAST_MM2 or not (seen & painted.skin)[around].all():
                continue
            self.lesions += 1
            self.found += bool(met[group])
            self.twice += len(met[group]) > 1
            if len(met[group]) == 1 and sum(bool(met[group] & other) for other in met[1:]) == 1:
                (spot,) = met[group]
                self.area_off.append(float(spots.area_mm2[spot - 1]) / true_mm2 - 1.0)


def painted_on(line: SimulatedLine, sighting: Sighting, skin_map: SkinMap) -> Painted:
    """The lesions of a fruit on its map. Where the body lies under the map is known from how it rode."""
    passage = line.passage_of(sighting.lane, sighting.cup)
    if passage is None:
        raise ValueError(f"lane {sighting.lane} cup {sighting.cup} is empty")
    fruit, ride = passage
    body, skin, lesions = fruit.painted()
    lies = body_under(ride, sighting, skin_map)
    points_mm = DIRECTIONS @ (skin_map.radius_mm * skin_map.body.stretch()) @ lies + (0.0, 0.0, body.middle_mm)
    theta = np.arccos(points_mm[..., 2] / np.linalg.norm(points_mm, axis=-1))
    phi = np.arctan2(points_mm[..., 1], points_mm[..., 0]) % (2.0 * np.pi)
    row = np.minimum((theta * N_LAT / np.pi).astype(int), N_LAT - 1)
    column = (phi * N_LON / (2.0 * np.pi)).astype(int) % N_LON
    lesion, on_skin = np.zeros(skin.skin.size, np.int64), (skin.area_mm2 * skin.skin).reshape(-1)
    for number, each in enumerate(lesions, start=1):
        lesion[each.cells[each.cover >= _PART]] = number
    areas = tuple(float((each.cover * on_skin[each.cells]).sum()) for each in lesions)
    light = cv2.blur(skin.reflectance[..., :3], (_CELLS_OF_SKIN, _CELLS_OF_SKIN))[row, column]
    return Painted(
        lesion.reshape(skin.skin.shape)[row, column], skin.skin[row, column], light, areas, np.asarray(lies[:, 2])
    )


def body_under(ride: Ride, sighting: Sighting, skin_map: SkinMap) -> NDArray[np.float64]:
    """(3, 3) from the body's frame, z towards the stem, to that of its map: the rotation nearest to all its views."""
    frames = (sighting.pulses - sighting.cup * PULSES_PER_CUP) // PULSES_PER_FRAME
    turns = [
        about_y(-turned) @ ride.turn(int(frame)) for frame, turned in zip(frames, skin_map.turned_rad, strict=True)
    ]
    u, _, v = np.linalg.svd(np.mean(turns, axis=0))
    return np.asarray(u @ v)


def about_y(angle_rad: float) -> NDArray[np.float64]:
    """(3, 3) a turn about y as fruit turn, from z towards x."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
