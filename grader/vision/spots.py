"""Dark spots on the face of a fruit: the first measure of defects, blind to their names.

Blush and shading darken skin too, so both are taken out first. A pigment dims every band in its own proportion
(Beer-Lambert's law), so what blush takes from the red band stands in a fixed proportion to what it takes from the green
one, and the faces that are looked at together show it themselves. What remains is compared with a smooth surface laid
over each face. Logarithms of light are used throughout: a share of light is then a step, wherever it starts from.

Two kinds of natural darkness are left out. What runs along the rim of the seen face is shade of the limb, or a
hollow half turned away. And what darkens gradually towards a deep middle is a hollow itself, the stem cavity or the
calyx basin: it is dark because little light falls into it, while a lesion is dark up to its edge.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.vision.face import FACING, LONGITUDE_DEG, N_COLUMNS, N_ROWS, SEEN
from grader.vision.light import log_light

Plane = NDArray[np.float32]


class SpotSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which cells of a face are a spot (a cell is about 3 x 4 mm on a fruit of 80 mm).

    darker_by: share of its surroundings' light that a spot lacks. least_cells: a smaller one is noise or a lenticel.
    rim_share: a spot with more of its cells than this at the rim of the face is shade.
    hollow_cells: least and most cells of a hollow. hollow_darker_by: share of light that its darkest cell lacks at
    least. hollow_evenness: its mean darkness over its greatest at most, as logarithms.
    """

    darker_by: float = 0.13
    least_cells: int = 2
    rim_share: float = 0.13
    hollow_cells: tuple[int, int] = (4, 64)
    hollow_darker_by: float = 0.45
    hollow_evenness: float = 0.6


class Spots(NamedTuple):
    """What the m faces of a frame show.

    dark: (m, N_ROWS, N_COLUMNS) bool, cells of spots. share: (m,) float32, their share of the face, each longitude
    weighed by how near it is to the middle. passing: (m,) float32, spots that pass the middle in this view: over a
    whole turn it adds up to one for each, however many views show it. largest_cells: (m,) float32.
    """

    dark: NDArray[np.bool_]
    share: Plane
    passing: Plane
    largest_cells: Plane


_PASSING_DEG = 50.0
_WINDOW = np.maximum(np.cos(np.radians(LONGITUDE_DEG * (90 / _PASSING_DEG))), 0)
"""(N_COLUMNS,): a longitude counts while it passes the middle; towards the limb spots are drawn out and shaded."""
_STEP_DEG = float(LONGITUDE_DEG[1] - LONGITUDE_DEG[0])
_PASSING = (_WINDOW * (360.0 / (_WINDOW.sum() * _STEP_DEG))).astype(np.float32)  # its mean over a whole turn is 1

_COUNTED = SEEN.copy()
_COUNTED[-1] = False  # keeps the spots of one fruit apart from the next one's, whose face follows below
_RIM = (_COUNTED & ~cv2.erode(_COUNTED.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0).astype(bool)).ravel()
_WEIGHT = (_COUNTED * _WINDOW / (_COUNTED * _WINDOW).sum()).astype(np.float32).ravel()
_COUNTED = _COUNTED.ravel()

_CELLS = N_ROWS * N_COLUMNS
_BLOCK = 3
"""Surfaces are laid through means of blocks of 3 x 3 cells: they are smooth, and noise is not."""
_BLOCKS = (N_ROWS // _BLOCK, N_COLUMNS // _BLOCK)


def _second_degree(shape: tuple[int, int]) -> NDArray[np.float64]:
    """(places, 6): the terms of a surface of second degree over a face of so many rows and columns."""
    y, x = (axis.ravel() for axis in np.meshgrid(*((np.arange(n) + 0.5) / n * 2 - 1 for n in shape), indexing="ij"))
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)


_FIT = np.linalg.pinv(_second_degree(_BLOCKS)).T.astype(np.float32)  # (blocks, 6): blocks to terms
_SMOOTH = _FIT @ _second_degree(_BLOCKS).T.astype(np.float32)  # (blocks, blocks): blocks to those of the surface
_LAY = _second_degree((N_ROWS, N_COLUMNS)).T.astype(np.float32)  # (6, cells): terms to cells


