"""Whether fruit are seen where their cups are said to be.

A fruit rides in the middle of its cup, give or take a fifth of a cup, for as long as it is in the picture. Where the
encoder has slipped, where its pulses do not follow the belt, where a camera was moved or described wrongly, fruit stand
beside their places or wander off them from frame to frame: then nobody can say for certain which cup they are in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grader.domain.views import VIEW_COLUMNS
from grader.tracking.settings import TrackSettings
from grader.tracking.state import Course

Values = NDArray[np.float64]


def off_mm(
    views: NDArray[np.float32],
    pulses: NDArray[np.int64],
    whole: NDArray[np.bool_],
    lane: NDArray[np.int64],
    cup: NDArray[np.int64],
    course: Course,
) -> Values:
    """(2, n, v) how far fruit are seen from their places, along the belt and across it; 0 where a view does not count.

    views (n, v, VIEW_WIDTH) float32, pulses (n, v) and whole (n, v) bool as in `combined`; lane, cup (n,).
    """
    travel = (pulses - cup[:, None] * course.pulses_per_cup).astype(np.float64)
    due_mm = travel * course.mm_per_pulse - course.below_lens_mm
    aside_mm = course.lane_aside_mm[lane, None]
    return np.stack([_off(views, "along_mm", due_mm, whole), _off(views, "aside_mm", aside_mm, whole)])


def seats_mm(off: Values, whole: NDArray[np.bool_]) -> Values:
    """(n, 2) how far each fruit lies from its place, mean of the views that count. off: as of `off_mm`."""
    return np.stack([_mean(each, whole) for each in off], axis=1)


def out_of_place(
    off: Values, whole: NDArray[np.bool_], course: Course, settings: TrackSettings
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Marks (n,) cups whose fruit was not seen where it should have been, and (n, v) the views that showed it far off.

    A single view may be mistaken: it marks no cup. off: as of `off_mm`.
    """
    along, aside = off[0] / (course.pulses_per_cup * course.mm_per_pulse), off[1] / course.lane_pitch_mm
    n_whole = np.maximum(whole.sum(axis=1), 1)
    far = np.maximum(np.abs(along), np.abs(aside)) > settings.most_off_cups
    earlier = whole & (2 * np.cumsum(whole, axis=1) <= n_whole[:, None])
    wandered = _mean(along, whole & ~earlier) - _mean(along, earlier)
    often = far.sum(axis=1) > np.maximum(settings.off_share * n_whole, 1)
    return np.asarray(often | (np.abs(wandered) > settings.most_wander_cups)), np.asarray(far)


def _off(views: NDArray[np.float32], column: str, due_mm: Values, whole: NDArray[np.bool_]) -> Values:
    seen_mm = views[:, :, VIEW_COLUMNS[column].start].astype(np.float64)
    return np.where(whole, seen_mm - due_mm, 0.0)


def _mean(values: Values, of: NDArray[np.bool_]) -> Values:
    """(n,) of those marked; 0 where there is none."""
    return np.asarray(np.where(of, values, 0.0).sum(axis=1) / np.maximum(of.sum(axis=1), 1))
