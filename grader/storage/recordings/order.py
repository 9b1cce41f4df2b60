"""Frames in the order in which the belt passed, whatever order their rows stand in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

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
