"""Pictures in a folder: whole ones, that any viewer opens and `prune` finds."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from grader.storage.pictures import PictureFolder
from grader.storage.retention import Keep, remove, to_remove

BLACK = np.zeros((20, 20, 3), np.uint8)


def a_folder(run: Path, most_bytes: int = 10**9) -> PictureFolder:
    return PictureFolder(run, ("blue", "green", "red"), most_bytes=most_bytes, least_free_bytes=0)


def test_a_picture_has_the_colours_of_the_fruit_whatever_the_order_of_bands(tmp_path: Path) -> None:
    folder = PictureFolder(tmp_path, ("nir", "red", "green", "blue"), most_bytes=10**9, least_free_bytes=0)
    folder.keep(3, 12_345, np.full((100, 120, 4), (7, 200, 60, 30), np.uint8))
    path = tmp_path / "pictures" / "000012" / "3-12345.jpg"
    assert folder.path_of(3, 12_345) == path
    shown = cv2.imread(str(path))
    assert shown is not None and shown.shape == (100, 120, 3)
    assert np.abs(shown.mean((0, 1)) - (30, 60, 200)).max() < 3
    assert [file.name for file in path.parent.iterdir()] == ["3-12345.jpg"]


def test_the_picture_of_a_skin_lies_beside_that_of_its_fruit_and_goes_with_it(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    folder.keep(3, 12_345, BLACK)
    folder.keep_skin(3, 12_345, b"as it was drawn")
    path = tmp_path / "pictures" / "000012" / "3-12345-skin.jpg"
    assert folder.path_of(3, 12_345, skin=True) == path and path.read_bytes() == b"as it was drawn"
    small = a_folder(tmp_path, most_bytes=1)
    small.keep(3, 13_345, BLACK)
    assert not path.exists() and not folder.path_of(3, 12_345).exists()


def test_without_colour_the_first_band_is_shown(tmp_path: Path) -> None:
    folder = PictureFolder(tmp_path, ("nir",), most_bytes=10**9, least_free_bytes=0)
    folder.keep(0, 1, np.full((20, 20, 1), 90, np.uint8))
    shown = cv2.imread(str(folder.path_of(0, 1)))
    assert shown is not None and abs(shown.mean() - 90) < 2


def test_a_disk_that_is_nearly_full_is_left_to_the_journal(tmp_path: Path) -> None:
    folder = PictureFolder(tmp_path, ("blue", "green", "red"), most_bytes=10**9, least_free_bytes=10**18)
    with pytest.raises(OSError, match="MB are left to the journal"):
        folder.keep(0, 1, np.zeros((20, 20, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_pruned_are_the_oldest_pictures_and_folders_that_are_empty_then(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    for age, cup in enumerate((5000, 1, 2, 3, 4)):
        folder.keep(0, cup, BLACK)
        os.utime(folder.path_of(0, cup), (1000.0 * age, 1000.0 * age))
    size = folder.path_of(0, 1).stat().st_size
    found = to_remove(tmp_path, journals=Keep(), pictures=Keep(size=3 * size))
    assert [stored.path for stored in found.removable] == [folder.path_of(0, 5000), folder.path_of(0, 1)]
    assert all(remove(stored) for stored in found.removable)
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["000000"]
    folder.keep(0, 5001, BLACK)
    assert folder.path_of(0, 5001).exists()


def test_where_there_are_too_many_the_thousand_oldest_cups_go_also_those_of_an_earlier_run(tmp_path: Path) -> None:
    for cup in range(0, 3000, 100):
        a_folder(tmp_path).keep(0, cup, BLACK)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.jpg"))
    folder = a_folder(tmp_path, most_bytes=size)
    folder.keep(0, 3000, BLACK)
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["000001", "000002", "000003"]
    for cup in range(3100, 4000, 100):
        folder.keep(0, cup, BLACK)
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["000001", "000002", "000003"]
