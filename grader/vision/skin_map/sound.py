"""What the sound skin of a fruit looks like, told by the fruit itself, and where its skin is otherwise.

A pigment dims every band in its own proportion (Beer-Lambert's law): what blush takes from red stands in a fixed
proportion to what it takes from green. Ripeness, mottling and what is left of shading change slowly over a fruit. So
the logarithm of red light is a smooth surface over the map plus a share of that of green, and a little of its square:
where hardly any green is left, the camera's noise takes its place. Surface and share are laid through all cells of the
fruit, again and again, each time with less trust in those that are darker than expected: damage is not what its fruit
looks like. Blue is told the same way: where there is far more of it, somebody has stuck a label on.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.vision.light import DARK
from grader.vision.skin_map.blend import Blend
from grader.vision.skin_map.grid import DIRECTIONS, N_LATITUDES, N_LONGITUDES, Floats
from grader.vision.skin_map.regions import Mask, around, connected, grown

_DEGREE = 4
"""Of the surface, in spherical harmonics: it bends within 45 degrees, and no lesion is so large."""
_LEAST_WEIGHT, _MOST_ASLANT = 0.3, 0.5
"""Cells that were seen less, or at more than 60 degrees on average, are not judged: they are as dark as their rim."""
_COARSE = 4
"""Cells of the map to one of the fit, along and across."""
_SOUND = np.float32(0.06)
"""Log light that sound skin is off the surface, at most; the first rounds allow more."""
_ROUNDS = (4.0, 2.0, 1.0, 1.0, 1.0)
_DAMAGE_COUNTS = np.float32(0.1)
_RED_PER_GREEN, _BLUE_PER_GREEN = 0.15, 0.7
"""Usual proportions of what red pigment takes: anthocyanin in apples, between the bands' middles."""
_CALM, _SURE = 0.02, 0.1
"""Share of all cells that a flat surface and the usual proportions are worth."""
_HOLLOW_MISSING, _BESIDE_AXIS_DEG, _HOLLOW_CELLS = np.float32(0.12), 8.0, 3
"""Share of light that a hollow lacks; how far off it may be; and cells around its dark part that belong to it."""
_LEAST_OF_ROW, _MOST_STANDING = N_LONGITUDES // 3, np.float32(0.6)
"""Cells of a row that tell what is common to all of it; and of log light, how much of that is the light's at most."""
_FOREIGN_BLUE, _FOREIGN_GREEN = np.float32(0.5), np.float32(2.0)
"""Log blue above what the skin has; and times the light of red and blue in green: the greenest apples have 1.5."""


class Soundness(NamedTuple):
    """Per cell, (N_LATITUDES, N_LONGITUDES).

    missing: float32, share of red light that the cell lacks against sound skin, below 0 where it has more; 0 where
    hardly any was seen. In hollows, too: what their skin is to be like is known from beside them. veil: float32, log
    blue above that of sound skin. judged: bool, skin that was seen well. foreign: bool, what lies on the skin: labels.
    hollow: bool, stem cavity and calyx basin.
    """

    missing: Floats
    veil: Floats
    judged: Mask
    foreign: Mask
    hollow: Mask


def soundness(skin: Blend, axis: NDArray[np.float64], hollow_deg: float) -> Soundness:
    """axis: (3,) from calyx to stem or back. hollow_deg: so far from it hollows reach; 0 for fruit that have none."""
    along = np.abs(DIRECTIONS @ axis.astype(np.float32))
    shown = skin.weight > _LEAST_WEIGHT
    well_seen = shown & (skin.aslant < _MOST_ASLANT) & (along < _cosine(hollow_deg))
    if np.count_nonzero(well_seen) < well_seen.size // 20:
        nothing = np.zeros_like(well_seen)
        return Soundness(nothing.astype(np.float32), nothing.astype(np.float32), nothing, nothing, nothing)
    logs = np.log(skin.light + DARK)
    red_above, blue_above = (_without_standing_light(above, well_seen) for above in _above_sound(logs, well_seen))
    foreign = grown(well_seen & ((blue_above > _FOREIGN_BLUE) | _is_foreign_green(skin.light)))
    missing = np.where(shown & ~foreign, -np.expm1(red_above), np.float32(0))
    hollow = _hollows(missing, along, hollow_deg) if hollow_deg > 0 else np.zeros_like(shown)
    return Soundness(missing, blue_above, shown & (skin.aslant < _MOST_ASLANT) & ~hollow & ~foreign, foreign, hollow)


