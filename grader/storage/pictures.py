"""Pictures of fruit in a folder: pictures/000012/3-12345.jpg is lane 3, cup 12345; a thousand cups to a folder.
3-12345-skin.jpg beside it shows all its views, and its whole skin once.

They are no proof of anything, and are written as such: a power cut may take the latest ones. When there are too many,
the folder of the lowest serials goes, which is the oldest.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.storage.retention import PICTURES

CUPS_PER_FOLDER = 1000
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 90)


class PictureFolder:
    """A `grader.ports.PictureKeeper` in a run's folder."""

    def __init__(self, run: Path, bands: Sequence[str], *, most_bytes: int, least_free_bytes: int) -> None:
        """bands: of the pictures; those without blue, green and red are shown by their first. most_bytes: of all
        pictures together. least_free_bytes: of the disk, which are left to others. Raises OSError."""
        self._run, self._most_bytes, self._least_free_bytes = run, most_bytes, least_free_bytes
        colours = [bands.index(band) for band in ("blue", "green", "red") if band in bands]
        self._shown = colours if len(colours) == 3 else [0]
        there = sorted(path for path in (run / PICTURES).glob("*") if path.name.isdecimal())
        self._bytes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in there}  # the oldest first

    def path_of(self, lane: int, cup: int, *, skin: bool = False) -> Path:
        """Where the picture of a fruit is, or that of its skin, if it was kept."""
        name = f"{lane}-{cup}-skin.jpg" if skin else f"{lane}-{cup}.jpg"
        return self._run / PICTURES / f"{cup // CUPS_PER_FOLDER:06d}" / name

    def keep(self, lane: int, cup: int, pixels: NDArray[np.uint8]) -> None:
        """Write one. pixels: (height, width, n_bands). Raises OSError, also when the disk is nearly full."""
        _, encoded = cv2.imencode(".jpg", np.ascontiguousarray(pixels[:, :, self._shown]), _JPEG)
        self._write(self.path_of(lane, cup), encoded.tobytes())

    def keep_skin(self, lane: int, cup: int, jpeg: bytes) -> None:
        """Write that of a skin. Raises OSError, also when the disk is nearly full."""
        self._write(self.path_of(lane, cup, skin=True), jpeg)

    def _write(self, path: Path, jpeg: bytes) -> None:
        free = shutil.disk_usage(self._run).free
        if free < self._least_free_bytes:
            least = f"{self._least_free_bytes / 1e6:,.0f} MB are left to the journal"
            raise OSError(errno.ENOSPC, f"the disk has {free / 1e6:,.0f} MB free, and {least}")
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        try:
            draft.write_bytes(jpeg)
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        self._bytes[path.parent] = self._bytes.get(path.parent, 0) + len(jpeg)
        self._make_room()

    def _make_room(self) -> None:
        while sum(self._bytes.values()) > self._most_bytes and len(self._bytes) > 1:
            oldest = next(iter(self._bytes))
            shutil.rmtree(oldest, ignore_errors=True)
            del self._bytes[oldest]
