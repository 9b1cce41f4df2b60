"""Pictures in a folder: whole ones, that any viewer opens and `prune` finds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from grader.storage.pictures import PictureFolder
from grader.storage.retention import Keep, to_remove


def test_a_picture_has_the_colours_of_the_fruit_whatever_the_order_of_bands(tmp_path: Path) -> None:
    folder = PictureFolder(tmp_path, ("nir", "red", "green", "blue"), least_free_bytes=0)
    folder.keep(3, 12_345, np.full((100, 120, 4), (7, 200, 60, 30), np.uint8))
    path = tmp_path / "pictures" / "000012" / "3-12345.jpg"
    assert folder.path_of(3, 12_345) == path
    shown = cv2.imread(str(path))
    assert shown is not None and shown.shape == (100, 120, 3)
    assert np.abs(shown.mean((0, 1)) - (30, 60, 200)).max() < 3
    assert [file.name for file in path.parent.iterdir()] == ["3-12345.jpg"]


def test_without_colour_the_first_band_is_shown(tmp_path: Path) -> None:
    folder = PictureFolder(tmp_path, ("nir",), least_free_bytes=0)
    folder.keep(0, 1, np.full((20, 20, 1), 90, np.uint8))
    shown = cv2.imread(str(folder.path_of(0, 1)))
    assert shown is not None and abs(shown.mean() - 90) < 2


def test_a_disk_that_is_nearly_full_is_left_to_the_journal(tmp_path: Path) -> None:
    folder = PictureFolder(tmp_path, ("blue", "green", "red"), least_free_bytes=10**18)
    with pytest.raises(OSError, match="MB are left to the journal"):
        folder.keep(0, 1, np.zeros((20, 20, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_pictures_have_limits_of_their_own_and_the_oldest_go_first(tmp_path: Path) -> None:
    folder = PictureFolder(tmp_path, ("blue", "green", "red"), least_free_bytes=0)
    for cup in range(5):
        folder.keep(0, cup, np.zeros((20, 20, 3), np.uint8))
    size = folder.path_of(0, 0).stat().st_size
    found = to_remove(tmp_path, journals=Keep(), pictures=Keep(size=3 * size))
    assert len(found.removable) == 2 and {stored.kind for stored in found.removable} == {"picture"}
