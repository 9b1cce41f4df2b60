"""The edge of fruit along rays, between pixels; and of the fruit alone where a leaf or a stalk sticks out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.vision.geometry import Floats
from grader.vision.rays import N_RAYS, RAY_ANGLES, RAYS

_STEPS = 8
_FIRST_STEP = -2
_EACH_RAY = np.full(N_RAYS, 1 / N_RAYS, np.float32)
"""A ray is looked at in steps of a pixel, from within the coarse rim, which lies inside the fruit, to well outside."""


class EdgeFinder:
    """Finds the edge of fruit along rays. What is the same for every frame is made once."""

    def __init__(self, most_fruit: int) -> None:
        away = np.arange(_FIRST_STEP, _FIRST_STEP + _STEPS, dtype=np.float32)
        self._steps_x, self._steps_y = (np.tile(away[:, None] * along, most_fruit) for along in RAYS)
        self._number = np.arange(1, _STEPS + 1, dtype=np.uint8)[:, None]

    def sharpened(
        self, distance: NDArray[np.uint8], centre: Floats, radius: Floats, least_counts: int
    ) -> tuple[Floats, Floats]:
        """Radius where the pixel is half fruit, half belt: between two samples by a straight line. (n, N_RAYS) px. And
        how sharp the edges are, (n,): the share of the step from fruit to belt that lies within one pixel.

        The level just inside the rim is the fruit's own, so that bright and dark fruit are cut at the same place.
        radius: (n, N_RAYS) px of the coarse rim about centre (2, n).
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
        step = np.maximum(before - after, np.float32(1e-3))
        part = (before - half) / step
        sharpness = np.where(known, step / np.maximum(level, 1), 0).reshape(radius.shape) @ _EACH_RAY
        part += outside
        part += np.float32(_FIRST_STEP - 1)
        return np.asarray(radius + np.where(known, part, 0).reshape(radius.shape)), sharpness


_WITHIN = np.array([0.5, 0.6], np.float32)
_FARTHEST = np.float32(0.9) * _WITHIN[:, None, None]
"""Where a ray is surely in the fruit: at these shares of its length, of which only so much counts as nine tenths of
the mean ray, for the longest rays end in a leaf."""
_DEPTHS = np.array([0.5, 0.6, 0.7, 0.8, 0.9], np.float32)
"""Shares of a ray's length at which it is looked at; at its end half is belt."""
_PLACES = np.concatenate([_WITHIN, _DEPTHS])[:, None, None]
_FROM_EDGE = np.arange(len(_DEPTHS), 0, -1, dtype=np.uint8)[:, None]
"""Depths numbered from the edge inwards: the deepest change has the greatest number."""
_BEFORE = np.concatenate([_DEPTHS[:1], _DEPTHS[:-1], [1.0]])[::-1].astype(np.float32)
"""By that number, the depth before; 0 stands for no change."""
_OTHER_MATTER = 0.5
"""A place whose distance from the belt is less than this share of the fruit's own may be a leaf, a smear or a rot: the
share at which the edge against the belt is cut, too."""


