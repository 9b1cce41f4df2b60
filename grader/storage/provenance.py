"""What a number was made with: versions of the software, hashes of the files that were in force."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

import cv2
import msgspec
import numpy as np

import grader
from grader.domain.installation import Installation


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One start of the station on one installation, as the journal and the summary name it.

    started_wall_s: seconds since 1970. versions: see `software_versions`. hashes: SHA-256 in hex, by
    what was hashed: "sheet", "calibration", "settings", and a name per model.
    """

    started_wall_s: float
    versions: dict[str, str]
    hashes: dict[str, str]
    installation: Installation


def software_versions() -> dict[str, str]:
    """Versions of everything that can change a measured number: grader, numpy, opencv, python."""
    return {
        "grader": grader.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "python": platform.python_version(),
    }


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
