"""Frames in the order in which the belt passed, whatever order their rows stand in; and whether it passed as stated."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median

from grader.domain.installation import Installation
from grader.storage.recordings.findings import Findings
from grader.storage.recordings.rows import FrameRow


def in_belt_order(rows: Sequence[FrameRow]) -> tuple[list[FrameRow], frozenset[int]]:
    """Rows by their pulses, those of one pulse in file order; and the row numbers that stood out of order.

    Out of order are the fewest rows without which the pulses of their camera never run back: one row with a wild pulse
    is out of order itself, not everything that follows it.
    """
    moved: set[int] = set()
    for camera in {row.camera for row in rows}:
        of_camera = [row for row in rows if row.camera == camera]
        kept = _longest_rise([_pulse(row) for row in of_camera])
        moved.update(row.row for at, row in enumerate(of_camera) if at not in kept)
    return sorted(rows, key=_pulse), frozenset(moved)


_FEWEST_STEPS = 3
_DRIFT_SHARE = 0.02
"""A camera that the encoder triggers keeps its step to a pulse; half of a cup's place is lost in 25 frames of this."""


def check_steps(file: Path, rows: Sequence[FrameRow], installation: Installation, findings: Findings) -> None:
    """An error where the pulses of a camera do not pass as recording.toml states: no cup can be told by them."""
    for camera, place in installation.cameras.items():
        steps = list(_steps([row for row in rows if row.kind == "fruit" and row.camera == camera]))
        if len(steps) < _FEWEST_STEPS:
            continue
        usual, stated = median(steps), place.pulses_per_frame
        if usual == 0:
            findings.error(
                file,
                f"the pulse stands still in most of {len(steps) + 1} pictures of {camera}",
                remedy="the encoder was silent, or its column is not the pulse: cups cannot be told apart",
            )
        elif abs(usual - stated) > max(1.0, _DRIFT_SHARE * stated):
            findings.error(
                file,
                f"pictures of {camera} come every {usual:g} pulses, recording.toml says {stated}",
                remedy=f"correct pulses_per_frame in [cameras.{camera}], or find out what the encoder counted",
            )


def _steps(rows: Sequence[FrameRow]) -> Iterator[int]:
    """Pulses from each frame to the one that the camera counted next."""
    for before, row in pairwise(sorted(rows, key=lambda row: row.sequence)):
        if row.sequence - before.sequence == 1:
            yield _pulse(row) - _pulse(before)


def _pulse(row: FrameRow) -> int:
    return 0 if row.pulse is None else row.pulse


def _longest_rise(values: Sequence[int]) -> set[int]:
    """Places of a longest sequence of values that never falls, by patience sorting: n log n."""
    ends: list[int] = []  # ends[k]: the least value that a rise of k + 1 values can end with
    at_end: list[int] = []  # its place
    before: list[int] = []  # the place before each value in the best rise that ends with it
    for place, value in enumerate(values):
        length = bisect_right(ends, value)
        before.append(at_end[length - 1] if length else -1)
        ends[length : length + 1] = [value]
        at_end[length : length + 1] = [place]
    kept: set[int] = set()
    place = at_end[-1] if at_end else -1
    while place >= 0:
        kept.add(place)
        place = before[place]
    return kept