def _first_change(distance: NDArray[np.uint8], centre: Floats, outer: Floats, least_counts: int) -> Floats:
    """Radius at which each ray first leaves what the fruit's inside looks like, (n, N_RAYS) px; `outer` if nowhere.

    A leaf is wider than two rays: every second one is looked at, and speaks for its neighbour.
    """
    every_second = outer[:, ::2]
    rays = every_second.size
    away = every_second * _PLACES
    within = away[: len(_WITHIN)]
    np.minimum(within, every_second.mean(axis=1, keepdims=True) * _FARTHEST, out=within)
    x = (away * RAYS[0, ::2] + centre[0][:, None]).reshape(-1, rays)
    y = (away * RAYS[1, ::2] + centre[1][:, None]).reshape(-1, rays)
    samples = cv2.remap(distance, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    inside = (samples[0].astype(np.float32) + samples[1]) * np.float32(_OTHER_MATTER / 2)
    other = samples[len(_WITHIN) :] < np.maximum(inside, least_counts)
    share = _BEFORE.take((other * _FROM_EDGE).max(axis=0))
    return np.asarray(outer * np.repeat(share.reshape(len(outer), -1), 2, axis=1))


def _waves(harmonics: int) -> Floats:
    """(N_RAYS, 2 * harmonics + 1): a circle and its first harmonics, out of which the outline of a fruit is made."""
    order = np.arange(1, harmonics + 1)[:, None]
    waves = np.concatenate([np.ones((1, N_RAYS)), np.cos(order * RAY_ANGLES), np.sin(order * RAY_ANGLES)])
    return np.asarray(waves.T, np.float32)


_WAVES = _waves(4)
_N_WAVES = _WAVES.shape[1]
_WAVE_PAIRS = np.asarray((_WAVES[:, :, None] * _WAVES[:, None, :]).reshape(N_RAYS, -1), np.float32)
_SMOOTH = np.asarray(_WAVES @ np.linalg.pinv(_WAVES), np.float32)  # (N_RAYS, N_RAYS): radii onto their smooth line
_STIFF = np.diag(np.array([0.2, 0.2, 0.2, 0.4, 0.8, 0.2, 0.2, 0.4, 0.8], np.float32))
"""How little a fruit's outline waves about an ellipse, in the weight of a ray: to an outline that is known it does
nothing; where a leaf hides much of one, the line is the ellipse's."""
_CIRCLE = np.array([1, 0, 1, 0, 0], np.float32)
_ROUND = np.diag(np.array([0.3, 0.3, 0.3, 0, 0], np.float32))
"""Terms of an ellipse, x^2, xy, y^2, x, y, that are a circle, and how much like one it is, likewise."""
_LEAST_CURVED = np.float32(0.1)
_SQUARES = np.stack([RAYS[0] * RAYS[0], RAYS[0] * RAYS[1], RAYS[1] * RAYS[1]])
_DOUBT, _HIDDEN = np.float32(0.02), np.float32(0.0003)
"""Weight of a ray that may not end at the fruit's edge: enough to keep waves tied down where there are many; and where
an ellipse does that."""
_HIDDEN_RAYS = 6
"""Rays side by side that change their matter, 45 degrees, some of which stand out: a leaf lies there. The dark side of
a fruit changes as much and stands out nowhere; an odd shape stands out and is the fruit's own matter."""
_MOST_ROUNDS = 8


def fruit_alone(
    distance: NDArray[np.uint8], centre: Floats, outer: Floats, least_counts: int, bulge_px: float
) -> Floats:
    """Radii of the fruit without what lies beside it: leaves, labels, smears, stalks. (n, N_RAYS) px.

    An outline as smooth as a fruit's stands as it is. In one that bulges, where a ray changes its matter before it
    reaches the belt, the fruit may end at the change (then a leaf follows) or at the belt (then it was a rot at its
    rim). A smooth line, fitted to the rays that do not change and do not stick out of it, decides: a few waves, or
    where much of the outline is hidden an ellipse with hardly any. Nothing is left standing out of that line.
    """
    out_of_line = outer - outer @ _SMOOTH
    bulging = np.flatnonzero((out_of_line > np.float32(bulge_px / 2)).any(axis=1))
    if not len(bulging):
        return outer
    outer_there = outer[bulging]
    inner = _first_change(distance, centre[:, bulging], outer_there, least_counts)
    doubtful = (inner < outer_there) | (out_of_line[bulging] > bulge_px)
    asked = np.flatnonzero(doubtful.any(axis=1))
    radius = outer.copy()
    other, standing_out = inner[asked] < outer_there[asked], out_of_line[bulging[asked]] > bulge_px
    leafy = _is_wide(other) & (other & standing_out).any(axis=1)
    radius[bulging[asked]] = _fitted(inner[asked], outer_there[asked], doubtful[asked], leafy, bulge_px)
    return radius


def _fitted(
    inner: Floats, outer: Floats, doubtful: NDArray[np.bool_], leafy: NDArray[np.bool_], bulge_px: float
) -> Floats:
    """Radii by the smooth line of `fruit_alone`: least squares, weighed anew by what it says of each ray.

    All (n, N_RAYS). inner, outer: where a ray ends at the least and at the most, the same where it does not change.
    doubtful: it hardly counts at first. leafy: (n,) bool, a leaf lies over much of it.
    """
    radius = np.empty_like(outer)
    row = np.arange(len(outer))
    known = (inner + outer) / 2
    doubt, stiff, middle = np.full((len(row), 1), _DOUBT), np.zeros((len(row), 1, 1), np.float32), np.zeros_like(outer)
    if leafy.any():
        doubt[leafy], stiff[leafy] = _HIDDEN, 1.0
        middle[leafy] = _ellipse(outer[leafy], np.where(doubtful[leafy], _HIDDEN, np.float32(1.0)))
    for _ in range(_MOST_ROUNDS):
        weight = np.where(doubtful, doubt, np.float32(1.0))
        normal = (weight @ _WAVE_PAIRS).reshape(len(row), _N_WAVES, _N_WAVES) + stiff * _STIFF
        off = (weight * (known - middle)) @ _WAVES
        smooth = middle + np.linalg.solve(normal, off[:, :, None])[:, :, 0] @ _WAVES.T
        known = np.minimum(np.maximum(smooth, inner), outer)
        most = smooth + np.float32(bulge_px)
        radius[row] = np.minimum(known, most)
        again = (inner < outer) | (known > most)
        unsettled = np.flatnonzero((again != doubtful).any(axis=1))  # half as many from round to round
        if not len(unsettled):
            break
        row, known, doubtful, doubt = row[unsettled], known[unsettled], again[unsettled], doubt[unsettled]
        inner, outer, stiff, middle = inner[unsettled], outer[unsettled], stiff[unsettled], middle[unsettled]
    return radius


def _is_wide(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) where marked rays (n, N_RAYS) stand side by side over so much of an outline that waves say nothing."""
    around = np.concatenate([marked, marked[:, : _HIDDEN_RAYS - 1]], axis=1)
    run = marked
    for ray in range(1, _HIDDEN_RAYS):
        run = run & around[:, ray : ray + N_RAYS]
    return np.asarray(run.any(axis=1))


def _ellipse(radius: Floats, weight: Floats) -> Floats:
    """Radii (n, N_RAYS) of the ellipses through the ends of rays, by least squares. Their middles lie anywhere: that of
    an outline is not the fruit's where a leaf is part of it."""
    mean = (weight * radius).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
    x, y = (radius / mean) * RAYS[:, None]
    terms = np.stack([x * x, x * y, y * y, x, y], axis=1)  # an ellipse is where a sum of them is 1
    weighted = terms * weight[:, None]
    normal = weighted @ terms.transpose(0, 2, 1) + _ROUND
    ellipse = np.linalg.solve(normal, (weighted.sum(axis=2) + _ROUND @ _CIRCLE)[:, :, None])[:, :, 0]
    square = np.maximum(ellipse[:, :3] @ _SQUARES, _LEAST_CURVED)
    linear = ellipse[:, 3:] @ RAYS
    return np.asarray(mean * (np.sqrt(linear * linear + 4 * square) - linear) / (2 * square))
