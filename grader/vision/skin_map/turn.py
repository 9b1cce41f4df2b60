"""How far a fruit turned from view to view, seen on its skin.

Every view is laid out by longitude (`vision.face`). What stands still while the fruit turns is shading and gloss: it is
taken out by comparing each cell with its own mean over the fruit's views. Two views are then compared at all shifts of
longitude at once, by way of their Fourier transforms, and a turn per pulse is as good as all pairs of views agree where
it says that they lie; views a full turn apart meet again and make it exact. A fruit that is all of one colour, or views
that are not of one fruit, agree nowhere: `likeness`, `lead` and `across` say how sure the answer is.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.vision.face import LONGITUDE_DEG, N_COLUMNS, N_ROWS

Floats = NDArray[np.float32]
Index = NDArray[np.integer]

_STEP_RAD = float(np.radians(LONGITUDE_DEG[1] - LONGITUDE_DEG[0]))
_LENGTH = 80
"""Of the transforms: a face and its largest shift fit in without meeting themselves."""
_FARTHEST_RAD = np.radians(95.0)
"""Faces shifted further have too little skin in common."""
_COARSE_SHARES = np.linspace(0.5, 1.6, 110)
"""Turns that are tried both ways round, as shares of the nominal one: from one to the next, views 20 frames of 22
degrees apart shift by less than a cell."""
_RIVAL_SHARE = 0.11
"""Turns that differ by less are the same answer."""
_LEAST_SIDE, _USUAL_MARKS = 4, 0.8
"""So many views on either side of a moment say whether both are of one fruit; and where they show few marks, as a fruit
does between two spots, the likeness of all views counts so much beside their own."""
_UNUSUAL = 0.2
"""Share by which fruit turn otherwise than they should when they slip on their rollers."""
_FINE_STEPS = np.linspace(-1.0, 1.0, 9)
_DARKEST = np.float32(8.0)
"""Counts added before logarithms, so that noise in the dark stays small."""
_LOG = np.log(np.arange(256, dtype=np.float32) + _DARKEST)
_NEARLY_ALL, _GLOSS = 0.97, np.float32(0.15)
"""So much brighter, in log counts, than nearly all of the fruit's skin is gloss."""
_CLIP = 3.0
_BROAD_COLUMNS = 11
"""60 degrees: what is broader is no pore."""
_STRAIGHT_ON = np.cos(np.radians(LONGITUDE_DEG)).astype(np.float32)


class Turn(NamedTuple):
    """rad_per_pulse: longitude that skin gains about y, signed: positive from z (the lens) towards x (downstream).

    likeness: 0..1, how far all views agree at that turn. lead: by how much more than at any other turn. across: how far
    the views before some moment agree with those after it, for the moment at which they do so least: hardly at all
    where another fruit came into the cup, or the count of pulses jumped.
    """

    rad_per_pulse: float
    likeness: float
    lead: float
    across: float


def turn_seen(
    faces: NDArray[np.uint8],
    pulses: NDArray[np.int64],
    ahead_rad: NDArray[np.float64],
    nominal_rad_per_pulse: float,
    *,
    unlikely: float = 0.0,
    fine: bool = False,
) -> Turn:
    """The turn of one fruit from its v > 1 views.

    faces: (v, N_ROWS * N_COLUMNS, 3) as `FaceSampler.sample` gives them. pulses: (v,) different ones. ahead_rad: (v,)
    longitude at which each view's own middle lies ahead of the vertical, from where the lens is. unlikely: by so much
    must a turn be more like to be believed when it is off the nominal one, either way round, by a share of _UNUSUAL; it
    goes with the square. fine: of a fruit that is much the same all round; pores count as much as patches of colour.
    """
    one, other = _pairs(len(faces))
    likeness = _Likeness(faces, one, other, fine=fine)
    apart = (pulses[other] - pulses[one]).astype(np.float64)
    ahead = ahead_rad[other] - ahead_rad[one]
    tried = nominal_rad_per_pulse * np.concatenate([_COARSE_SHARES, -_COARSE_SHARES])
    coarse = likeness.at(tried[:, None] * apart + ahead)
    unusual = unlikely * np.square((np.abs(tried / nominal_rad_per_pulse) - 1.0) / _UNUSUAL)
    best = int(np.where(_peaks(coarse), coarse - unusual, -np.inf).argmax())
    step = nominal_rad_per_pulse * (_COARSE_SHARES[1] - _COARSE_SHARES[0])
    near = tried[best] + step * _FINE_STEPS
    closer = likeness.at(near[:, None] * apart + ahead)
    at = min(max(int(closer.argmax()), 1), len(near) - 2)
    before, top, after = closer[at - 1 : at + 2]
    bend = before - 2.0 * top + after
    between = 0.5 * (before - after) / bend if bend < 0 else 0.0
    rate = float(near[at] + between * (near[1] - near[0]))
    rivals = (coarse - unusual)[np.abs(tried - rate) > _RIVAL_SHARE * nominal_rad_per_pulse]
    lead = float(top - unusual[best] - rivals.max())
    return Turn(rate, float(top), lead, likeness.across(rate * apart + ahead, one, other))


