"""The outline of everything that lies on the belt, as radii from its middle, to a fraction of a pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.vision.edge import EdgeFinder, fruit_alone
from grader.vision.geometry import CupsInView, Floats
from grader.vision.rays import N_RAYS, RAYS
from grader.vision.rim import RimFinder, rim_radius


class OutlineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What counts as a fruit in a cup.

    least_counts: distance from the belt's colour above which a pixel is not belt (at half resolution, where
    noise is halved). stalk_mm: anything narrower is a stalk, a leaf's edge or a smear, and is taken off.
    least_area_mm2: smaller things are dirt, drops and labels. stray_area_mm2: things beside the lanes that are no
    smaller are of the size of a fruit. least_width_mm: things that are narrower in some direction are leaves: half of
    the smallest fruit's diameter. oversize_mm: what a cup can carry.
    touching_pitches: an outline longer than this many cups holds more than one thing. apart_mm: fruit in it touch
    when their own outlines come nearer than this along the belt; else a leaf or a smear lies between them.
    bulge_px: how far an outline may stand out from the smooth line through it before that is a stalk, leaf or label.
    edge_mm: an outline nearer than this to the picture's edge is cut by it.
    """

    least_counts: int = 6
    stalk_mm: float = 8.0
    least_area_mm2: float = 1000.0
    stray_area_mm2: float = 2000.0
    least_width_mm: float = 25.0
    oversize_mm: float = 92.0
    touching_pitches: float = 1.25
    apart_mm: float = 2.0
    bulge_px: float = 0.8
    edge_mm: float = 1.6


@dataclass(frozen=True, slots=True)
class Outlines:
    """One row per cup that holds something which lies wholly in the picture.

    row: (m,) int64, its row in `CupsInView`, rising. centre: (2, m) float32 x and y in the pixels of the plane.
    radius: (m, N_RAYS) float32 px along `RAYS` from the centre. sharpness: (m,) float32, share of the step from fruit
    to belt that lies within a pixel. touching: (m,) bool, it meets a neighbour.
    cut_row: (c,) int64, rows of cups with something that the picture's edge cuts: there is nothing to measure on it.
    strays: how many things of the size of a fruit lie wholly in the picture and beside all lanes.
    """

    row: NDArray[np.int64]
    centre: Floats
    radius: Floats
    sharpness: Floats
    touching: NDArray[np.bool_]
    cut_row: NDArray[np.int64]
    strays: int = 0

    def picked(self, pick: NDArray[np.bool_]) -> Outlines:
        """Those marked in (m,), and all that are cut."""
        if pick.all():
            return self
        return replace(
            self,
            row=self.row[pick],
            centre=self.centre[:, pick],
            radius=self.radius[pick],
            sharpness=self.sharpness[pick],
            touching=self.touching[pick],
        )


