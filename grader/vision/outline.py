"""The outline of everything that lies on the belt, as radii from its middle, to a fraction of a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.vision.geometry import CupsInView, Floats

Contour = NDArray[np.integer | np.floating]
"""(n, 1, 2) whole pixels x, y, as OpenCV gives it."""

N_RAYS = 48
"""Rays per outline: at 50 px radius the outline bulges 0.1 px over the chord between two of them."""

COARSE = 3
"""Pixels of the plane per pixel that contours are followed on; the edge itself is sought on the plane."""
_COARSE_BLOCK = np.ones((COARSE, COARSE), np.uint8)

RAY_ANGLES = (np.arange(N_RAYS) * (2 * np.pi / N_RAYS)).astype(np.float32)
RAYS = np.stack([np.cos(RAY_ANGLES), np.sin(RAY_ANGLES)]).astype(np.float32)  # (2, N_RAYS)


class OutlineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What counts as a fruit in a cup.

    least_counts: distance from the belt's colour above which a pixel is not belt (at half resolution, where
    noise is halved). stalk_mm: anything narrower is a stalk, a leaf's edge or a smear, and is taken off.
    least_area_mm2: smaller things are dirt, drops and labels. oversize_mm: what a cup can carry.
    touching_pitches: an outline longer than this many cups holds more than one thing. apart_mm: fruit in it touch
    when their own outlines come nearer than this along the belt; else a leaf or a smear lies between them.
    bulge_px: how far an outline may stand out from the smooth line through it before that is a stalk, leaf or label.
    edge_mm: an outline nearer than this to the picture's edge is cut by it.
    """

    least_counts: int = 6
    stalk_mm: float = 8.0
    least_area_mm2: float = 1000.0
    oversize_mm: float = 92.0
    touching_pitches: float = 1.25
    apart_mm: float = 2.0
    bulge_px: float = 0.8
    edge_mm: float = 1.6


@dataclass(frozen=True, slots=True)
class Outlines:
    """One row per cup that holds something which lies wholly in the picture.

    row: (m,) int64, its row in `CupsInView`, rising. centre: (2, m) float32 x and y in the pixels of the plane.
    radius: (m, N_RAYS) float32 px along `RAYS` from the centre. touching: (m,) bool, it meets a neighbour.
    cut_row: (c,) int64, rows of cups with something that the picture's edge cuts: there is nothing to measure on it.
    """

    row: NDArray[np.int64]
    centre: Floats
    radius: Floats
    touching: NDArray[np.bool_]
    cut_row: NDArray[np.int64]