def _hollows(missing: Floats, along: Floats, hollow_deg: float) -> Mask:
    """Cells of stem cavity and calyx basin: dark skin at the ends of the stem-calyx axis, as far as it hangs together,
    and the cells around. The axis is not known to a degree, and no hollow is quite where it ends."""
    dark = (missing > _HOLLOW_MISSING) & (along > _cosine(hollow_deg + _BESIDE_AXIS_DEG))
    labels, n = connected(dark)
    is_hollow = np.zeros(n, bool)
    is_hollow[labels[along > _cosine(hollow_deg - _BESIDE_AXIS_DEG)]] = True
    is_hollow[0] = False
    return grown(is_hollow[labels], _HOLLOW_CELLS)


def _cosine(deg: float) -> np.float32:
    return np.float32(np.cos(np.radians(deg)))


def _above_sound(logs: Floats, well_seen: Mask) -> tuple[Floats, Floats]:
    """Log red and log blue of every cell, less what they would be of sound skin."""
    share = _coarsened(well_seen.astype(np.float32))
    some = np.maximum(share, 1e-6)
    blue, green, red = (_coarsened(logs[..., band] * well_seen) / some for band in range(3))
    counts = (share > 0.5).astype(np.float32).ravel()
    whole = counts.sum()
    level = np.float32(green.ravel() @ counts / max(whole, 1.0))
    above = green.ravel() - level
    terms = np.concatenate([_surfaces(), [above, np.square(above)]])  # (terms, cells)
    values = np.stack([red.ravel(), blue.ravel()], axis=1)
    ridge, usual = np.full(len(terms), _CALM * whole, np.float32), np.zeros((len(terms), 2), np.float32)
    ridge[0], ridge[-2:], usual[-2] = 0.0, _SURE * whole, (_RED_PER_GREEN, _BLUE_PER_GREEN)
    trust = counts
    for widen in _ROUNDS:  # each fit trusts what the one before found sound
        trusted = terms * trust
        normal = trusted @ terms.T
        normal[np.diag_indices(len(terms))] += ridge + 1e-3
        found = np.linalg.solve(normal, trusted @ values + ridge[:, None] * usual)
        off = (values[:, 0] - found[:, 0] @ terms) / (_SOUND * np.float32(widen))
        trust = counts / (1 + off * off) * np.where(off < -3, _DAMAGE_COUNTS, np.float32(1))
    surface = (found[:-2].T @ terms[:-2]).reshape(2, N_LATITUDES // _COARSE, N_LONGITUDES // _COARSE)
    green_above = logs[..., 1] - level
    red_surface, blue_surface = (_spread(each) for each in surface)
    red_of_green, blue_of_green = ((each[0] + each[1] * green_above) * green_above for each in found[-2:].T)
    return logs[..., 2] - red_surface - red_of_green, logs[..., 0] - blue_surface - blue_of_green


def _without_standing_light(above: Floats, well_seen: Mask) -> Floats:
    """Light that comes from one side falls on the same latitudes in every view: what all cells of a row have in common,
    whatever their longitude, is the light's."""
    known = np.count_nonzero(well_seen, axis=1)
    ordered = np.sort(np.where(well_seen, above, np.float32(np.inf)), axis=1)
    usual = ordered[np.arange(len(known)), known // 2]
    return above - np.where(known >= _LEAST_OF_ROW, np.clip(usual, -_MOST_STANDING, _MOST_STANDING), 0)[:, None]


def _coarsened(values: Floats) -> Floats:
    size = (N_LONGITUDES // _COARSE, N_LATITUDES // _COARSE)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA))


def _spread(coarse: Floats) -> Floats:
    """From the cells of a fit to those of the map, between them by straight lines."""
    wide = around(coarse, 1)
    fine = cv2.resize(wide, (wide.shape[1] * _COARSE, N_LATITUDES), interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine[:, _COARSE:-_COARSE])


@cache
def _surfaces() -> Floats:
    """(terms, cells of a fit) float32: an orthogonal basis of all polynomials of degree _DEGREE over the sphere, which
    are its harmonics; the first is the constant."""
    towards = np.stack([_coarsened(DIRECTIONS[..., i]) for i in range(3)], axis=-1).reshape(-1, 3).astype(np.float64)
    x, y, z = (towards / np.linalg.norm(towards, axis=1, keepdims=True)).T
    monomials = [
        x**i * y**j * z ** (n - i - j)
        for n in (0, _DEGREE - 1, _DEGREE)  # on the sphere those of two degrees less are among those of the higher one
        for i in range(n + 1)
        for j in range(n + 1 - i)
    ]
    basis, lengths = np.linalg.qr(np.stack(monomials, axis=1))
    own = np.abs(np.diag(lengths)) > 1e-9 * np.abs(lengths[0, 0])  # the constant is among the even ones, too
    return np.asarray(basis[:, own].T * np.sqrt(len(basis)), np.float32)


def _is_foreign_green(light: Floats) -> Mask:
    blue, green, red = np.moveaxis(light, -1, 0)
    return np.asarray(green > _FOREIGN_GREEN * np.maximum(red, blue))