class OutlineFinder:
    """Finds outlines in a plane of distances from the belt. Buffers are made once."""

    def __init__(
        self,
        shape: tuple[int, int],
        mm_per_px: float,
        pitch_px: tuple[float, float],
        most_cups: int,
        settings: OutlineSettings,
    ) -> None:
        self._settings = settings
        self._mm_per_px = mm_per_px
        self._pitch_x, self._pitch_y = pitch_px
        self._rims = RimFinder(
            shape,
            mm_per_px,
            pitch_px=self._pitch_x,
            least_counts=settings.least_counts,
            stalk_mm=settings.stalk_mm,
            longest_pitches=settings.touching_pitches,
        )
        self._edges = EdgeFinder(most_cups)

    def find(self, distance: NDArray[np.uint8], cups: CupsInView) -> Outlines:
        """Outlines of what lies in the cups. distance: (h, w) uint8 as `BeltDistance.counts`."""
        settings = self._settings
        pieces = self._rims.find(distance)
        if not len(pieces.shared) or not len(cups.cup):
            return _nothing()
        low, high = pieces.low, pieces.high
        centre = (low + high) / 2
        extent = high - low + 2 * self._rims.coarse  # to the outer sides of rim pixels, and on to the edge beyond them
        row = self._nearest_cup(centre, cups)
        box_mm2 = extent[0] * extent[1] * (self._mm_per_px**2 * np.pi / 4)
        keep = (box_mm2 >= settings.least_area_mm2) & (row >= 0)
        keep[keep] = _biggest_per_row(row[keep], box_mm2[keep])
        height, width = distance.shape
        edge_px = settings.edge_mm / self._mm_per_px + self._rims.coarse - 1  # a box is known to a coarse pixel
        cut = (low[0] < edge_px) | (high[0] > width - 1 - edge_px)
        cut_aside = (low[1] < edge_px) | (high[1] > height - 1 - edge_px)
        strays = int(
            (~cut & ~cut_aside & (box_mm2 >= settings.stray_area_mm2) & self._beside_lanes(centre, cups)).sum()
        )
        whole = np.flatnonzero(keep & ~cut)
        whole, cut_row = whole[np.argsort(row[whole])], row[keep & cut]
        if not len(whole):
            return replace(_nothing(cut_row), strays=strays)
        row, centre, touching = row[whole], centre[:, whole], pieces.shared[whole]
        outer, sharpness = self._edges.sharpened(
            distance, centre, rim_radius(pieces, whole, centre), settings.least_counts
        )
        radius = fruit_alone(distance, centre, outer, settings.least_counts, settings.bulge_px)
        found = Outlines(row, centre, radius, sharpness, touching, cut_row, strays).picked(~self._slim(radius))
        if (keep & cut_aside).any():
            found = _uncut(found, edge_px, height - 1 - edge_px)
        if found.touching.any():
            apart_px = settings.apart_mm / self._mm_per_px
            found.touching[:] &= _reaches_neighbour(found.row, found.centre, found.radius, apart_px)
        return found

    def _slim(self, radius: Floats) -> NDArray[np.bool_]:
        """Marks outlines that are too narrow for a fruit."""
        across = radius[:, : N_RAYS // 2] + radius[:, N_RAYS // 2 :]
        return np.asarray(across.min(axis=1) * self._mm_per_px < self._settings.least_width_mm)

    def _beside_lanes(self, centre: Floats, cups: CupsInView) -> NDArray[np.bool_]:
        """Marks places (2, n) that are nearer to where another lane would be than to any that there is."""
        lane = np.rint((centre[1] - cups.y_px[0]) / self._pitch_y)
        return np.asarray((lane < 0) | (lane > np.rint((cups.y_px[-1] - cups.y_px[0]) / self._pitch_y)))

    def _nearest_cup(self, centre: Floats, cups: CupsInView) -> NDArray[np.int64]:
        """Row of the cup nearest to each place (2, n); -1 for a cup whose own centre is outside the picture."""
        n_cups = int(np.searchsorted(cups.lane, cups.lane[0], side="right"))
        lane = np.rint((centre[1] - cups.y_px[0]) / self._pitch_y).astype(np.int64)
        along = np.rint((cups.x_px[0] - centre[0]) / self._pitch_x).astype(np.int64)
        inside = (lane >= 0) & (lane < len(cups.lane) // n_cups) & (along >= 0) & (along < n_cups)
        return np.where(inside, lane * n_cups + along, -1)


_NO_ROWS = np.empty(0, np.int64)


def _nothing(cut_row: NDArray[np.int64] = _NO_ROWS) -> Outlines:
    return Outlines(
        row=_NO_ROWS,
        centre=np.empty((2, 0), np.float32),
        radius=np.empty((0, N_RAYS), np.float32),
        sharpness=np.empty(0, np.float32),
        touching=np.empty(0, bool),
        cut_row=cut_row,
    )


def _uncut(found: Outlines, top_px: float, bottom_px: float) -> Outlines:
    """Outlines that keep between two lines across the belt; the others are cut.

    Not by the box: a leaf may reach from a fruit of the first or last lane to the picture's edge.
    """
    y = found.centre[1][:, None] + found.radius * RAYS[1]
    uncut = (y.min(axis=1) >= top_px) & (y.max(axis=1) <= bottom_px)
    return replace(found.picked(uncut), cut_row=np.concatenate([found.cut_row, found.row[~uncut]]))


def _biggest_per_row(row: NDArray[np.int64], area: Floats) -> NDArray[np.bool_]:
    """Marks, for every cup, the largest of the things in it."""
    if np.bincount(row).max(initial=0) < 2:  # as nearly always
        return np.ones(len(row), bool)
    order = np.lexsort((-area, row))
    first = np.r_[True, row[order][1:] != row[order][:-1]]
    biggest = np.zeros(len(row), bool)
    biggest[order[first]] = True
    return biggest


def _reaches_neighbour(row: NDArray[np.int64], centre: Floats, radius: Floats, apart_px: float) -> NDArray[np.bool_]:
    """Marks outlines that come nearer than apart_px to that of a cup next to theirs. Rows rise; x falls along them."""
    along = radius * RAYS[0]
    left, right = centre[0] + along.min(axis=1), centre[0] + along.max(axis=1)
    meets_next = (row[1:] == row[:-1] + 1) & (left[:-1] - right[1:] < apart_px) & (left[:-1] > left[1:])
    return np.asarray(np.r_[meets_next, False] | np.r_[False, meets_next])
