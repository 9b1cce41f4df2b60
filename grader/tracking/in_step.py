"""Whether fruit lie where the encoder says that their cups are.

A fruit rides in the middle of its cup, give or take a tenth of a cup, for as long as it is in the picture. Where the
encoder has slipped, or its pulses do not follow the belt, fruit stand beside their places or wander off them from frame
to frame: then nobody can say which cup they are in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grader.domain.views import VIEW_COLUMNS
from grader.tracking.settings import TrackSettings
from grader.tracking.state import Course


def out_of_step(
    views: NDArray[np.float32],
    pulses: NDArray[np.int64],
    whole: NDArray[np.bool_],
    cup: NDArray[np.int64],
    course: Course,
    settings: TrackSettings,
) -> NDArray[np.bool_]:
    """Marks (n,) cups whose fruit was not seen where it should have been.

    views (n, v, VIEW_WIDTH) float32, pulses (n, v) and whole (n, v) bool as in `combined`; cup (n,) their serials.
    """
    along_mm = views[:, :, VIEW_COLUMNS["along_mm"].start].astype(np.float64)
    due_mm = (pulses - cup[:, None] * course.pulses_per_cup) * course.mm_per_pulse - course.below_lens_mm
    off_cups = np.where(whole, (along_mm - due_mm) / (course.pulses_per_cup * course.mm_per_pulse), 0.0)
    n_whole = np.maximum(whole.sum(axis=1), 1)
    aside = (np.abs(off_cups) > settings.most_off_cups).sum(axis=1) / n_whole > settings.off_share
    earlier = whole & (2 * np.cumsum(whole, axis=1) <= n_whole[:, None])
    later = whole & ~earlier
    wandered_cups = _mean(off_cups, later) - _mean(off_cups, earlier)
    return np.asarray(aside | (np.abs(wandered_cups) > settings.most_wander_cups))


def _mean(values: NDArray[np.float64], of: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) of those marked; 0 where there is none."""
    return np.asarray(np.where(of, values, 0.0).sum(axis=1) / np.maximum(of.sum(axis=1), 1))
