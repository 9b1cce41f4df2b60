"""What lies on the belt, roughly: things as they hang together on a coarse plane, told by the pixels of their rims."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.vision.geometry import Floats
from grader.vision.rays import N_RAYS

_COARSE_MM = 4.8
_MOST_COARSE = 3
"""What a coarse pixel should measure, so that an eaten core is still found; and how many pixels of the plane it may be
wide, so that the edge, which is sought on the plane, is within reach of the rim."""

_RAYS = N_RAYS // 2
_BEFORE, _AFTER = np.arange(-1, _RAYS - 1), np.arange(1, _RAYS + 1) % _RAYS
"""Every second ray is enough for the rim: the edge itself is sought afterwards. Their neighbours, all round."""

_BESIDE = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


class Pieces(NamedTuple):
    """Things on the belt; one that is longer than a cup is cut into stretches of about a pitch, a piece each.

    points: (2, p) float32 x and y of all rim pixels, px of the plane. piece: (p,) int64, whose rim each is on.
    low, high: (2, n) float32, left and top, right and bottom of each piece. shared: (n,) bool, it is a stretch.
    """

    points: Floats
    piece: NDArray[np.int64]
    low: Floats
    high: Floats
    shared: NDArray[np.bool_]


class RimFinder:
    """Finds the pieces in a plane of distances from the belt. Buffers are made once."""

    def __init__(
        self,
        shape: tuple[int, int],
        mm_per_px: float,
        *,
        pitch_px: float,
        least_counts: int,
        stalk_mm: float,
        longest_pitches: float,
    ) -> None:
        """least_counts: distance from which a pixel is not belt. stalk_mm: what is narrower is taken off.
        longest_pitches: what is longer than so many cups is cut into stretches.
        """
        self._pitch_px, self._least_counts, self._longest_px = pitch_px, least_counts, longest_pitches * pitch_px
        self.coarse = min(max(round(_COARSE_MM / mm_per_px), 1), _MOST_COARSE)
        """Pixels of the plane per pixel of the coarse one, along and down."""
        self._in_a_row = np.ones((1, self.coarse), np.uint8)
        height, width = shape[0] // self.coarse, shape[1] // self.coarse
        self._lowest = np.empty((height, shape[1]), np.uint8)
        self._coarse = np.empty((height, width), np.uint8)
        self._rim = np.empty((height, width), np.uint8)
        self._labels = np.empty((height, width), np.int32)
        opening_px = max(round(stalk_mm / mm_per_px / self.coarse) | 1, 3)
        self._opening = np.ones((opening_px, opening_px), np.uint8)
        middle = np.arange(max(height, width), dtype=np.float32) * self.coarse + (self.coarse - 1) / 2
        self._places = np.stack([np.tile(middle[:width], height), np.repeat(middle[:height], width)])

    def find(self, distance: NDArray[np.uint8]) -> Pieces:
        """The pieces in a plane (h, w) uint8 as of `BeltDistance.counts`."""
        self._shrink(distance)
        self._fill_holes()
        cv2.morphologyEx(self._coarse, cv2.MORPH_OPEN, self._opening, dst=self._coarse)
        n, _ = cv2.connectedComponents(self._coarse, self._labels, 8, cv2.CV_32S)  # 0 is the belt
        cv2.erode(self._coarse, _BESIDE, dst=self._rim, borderType=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0))
        cv2.subtract(self._coarse, self._rim, dst=self._rim)
        at = np.flatnonzero(self._rim.view(bool))
        piece = self._labels.ravel().take(at).astype(np.int64) - 1
        return self._cut(self._places.take(at, axis=1), piece, n - 1)

    def _shrink(self, distance: NDArray[np.uint8]) -> None:
        """A coarse pixel is something where all its pixels are, so that the gap between two fruit stays open."""
        lowest, (height, width) = self._lowest, self._coarse.shape
        first, *others = (distance[row :: self.coarse][:height] for row in range(self.coarse))
        np.copyto(lowest, first)
        for row in others:
            cv2.min(lowest, row, dst=lowest)
        cv2.threshold(lowest, self._least_counts, 1, cv2.THRESH_BINARY, dst=lowest)
        cv2.erode(lowest, self._in_a_row, dst=lowest, anchor=(0, 0))
        np.copyto(self._coarse, lowest[:, :: self.coarse][:, :width])

    def _fill_holes(self) -> None:
        """What no belt reaches from the picture's edge is inside: a dark spot on a fruit may look like belt."""
        is_belt, labels = self._rim.view(bool), self._labels
        np.equal(self._coarse, 0, out=is_belt)
        n, _ = cv2.connectedComponents(self._rim, labels, 8, cv2.CV_32S)
        if n <= 2:  # as mostly: what is no belt, and one belt
            return
        from_edge = np.zeros(n, bool)
        for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
            from_edge[edge] = True
        from_edge[0] = False
        np.logical_not(from_edge.take(labels), out=self._coarse.view(bool))

    def _cut(self, points: Floats, piece: NDArray[np.int64], n: int) -> Pieces:
        low, high = _boxes(points, piece, n)
        along = high[0] - low[0]
        long = along > self._longest_px
        if not long.any():  # as nearly always
            return Pieces(points, piece, low, high, long)
        stretches = np.where(long, np.rint(along / self._pitch_px), 1).astype(np.int64)
        share = (points[0] - low[0][piece]) / np.maximum(along, 1)[piece]
        stretch = np.minimum((share * stretches[piece]).astype(np.int64), stretches[piece] - 1)
        piece = (np.cumsum(stretches) - stretches)[piece] + stretch
        return Pieces(points, piece, *_boxes(points, piece, int(stretches.sum())), np.repeat(long, stretches))


