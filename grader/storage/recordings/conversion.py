"""From one form to the other, without loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from grader.storage.recordings.creation import is_packed_name, whole_or_not_at_all
from grader.storage.recordings.findings import Findings
from grader.storage.recordings.folder import FolderSink, strangers
from grader.storage.recordings.manifest import Manifest
from grader.storage.recordings.opening import open_stored, truth_table
from grader.storage.recordings.packed import PackedSink
from grader.storage.recordings.recording import StoredRecording
from grader.storage.recordings.tables import Table
from grader.storage.recordings.writer import Sink

Progress = Callable[[int, int], None]
"""Called with the frames done and the frames in all."""


def convert(source: Path, target: Path, progress: Progress | None = None) -> tuple[str, ...]:
    """Write `source` as `target`: packed when its name ends in .packed, else a folder.

    Carries recording.toml as it stands, every cell of every table, truth.csv, and every pixel. A picture that is
    damaged, of the wrong size, a JPEG or of 16 bits travels as the file that it is. Returns the source's warnings and
    what could not be carried, in words: a packed frame whose bytes were lost stays a frame whose picture is missing.
    Nothing stands under the name of `target` until it is whole. Raises BadRecording.
    """
    recording = open_stored(source, Findings())
    with whole_or_not_at_all(target) as part:
        sink = _sink(part, recording.manifest, packed=is_packed_name(target))
        try:
            lost = _carry(recording, sink, truth_table(source), progress)
        except BaseException:
            sink.close(whole=False)
            raise
        sink.close(whole=not recording.cut)
    left = (f"{file}: belongs to no part of a recording: left behind" for file in strangers(recording))
    return (*recording.warnings, *lost, *left)


def _sink(path: Path, manifest: Manifest, *, packed: bool) -> Sink:
    if packed:
        return PackedSink(path, manifest.text)
    return FolderSink(path, manifest.text, manifest.installation.cameras)


def _carry(recording: StoredRecording, sink: Sink, truth: Table | None, progress: Progress | None) -> list[str]:
    lost: list[str] = []
    tables = {name: table for name, table in recording.tables.items() if name != "frames"}
    for name, table in (tables | ({"truth": truth} if truth is not None else {})).items():
        sink.put_header(name, table.columns)
        for _, cells in table.rows():
            sink.put_row(name, table.columns, cells)
    frames = recording.tables["frames"]
    sink.put_header("frames", frames.columns)
    for done, stored in enumerate(recording.stored_frames(), start=1):
        if stored.damage and stored.damage != "missing":
            lost.append(f"{frames.file}: picture {done} is {stored.damage}: not carried whole")
        sink.put_frame(frames.columns, stored.cells, stored.pixels, stored.files)
        if progress is not None:
            progress(done, len(recording.frame_rows))
    return lost