def _peaks(coarse: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Marks turns that are likelier than those beside them. What is usual says which peak is believed, not where its
    top is."""
    either_way = coarse.reshape(2, -1)
    beside = np.pad(either_way, [(0, 0), (1, 1)], constant_values=-1.0)
    return np.asarray((either_way >= beside[:, :-2]) & (either_way >= beside[:, 2:])).ravel()


@cache
def _pairs(views: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every pair of views, the earlier one first."""
    one, other = np.triu_indices(views, 1)
    return one, other


class _Likeness:
    """How much alike all pairs of a fruit's views are, each at any shift."""

    def __init__(
        self, faces: NDArray[np.uint8], one: NDArray[np.int64], other: NDArray[np.int64], *, fine: bool
    ) -> None:
        marks, weight = _marks(faces)
        if fine:
            marks = np.concatenate([marks, _fine(marks, weight)])
        of_marks = np.fft.rfft(np.concatenate(weight * marks, axis=1), _LENGTH, axis=-1)  # (v, kinds, frequencies)
        of_square = np.fft.rfft(weight * np.square(marks).sum(axis=0), _LENGTH, axis=-1)
        of_weight = np.fft.rfft(weight, _LENGTH, axis=-1)
        common, half = _correlated(of_marks, of_marks), _correlated(of_square, of_weight)
        power = half + half.conj().transpose(1, 0, 2)
        both = np.fft.irfft(np.stack([common[one, other], power[one, other]]), _LENGTH, axis=-1)
        self._both = (both[0] + 1j * both[1]).astype(np.complex64).ravel()
        self._first = (np.arange(len(one)) * _LENGTH).astype(np.int32)

    def at(self, shifts_rad: NDArray[np.float64]) -> NDArray[np.float64]:
        """(turns, pairs) shifts that each turn tried says -> (turns,): 1 where all marks lie on each other."""
        at, beyond, lower, upper = self._places(shifts_rad)
        both = np.einsum("tp,tp->t", self._both[at], lower) + np.einsum("tp,tp->t", self._both[beyond], upper)
        return np.asarray(2.0 * both.real / np.maximum(both.imag, 1e-6), np.float64)

    def _places(self, shifts_rad: NDArray[np.float64]) -> tuple[Index, Index, Floats, Floats]:
        """Of (turns, pairs) shifts: the steps below and above them in the table, and how far each counts; 0 where too
        little skin is in common."""
        turns = shifts_rad.astype(np.float32) * np.float32(0.5 / np.pi)
        cells = (turns - np.rint(turns)) * np.float32(2.0 * np.pi / _STEP_RAD)
        near = np.abs(cells) < np.float32(_FARTHEST_RAD / _STEP_RAD)
        low = np.floor(cells)
        upper = cells - low
        at = low.astype(np.int32)
        upper *= near
        beyond = at + 1
        at += (at < 0) * np.int32(_LENGTH)
        beyond += (beyond < 0) * np.int32(_LENGTH)
        at += self._first
        beyond += self._first
        return at, beyond, near - upper, upper

    def across(self, shifts_rad: NDArray[np.float64], one: Index, other: Index) -> float:
        """Of pairs (one, other) with these shifts (pairs,): the least likeness of those on both sides of a moment."""
        at, beyond, lower, upper = self._places(shifts_rad)
        of_pair = self._both[at] * lower + self._both[beyond] * upper
        usual = of_pair.sum() * (_USUAL_MARKS / max(float((lower + upper).sum()), 1e-6))
        moments = np.arange(_LEAST_SIDE, other[-1] + 2 - _LEAST_SIDE)
        apart = (one < moments[:, None]) & (moments[:, None] <= other)
        of_moment = apart @ of_pair + usual * (apart @ (lower + upper))
        return float((2.0 * of_moment.real / np.maximum(of_moment.imag, 1e-6)).min(initial=1.0))


def _marks(faces: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """What is peculiar to each cell of each view, (2, v, rows, columns), and how far it counts, (v, rows, columns).

    Rows are taken two by two: what is finer along the axis helps no comparison along the girth.
    """
    logs = cv2.LUT(faces, _LOG).reshape(len(faces), N_ROWS, N_COLUMNS, 3)
    values = np.empty((2, *logs.shape[:3]), np.float32)
    np.subtract(logs[..., 2], logs[..., 1], out=values[0])
    np.mean(logs, axis=-1, out=values[1])
    some = np.sort(values[1][:, ::4, ::4], axis=None)
    weight = _STRAIGHT_ON * (values[1] < some[int(_NEARLY_ALL * len(some))] + _GLOSS)
    usual = (values * weight).sum(axis=1) / np.maximum(weight.sum(axis=0), 1e-6)
    marks = values - usual[:, None]
    spread = np.sqrt((weight * marks * marks).sum(axis=(1, 2, 3)) / weight.sum()) + 0.02
    marks = weight * np.clip(marks / spread[:, None, None, None], -_CLIP, _CLIP)
    paired = weight[:, ::2] + weight[:, 1::2]
    return (marks[:, :, ::2] + marks[:, :, 1::2]) / np.maximum(paired, 1e-6), paired


def _fine(marks: Floats, weight: Floats) -> Floats:
    """What is left of marks (kinds, v, rows, columns) less their mean along the girth, as strong as they were.

    Light and gloss that wander a little from view to view are broad; they would be taken for a slow turn.
    """
    columns = marks.shape[-1]
    broad = cv2.blur((weight * marks).reshape(-1, columns), (_BROAD_COLUMNS, 1))
    of_weight = cv2.blur(np.broadcast_to(weight, marks.shape).reshape(-1, columns), (_BROAD_COLUMNS, 1))
    left = marks - (broad / np.maximum(of_weight, 1e-3)).reshape(marks.shape)
    spread = np.sqrt((weight * left * left).sum(axis=(1, 2, 3)) / weight.sum()) + 1e-3
    return np.asarray(np.clip(left / spread[:, None, None, None], -_CLIP, _CLIP), np.float32)


def _correlated(one: NDArray[np.complex128], other: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """(v, rows, f), (v, rows, f) -> (v, v, f): spectra of the correlations of all views with all, summed over rows."""
    return np.asarray(np.matmul(one.conj().transpose(2, 0, 1), other.transpose(2, 1, 0)).transpose(1, 2, 0))