class _Pieces(NamedTuple):
    """Contours, or stretches of them, one after the other.

    points: (2, p) float32 px of the plane, piece by piece. lengths: (n,) how many of them each piece has, at least one.
    low, high: (2, n) left and top, right and bottom. shared: (n,) bool, it is a stretch of a contour.
    """

    points: Floats
    lengths: NDArray[np.int64]
    low: Floats
    high: Floats
    shared: NDArray[np.bool_]

    @classmethod
    def of(cls, points: Floats, lengths: NDArray[np.int64], shared: NDArray[np.bool_]) -> Self:
        starts = np.cumsum(lengths) - lengths
        low, high = np.minimum.reduceat(points, starts, axis=1), np.maximum.reduceat(points, starts, axis=1)
        return cls(points, lengths, low, high, shared)


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
        self._mask = np.empty(shape, np.uint8)
        self._coarse = np.empty((shape[0] // COARSE, shape[1] // COARSE), np.uint8)
        stalk_px = max(round(settings.stalk_mm / (mm_per_px * COARSE)) | 1, 3)
        self._opening = np.ones((stalk_px, stalk_px), np.uint8)
        self._edges = _EdgeFinder(most_cups)

    def find(self, distance: NDArray[np.uint8], cups: CupsInView) -> Outlines:
        """Outlines of what lies in the cups. distance: (h, w) uint8 as `BeltDistance.counts`."""
        settings = self._settings
        cv2.threshold(distance, settings.least_counts, 1, cv2.THRESH_BINARY, dst=self._mask)
        # A coarse pixel is fruit where all its pixels are, so that the gap between two fruit stays open.
        cv2.erode(self._mask, _COARSE_BLOCK, dst=self._mask, anchor=(0, 0))
        np.copyto(self._coarse, self._mask[::COARSE, ::COARSE][: self._coarse.shape[0], : self._coarse.shape[1]])
        cv2.morphologyEx(self._coarse, cv2.MORPH_OPEN, self._opening, dst=self._coarse)
        contours, _ = cv2.findContours(self._coarse, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        least_points = int(2 * np.sqrt(np.pi * settings.least_area_mm2) / (self._mm_per_px * COARSE) / 1.5)
        contours = [contour for contour in contours if len(contour) >= least_points]
        if not contours or not len(cups.cup):
            return _nothing()
        return self._by_cup(distance, contours, cups)

    def _by_cup(self, distance: NDArray[np.uint8], contours: list[Contour], cups: CupsInView) -> Outlines:
        settings = self._settings
        pieces = self._pieces(contours)
        low, high = pieces.low, pieces.high
        centre, extent = (low + high) / 2, high - low
        row = self._nearest_cup(centre, cups)
        box_mm2 = extent[0] * extent[1] * (self._mm_per_px**2 * np.pi / 4)
        keep = _biggest_per_row(row, box_mm2) & (box_mm2 >= settings.least_area_mm2) & (row >= 0)
        height, width = distance.shape
        edge_px = settings.edge_mm / self._mm_per_px + COARSE - 1  # a box is known to a coarse pixel
        cut = (low < edge_px).any(axis=0) | (high[0] > width - 1 - edge_px) | (high[1] > height - 1 - edge_px)
        whole = np.flatnonzero(keep & ~cut)
        whole, cut_row = whole[np.argsort(row[whole])], row[keep & cut]
        if not len(whole):
            return _nothing(cut_row)
        row, centre, touching = row[whole], centre[:, whole], pieces.shared[whole]
        outer = self._edges.sharpened(distance, centre, _coarse_radius(pieces, whole, centre), settings.least_counts)
        radius = _fruit_alone(distance, centre, outer, settings.least_counts, settings.bulge_px)
        if touching.any():
            touching &= _reaches_neighbour(row, centre, radius, settings.apart_mm / self._mm_per_px)
        return Outlines(row, centre, radius, touching, cut_row)

    def _pieces(self, contours: list[Contour]) -> _Pieces:
        """A contour longer than a cup is shared: it is cut into stretches of about one pitch, a piece each."""
        points = np.concatenate(contours)[:, 0].T.astype(np.float32, order="C")
        points *= COARSE
        points += np.float32((COARSE - 1) / 2)  # the middle of a coarse pixel
        lengths = np.fromiter(map(len, contours), np.int64)
        whole = _Pieces.of(points, lengths, np.zeros(len(lengths), bool))
        left, along = whole.low[0], whole.high[0] - whole.low[0]
        long = along > self._settings.touching_pitches * self._pitch_x
        if not long.any():  # as nearly always
            return whole
        parts = np.where(long, np.rint(along / self._pitch_x), 1).astype(np.int64)
        contour = np.repeat(np.arange(len(contours)), lengths)
        share = (points[0] - left[contour]) / np.maximum(along, 1)[contour]
        part = np.minimum((share * parts[contour]).astype(np.int64), parts[contour] - 1)
        piece = (np.cumsum(parts) - parts)[contour] + part
        order = np.argsort(piece, kind="stable")
        starts = np.flatnonzero(np.diff(piece[order], prepend=-1))
        lengths = np.diff(starts, append=len(order))
        return _Pieces.of(points[:, order], lengths, long[contour[order[starts]]])

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
        _NO_ROWS, np.empty((2, 0), np.float32), np.empty((0, N_RAYS), np.float32), np.empty(0, bool), cut_row
    )


def _biggest_per_row(row: NDArray[np.int64], area: Floats) -> NDArray[np.bool_]:
    """Marks, for every cup, the largest of the things in it."""
    if np.bincount(row + 1)[1:].max(initial=0) < 2:  # as nearly always
        return np.ones(len(row), bool)
    order = np.lexsort((-area, row))
    first = np.r_[True, row[order][1:] != row[order][:-1]]
    biggest = np.zeros(len(row), bool)
    biggest[order[first]] = True
    return biggest


def _coarse_radius(pieces: _Pieces, whole: NDArray[np.int64], centre: Floats) -> Floats:
    """The farthest contour point near each ray, (n, N_RAYS) px; rays that met none take what is between others.

    whole: (n,) pieces that are wanted, centre: (2, n) of these.
    Every second ray is looked at, and its neighbour taken to be like it: the edge itself is sought afterwards.
    """
    n, rays = len(whole), N_RAYS // 2
    first_bin = np.full(len(pieces.lengths), n * rays)  # the unwanted share bins of their own, behind all others
    first_bin[whole] = np.arange(0, n * rays, rays)
    middle = np.zeros((2, len(first_bin)), np.float32)
    middle[:, whole] = centre
    x, y = pieces.points - np.repeat(middle, pieces.lengths, axis=1)
    away, turn_deg = cv2.cartToPolar(x, y, angleInDegrees=True)
    # The middle between a ray and its neighbour lies a quarter of their step farther on.
    ray = (turn_deg.ravel() * np.float32(rays / 360.0) + np.float32(0.25)).astype(np.int64)
    ray[ray == rays] = 0
    farthest = np.zeros((n + 1) * rays, np.float32)
    np.maximum.at(farthest, np.repeat(first_bin, pieces.lengths) + ray, away.ravel())
    radius = farthest.reshape(-1, rays)[:n]
    for _ in range(rays // 2):  # a round contour has no gap at all, a cut one a wide one
        gap = radius == 0
        if not gap.any():
            break
        before, after = np.roll(radius, 1, axis=1), np.roll(radius, -1, axis=1)
        met = (before > 0).astype(np.float32) + (after > 0)
        radius = np.where(gap, (before + after) / np.maximum(met, 1), radius)
    return np.repeat(radius, 2, axis=1)


_STEPS = 8
_FIRST_STEP = -2
"""A ray is looked at in steps of one pixel, from inside the coarse contour, which lies inside the fruit, to well
outside."""


class _EdgeFinder:
    """Finds the edge of fruit along rays. What is the same for every frame is made once."""

    def __init__(self, most_fruit: int) -> None:
        away = np.arange(_FIRST_STEP, _FIRST_STEP + _STEPS, dtype=np.float32)
        self._steps_x, self._steps_y = (np.tile(away[:, None] * along, most_fruit) for along in RAYS)
        self._number = np.arange(1, _STEPS + 1, dtype=np.uint8)[:, None]

    def sharpened(self, distance: NDArray[np.uint8], centre: Floats, radius: Floats, least_counts: int) -> Floats:
        """Radius where the pixel is half fruit, half belt: between two samples by a straight line. (n, N_RAYS) px.

        The level just inside the contour is the fruit's own, so that bright and dark fruit are cut at the same place.
        radius: (n, N_RAYS) px of the coarse contour about centre (2, n).
        """
        rays = radius.size
        x = self._steps_x[:, :rays] + (radius * RAYS[0] + centre[0][:, None]).reshape(-1)
        y = self._steps_y[:, :rays] + (radius * RAYS[1] + centre[1][:, None]).reshape(-1)
        samples = cv2.remap(distance, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        level = (samples[0].astype(np.float32) + samples[1]) / 2
        half = np.maximum(level, least_counts) / 2
        is_fruit = samples >= np.ceil(half).astype(np.uint8)
        outside = (is_fruit * self._number).max(axis=0)  # the step after the last one that is fruit
        known = (outside > 0) & (outside < _STEPS)
        outside = np.where(known, outside, 1)
        place = outside.astype(np.int64) * rays
        place += np.arange(rays)
        after, before = samples.take(place).astype(np.float32), samples.take(place - rays).astype(np.float32)
        part = (before - half) / np.maximum(before - after, np.float32(1e-3))
        part += outside
        part += np.float32(_FIRST_STEP - 1)
        return np.asarray(radius + np.where(known, part, 0).reshape(radius.shape))


_DEPTHS = np.linspace(0.5, 1.0, 6, dtype=np.float32)[:, None, None]
"""Share of the outer radius at which a ray is looked at, from well inside the fruit (the first two) to its edge."""
_OTHER_MATTER = 0.3
"""A place whose distance from the belt is less than this share of the fruit's own may be a leaf, a smear or a rot."""


def _first_change(distance: NDArray[np.uint8], centre: Floats, outer: Floats, least_counts: int) -> Floats:
    """Radius at which each ray first leaves what the fruit's inside looks like, (n, N_RAYS) px; `outer` if nowhere.

    A leaf is wider than two rays: every second one is looked at, and speaks for its neighbour.
    """
    every_second = outer[:, ::2]
    steps, rays = len(_DEPTHS), every_second.size
    x = (every_second * RAYS[0, ::2] * _DEPTHS + centre[0][:, None]).reshape(steps, rays)
    y = (every_second * RAYS[1, ::2] * _DEPTHS + centre[1][:, None]).reshape(steps, rays)
    samples = cv2.remap(distance, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    inside = (samples[0].astype(np.float32) + samples[1]) * np.float32(_OTHER_MATTER / 2)
    other = samples[:-1] < np.maximum(inside, least_counts)  # at the edge itself half is belt
    change = np.where(other.any(axis=0), np.argmax(other, axis=0), steps)
    share = np.where(change < steps, _DEPTHS[np.maximum(change - 1, 0) % steps, 0, 0], 1.0).astype(np.float32)
    return np.asarray(outer * np.repeat(share.reshape(len(outer), -1), 2, axis=1))


def _waves(harmonics: int) -> Floats:
    """(N_RAYS, 2 * harmonics + 1): a circle and its first harmonics, out of which the outline of a fruit is made."""
    order = np.arange(1, harmonics + 1)[:, None]
    waves = np.concatenate([np.ones((1, N_RAYS)), np.cos(order * RAY_ANGLES), np.sin(order * RAY_ANGLES)])
    return np.asarray(waves.T, np.float32)


_WAVES = _waves(4)
_WAVE_PAIRS = np.asarray((_WAVES[:, :, None] * _WAVES[:, None, :]).reshape(N_RAYS, -1), np.float32)
_SMOOTH = np.asarray(_WAVES @ np.linalg.pinv(_WAVES), np.float32)  # (N_RAYS, N_RAYS): radii onto their smooth line
_DOUBT = np.float32(0.02)
"""Weight of a ray that may not end at the fruit's edge: enough to keep the fit tied down where there are many."""
_ROUNDS = 3


def _fruit_alone(
    distance: NDArray[np.uint8], centre: Floats, outer: Floats, least_counts: int, bulge_px: float
) -> Floats:
    """Radii of the fruit without what lies beside it: leaves, labels, smears, stalks. (n, N_RAYS) px.

    An outline as smooth as a fruit's stands as it is. In one that bulges, where a ray changes its matter before it
    reaches the belt, the fruit may end at the change (then a leaf follows) or at the belt (then it was a rot at its
    rim). A smooth line, fitted to the rays that do not change and do not stick out of it, decides; nothing is left
    standing out of that line.
    """
    standing_out = outer - outer @ _SMOOTH
    bulging = np.flatnonzero((standing_out > np.float32(bulge_px / 2)).any(axis=1))
    if not len(bulging):
        return outer
    inner = _first_change(distance, centre[:, bulging], outer[bulging], least_counts)
    doubtful = inner < outer[bulging] - 1.0
    in_question = doubtful.any(axis=1) | (standing_out[bulging] > bulge_px).any(axis=1)
    bulging = bulging[in_question]
    radius = outer.copy()
    radius[bulging] = _fitted(inner[in_question], outer[bulging], doubtful[in_question], bulge_px)
    return radius


def _fitted(inner: Floats, outer: Floats, doubtful: NDArray[np.bool_], bulge_px: float) -> Floats:
    """The smooth line of `_fruit_alone`: least squares, weighed anew by what it says of each ray."""
    n, terms = len(outer), _WAVES.shape[1]
    known = np.where(doubtful, (inner + outer) / 2, outer)
    weight = np.where(doubtful, _DOUBT, np.float32(1.0))
    for _ in range(_ROUNDS):
        normal = (weight @ _WAVE_PAIRS).reshape(n, terms, terms)
        smooth = np.linalg.solve(normal, ((weight * known) @ _WAVES)[:, :, None])[:, :, 0] @ _WAVES.T
        known = np.where(doubtful, np.clip(smooth, inner, outer), outer)
        weight = np.where(doubtful | (known > smooth + bulge_px), _DOUBT, np.float32(1.0))
    return np.asarray(np.minimum(known, smooth + np.float32(bulge_px)))


def _reaches_neighbour(row: NDArray[np.int64], centre: Floats, radius: Floats, apart_px: float) -> NDArray[np.bool_]:
    """Marks outlines that come nearer than apart_px to that of a cup next to theirs. Rows rise; x falls along them."""
    along = radius * RAYS[0]
    left, right = centre[0] + along.min(axis=1), centre[0] + along.max(axis=1)
    meets_next = (row[1:] == row[:-1] + 1) & (left[:-1] - right[1:] < apart_px) & (left[:-1] > left[1:])
    return np.asarray(np.r_[meets_next, False] | np.r_[False, meets_next])