def _between_blocks() -> Plane:
    """(blocks, cells): blocks to cells, by straight lines between the middles of blocks."""
    each_block = np.eye(_BLOCKS[0] * _BLOCKS[1], dtype=np.float32).reshape(-1, *_BLOCKS)
    size = (N_COLUMNS, N_ROWS)
    return np.stack([cv2.resize(one, size, interpolation=cv2.INTER_LINEAR).ravel() for one in each_block])


_FINE = _between_blocks()
_EACH_BLOCK = np.full(len(_FINE), 1 / len(_FINE), np.float32)

_BALL = cv2.resize(np.log(FACING), _BLOCKS[::-1], interpolation=cv2.INTER_AREA).ravel()
_BALL -= _BALL.mean()
_BALL_FACES = 4
"""Faces that the shading of a matt ball is worth: with few fruit in the frame it is the better guess."""

_SHADE, _GLOSS = np.float32(-0.3), np.float32(0.15)
"""What lies farther below or above a face's mean is no skin to lay a surface through (spots; gloss, labels)."""
_NEAR = np.float32(0.1)
"""So far from the first surface a block still pulls the second one."""

_USUAL_PROPORTION = 0.15
_DOUBT = 0.05
"""Project default for fruit without blush, which show no proportion of their own; and the variance of log green
over a face (0.5 and more where there is blush beside ground) at which the faces' own proportion counts as much."""
_LEAST_PROPORTION, _MOST_PROPORTION = 0.05, 0.5
_SKIN_MIDDLE, _SKIN_REACH = np.float32(-0.2), np.float32(0.5)
"""Log red about its mean on the face: what is brighter is gloss or a label, what is darker a deep spot."""
_SPARSE = 4
_FEW = np.arange(_CELLS).reshape(N_ROWS, N_COLUMNS)[_SPARSE // 2 :: _SPARSE, _SPARSE // 2 :: _SPARSE].ravel()
"""Every so many cells along and down are enough to see the proportion."""
_EACH_OF_FEW = np.full(len(_FEW), 1 / len(_FEW), np.float32)


class SpotFinder:
    """Finds dark spots on the faces of one fruit, or of one frame. Buffers are made once."""

    def __init__(self, most_cups: int, settings: SpotSettings) -> None:
        self._settings = settings
        self._least_darkness = _as_step(settings.darker_by)
        shape = (most_cups, _CELLS)
        self._counts = [np.empty(shape, np.uint8) for _ in ("green", "red")]
        self._light = [np.empty(shape, np.float32) for _ in ("green", "red")]
        self._darkness = np.empty(shape, np.float32)
        self._dark = np.empty(shape, np.bool_)
        self._labels = np.empty((most_cups * N_ROWS, N_COLUMNS), np.int32)

    def find(self, faces: NDArray[np.uint8]) -> Spots:
        """Dark spots of m fruit. faces: (m, N_ROWS * N_COLUMNS, 3) uint8 blue, green, red.

        The mask in the result is valid until the next call.
        """
        m = len(faces)
        light = self._without_blush(faces)
        darkness = _surroundings(light, self._darkness[:m])
        darkness -= light
        dark = np.greater(darkness, self._least_darkness, out=self._dark[:m])
        dark &= _COUNTED
        mosaic = dark.reshape(-1, N_COLUMNS).view(np.uint8)
        labels = self._labels[: len(mosaic)]
        n, _ = cv2.connectedComponents(mosaic, labels, 8, cv2.CV_32S)
        return _judged(dark, darkness, n, labels, self._settings)

    def _without_blush(self, faces: NDArray[np.uint8]) -> Plane:
        """(m, cells) log of red light as it would be without the red pigment."""
        m = len(faces)
        counts, (green, red) = [plane[:m] for plane in self._counts], (plane[:m] for plane in self._light)
        cv2.mixChannels([faces], counts, [1, 0, 2, 1])
        for band, light in zip(counts, (green, red), strict=True):
            log_light(band, out=light)
        return np.asarray(cv2.scaleAdd(green, -_red_per_green(green, red), red, dst=green))


def _as_step(share: float) -> np.float32:
    """A share of light that is missing as a step of the logarithm."""
    return np.float32(-np.log1p(-share))


def _red_per_green(green: Plane, red: Plane) -> float:
    """What a pigment takes from red over what it takes from green, both as logarithms (m, cells): the slope of the
    cells' red over their green, once the level of each face and the pattern of the light are gone."""
    few: Plane = np.empty((2, len(red), len(_FEW)), np.float32)
    np.take(green, _FEW, axis=1, out=few[0], mode="clip")
    np.take(red, _FEW, axis=1, out=few[1], mode="clip")
    middle = few[1] @ _EACH_OF_FEW + _SKIN_MIDDLE
    skin = (np.abs(few[1] - middle[:, None]) < _SKIN_REACH).astype(np.float32)
    counted = np.maximum(np.einsum("fc->f", skin), 1)
    few -= (np.einsum("bfc,fc->bf", few, skin) / counted)[:, :, None]
    few -= (np.full(len(red), 1 / len(red), np.float32) @ few)[:, None]
    few[0] *= skin
    doubt = _DOUBT * skin.size
    by_green, by_red = few.reshape(2, -1) @ few[0].ravel()
    slope = (float(by_red) + doubt * _USUAL_PROPORTION) / (float(by_green) + doubt)
    return float(min(max(slope, _LEAST_PROPORTION), _MOST_PROPORTION))


def _surroundings(light: Plane, out: Plane) -> Plane:
    """(m, cells) log light to be expected: the face's level, the pattern that all fruit of the frame have in common
    (light and camera stand still and fruit turn beneath them), and a surface of second degree for the face itself.

    The surface is laid twice, the second time only through what lies near the first: spots do not take it down.
    """
    m = len(light)
    size = (_BLOCKS[1], m * _BLOCKS[0])
    resized = cv2.resize(light.reshape(-1, N_COLUMNS), size, interpolation=cv2.INTER_AREA)
    blocks: Plane = resized.reshape(m, -1).astype(np.float32, copy=False)
    level = blocks @ _EACH_BLOCK
    blocks -= level[:, None]
    of_all = np.einsum("fb->b", _between(blocks, _SHADE, _GLOSS))
    pattern = (of_all + _BALL_FACES * _BALL) / np.float32(m + _BALL_FACES)
    blocks -= pattern
    first = _between(blocks, _SHADE, _GLOSS) @ _SMOOTH
    terms = np.empty((m, len(_LAY) + 1), np.float32)
    np.matmul(_between(blocks, first - _NEAR, first + _NEAR), _FIT, out=terms[:, :-1])
    terms[:, 0] += level
    terms[:, -1] = 1.0  # the pattern, for every face alike
    return np.matmul(terms, np.concatenate([_LAY, (pattern @ _FINE)[None]]), out=out)


def _between(values: Plane, low: Plane | np.float32, high: Plane | np.float32) -> Plane:
    """As `numpy.clip`, in half its time."""
    held: Plane = np.minimum(values, high)
    return np.maximum(held, low, out=held)


def _judged(
    dark: NDArray[np.bool_], darkness: Plane, n: int, labels: NDArray[np.int32], settings: SpotSettings
) -> Spots:
    """Connected dark cells, judged one by one. dark, darkness: (m, cells); labels: as many, 0 to n - 1."""
    m = len(dark)
    at = np.flatnonzero(dark)
    label, place = labels.ravel()[at], at % _CELLS
    depth = darkness.ravel()[at]
    cells = np.bincount(label, minlength=n)
    some = np.maximum(cells, 1)
    deepest = np.zeros(n, np.float32)
    np.maximum.at(deepest, label, depth)
    mean = np.bincount(label, depth, n) / some
    at_rim = np.bincount(label, _RIM[place], n) / some
    least, most = settings.hollow_cells
    hollow = (cells >= least) & (cells <= most) & (mean < settings.hollow_evenness * deepest)
    hollow &= deepest > _as_step(settings.hollow_darker_by)
    is_spot = (cells >= settings.least_cells) & (at_rim < settings.rim_share) & ~hollow
    spot = np.flatnonzero(is_spot)

    kept = is_spot[label]
    dark.ravel()[at] = kept
    owner = np.zeros(n, np.int64)
    owner[label] = at // _CELLS
    middle = np.rint(np.bincount(label, place % N_COLUMNS, n)[spot] / cells[spot]).astype(np.int64)
    largest = np.zeros(m, np.float32)
    np.maximum.at(largest, owner[spot], cells[spot].astype(np.float32))
    return Spots(
        dark=dark.reshape(m, N_ROWS, N_COLUMNS),
        share=np.bincount(at[kept] // _CELLS, _WEIGHT[place[kept]], m).astype(np.float32),
        passing=np.bincount(owner[spot], _PASSING[middle], m).astype(np.float32),
        largest_cells=largest,
    )
