"""Every problem of a recording, for the one who has to put it right."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from grader.errors import BadRecording
from grader.storage.recordings.findings import Findings, Problem
from grader.storage.recordings.folder import strangers
from grader.storage.recordings.gradable import check_gradable
from grader.storage.recordings.opening import open_stored, truth_table
from grader.storage.recordings.recording import StoredRecording
from grader.storage.recordings.rows import whole
from grader.vision.sight import KNOWN_AGAIN, sight_of, trouble

Progress = Callable[[int, int], None]


def validate(path: Path, progress: Progress | None = None) -> list[Problem]:
    """Read all of a recording, pictures included, and say everything that is wrong with it; empty when nothing is.

    An error keeps the recording from being opened; a warning becomes a flag on the fruit that it touches, or was left
    out. When recording.toml itself is in error the tables cannot be judged and are not.
    """
    findings = Findings(strict=False)
    try:
        recording = open_stored(path, findings)
    except BadRecording as error:
        if not findings.failed:
            findings.caught(error)
    else:
        check_gradable(recording, findings)
        _check_order(recording, findings)
        _check_pictures(recording, findings, progress)
        for file in strangers(recording):
            findings.warn(file, "belongs to no part of a recording", remedy="a conversion leaves it behind")
    try:
        _check_truth(path, findings)
    except BadRecording as error:
        findings.caught(error)
    return findings.problems


def _check_order(recording: StoredRecording, findings: Findings) -> None:
    """Per camera: sequence numbers that leave gaps, repeat or run back; pulses that do not rise as they do."""
    file = recording.tables["frames"].file
    for camera, place in recording.installation.cameras.items():
        rows = [row for row in recording.frame_rows if row.kind == "fruit" and row.camera == camera]
        half, crept = place.pulses_per_frame / 2, 0
        for before, row in pairwise(rows):
            step = row.sequence - before.sequence
            if step == 0:
                findings.warn(file, f"sequence {row.sequence} is there twice", row=row.row)
            elif step < 0:
                findings.warn(file, f"sequence runs back from {before.sequence} to {row.sequence}", row=row.row)
            elif step > 1:
                findings.warn(file, f"{step - 1} frames are lost before sequence {row.sequence}", row=row.row)
            travel = (row.pulse or 0) - (before.pulse or 0)
            if travel < 0:
                findings.warn(file, f"pulse runs back by {-travel}", row=row.row)
            elif step > 0 and travel == 0:
                findings.warn(file, "pulse stands still while the camera counts on", row=row.row)
            elif step > 0 and abs(travel - step * place.pulses_per_frame) > half:
                findings.warn(file, f"pulse moves by {travel} in {step} frames", row=row.row)
            elif step > 0:
                crept += travel - step * place.pulses_per_frame
                if abs(crept) > half:
                    findings.warn(file, f"pulse has crept {crept:+d} away from what the camera counted", row=row.row)
                    crept = 0


def _check_pictures(recording: StoredRecording, findings: Findings, progress: Progress | None) -> None:
    file, installation = recording.tables["frames"].file, recording.installation
    done = 0
    for kind in dict.fromkeys(row.kind for row in recording.frame_rows):
        rows = (row for row in recording.frame_rows if row.kind == kind)
        latest: dict[str, deque[bytes]] = defaultdict(lambda: deque(maxlen=KNOWN_AGAIN))
        for row, frame in zip(rows, recording.pictures(kind), strict=True):
            done += 1
            if frame.pixels is None:
                findings.warn(file, f"picture {row.file[:80]!r} is not usable: {frame.damage}", row=row.row)
            elif kind == "fruit":
                sight, before = sight_of(frame.pixels), latest[row.camera]
                wrong = trouble(sight, before, installation.cameras[row.camera], installation.line.lanes)
                before.append(sight)
                if wrong is not None:
                    findings.warn(file, f"picture {row.file[:80]!r} {wrong.value}", row=row.row)
            if progress is not None:
                progress(done, len(recording.frame_rows))


def _check_truth(path: Path, findings: Findings) -> None:
    table = truth_table(path)
    if table is None:
        return
    if table.columns[:2] != ("lane", "cup"):
        findings.error(table.file, "does not begin with lane, cup", row=1, remedy="put these columns first")
        return
    for row, cells in table.rows():
        if len(cells) != len(table.columns) or whole(cells[0]) is None or whole(cells[1]) is None:
            findings.error(table.file, "has no lane and cup, or not a cell for each column", row=row)