def _boxes(points: Floats, piece: NDArray[np.int64], n: int) -> tuple[Floats, Floats]:
    """Least and greatest x and y of each piece, (2, n) each."""
    low, high = np.full((2, n), np.inf, np.float32), np.full((2, n), -np.inf, np.float32)
    for axis in range(2):
        np.minimum.at(low[axis], piece, points[axis])
        np.maximum.at(high[axis], piece, points[axis])
    return low, high


def rim_radius(pieces: Pieces, wanted: NDArray[np.int64], centre: Floats) -> Floats:
    """The farthest rim pixel near each ray, (m, N_RAYS) px; rays that met none take what is between others.

    wanted: (m,) pieces, centre: (2, m) px, from where to look at each.
    Every second ray is looked at, and its neighbour taken to be like it.
    """
    m, rays = len(wanted), _RAYS
    first_bin = np.full(len(pieces.shared), m * rays)  # the unwanted share bins of their own, behind all others
    first_bin[wanted] = np.arange(0, m * rays, rays)
    middle = np.zeros((2, len(first_bin)), np.float32)
    middle[:, wanted] = centre
    x, y = pieces.points - middle.take(pieces.piece, axis=1)
    away, turn_deg = cv2.cartToPolar(x, y, angleInDegrees=True)
    # The middle between a ray and its neighbour lies a quarter of their step farther on.
    ray = (turn_deg.ravel() * np.float32(rays / 360.0) + np.float32(0.25)).astype(np.int64)
    ray[ray == rays] = 0
    farthest = np.zeros((m + 1) * rays, np.float32)
    np.maximum.at(farthest, first_bin.take(pieces.piece) + ray, away.ravel())
    radius = farthest.reshape(-1, rays)[:m]
    for _ in range(rays // 2):  # a round rim has no gap at all, a cut one a wide one
        gap = radius == 0
        if not gap.any():
            break
        before, after = radius.take(_BEFORE, axis=1), radius.take(_AFTER, axis=1)
        met = (before > 0).astype(np.float32) + (after > 0)
        radius = np.where(gap, (before + after) / np.maximum(met, 1), radius)
    return np.repeat(radius, 2, axis=1)
