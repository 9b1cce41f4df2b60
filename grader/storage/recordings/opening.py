"""Which form a path holds."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from grader.errors import BadRecording
from grader.storage.recordings.findings import Findings
from grader.storage.recordings.folder import MANIFEST, FolderRecording, picture_files
from grader.storage.recordings.gradable import check_gradable
from grader.storage.recordings.packed import PackedRecording, packed_truth
from grader.storage.recordings.recording import Recording, StoredRecording
from grader.storage.recordings.tables import TABLES, CsvTable, Table, require_regular_file


def open_recording(path: Path) -> Recording:
    """Read and check everything but the pictures. Raises BadRecording with file, row and remedy."""
    return open_stored(path, Findings())


def open_stored(path: Path, findings: Findings) -> StoredRecording:
    """As `open_recording`, reporting to findings."""
    if path.is_dir():
        return FolderRecording(path, findings)
    require_regular_file(path)
    if path.suffix in (".toml", ".csv") and (path.parent / MANIFEST).is_file():
        raise BadRecording(path, "is a part of a recording", remedy=f"name its folder, {path.parent}")
    return PackedRecording(path, findings)


def open_gradable(path: Path) -> Recording:
    """As `open_recording`; raises BadRecording, too, where no fruit can be graded by it."""
    recording = open_stored(path, findings := Findings())
    check_gradable(recording, findings)
    return recording


def truth_table(path: Path) -> Table | None:
    """truth.csv of a recording of either form; None where it has none."""
    if not path.is_dir():
        require_regular_file(path)
        return packed_truth(path)
    file = path / "truth.csv"
    return CsvTable(file) if file.exists() else None


def read_truth(path: Path) -> list[dict[str, str]]:
    """Rows of truth.csv as text by column, for those who judge a station; never for a station.

    Raises BadRecording when there is none or a row cannot be read.
    """
    table = truth_table(path)
    if table is None:
        raise BadRecording(path / "truth.csv", "is not there", remedy="only simulated or marked recordings have one")
    found: list[dict[str, str]] = []
    for row, cells in table.rows():
        if len(cells) != len(table.columns):
            raise BadRecording(table.file, f"has {len(cells)} cells, the header {len(table.columns)}", row=row)
        found.append(dict(zip(table.columns, cells, strict=True)))
    return found


def recording_sha256(path: Path) -> str:
    """Hex digest of the bytes that a station reads: the packed file, or recording.toml, the tables but truth.csv, and
    the pictures that frames.csv names, each with its name and size. Of a picture that is too large for its camera, and
    is therefore not read, it is name and size alone. The two forms of one recording have different digests.
    """
    digest = hashlib.sha256()
    for name, file, limit in _digested(path):
        size = file.stat().st_size
        digest.update(f"{name}\0{size}\0".encode())
        if limit is not None and size > limit:
            continue
        with file.open("rb") as data:
            while block := data.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _digested(path: Path) -> Iterator[tuple[str, Path, int | None]]:
    """Name and file of each part, and above how many bytes it is not read."""
    if not path.is_dir():
        require_regular_file(path)
        yield "packed", path, None
        return
    tables = [f"{name}.csv" for name in TABLES if name != "truth"]
    parts: dict[str, int | None] = dict.fromkeys((MANIFEST, *tables))
    for name, limit in {**parts, **picture_files(FolderRecording(path, Findings()))}.items():
        if os.path.isfile(path / name):  # noqa: PTH113  a name too long for a file is no file, and no error
            yield name, path / name, limit
