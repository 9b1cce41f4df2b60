"""Whether a station can be run on a recording at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

from grader.domain.installation import usual_camera
from grader.domain.plausible import graded_camera_faults
from grader.storage.recordings.findings import Findings
from grader.storage.recordings.manifest import report
from grader.storage.recordings.recording import StoredRecording
from grader.storage.recordings.rows import FrameRow

_FEWEST_STEPS = 3
_DRIFT_SHARE = 0.02
"""A camera that the encoder triggers keeps its step to a pulse. So far off, 25 frames are a quarter of a cup out."""


def check_gradable(recording: StoredRecording, findings: Findings) -> None:
    """What keeps fruit from being graded by this recording, sound as its parts may be."""
    camera, manifest = recording.graded_by, recording.manifest
    if camera != usual_camera(list(recording.installation.cameras)):  # of that one it was asked already
        report(graded_camera_faults(recording.installation, camera), manifest.lines, manifest.file, findings)
    _check_steps(recording, camera, findings)


def _check_steps(recording: StoredRecording, camera: str, findings: Findings) -> None:
    """The pulses of its pictures have to pass as recording.toml states: else no cup can be told by them."""
    file, stated = recording.tables["frames"].file, recording.installation.cameras[camera].pulses_per_frame
    steps = list(_steps([row for row in recording.frame_rows if row.kind == "fruit" and row.camera == camera]))
    if len(steps) < _FEWEST_STEPS:
        return
    usual = median(steps)
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
            yield (row.pulse or 0) - (before.pulse or 0)
