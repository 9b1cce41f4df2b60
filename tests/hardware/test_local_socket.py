"""Sockets in a folder: long names, one listener, and names that a killed process has left."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from grader.errors import DeviceError
from hardware.local_socket import connect, forget, is_alive, listen


def test_a_folder_with_a_name_longer_than_the_kernel_takes_can_hold_one(tmp_path: Path):
    folder = tmp_path / ("a" * 100) / ("b" * 100)
    folder.mkdir(parents=True)
    path = folder / "line.sock"
    with listen(path) as end:
        assert is_alive(path)
        with connect(path) as mine:
            theirs, _ = end.accept()  # of the look whether it is alive
            theirs.close()
            theirs, _ = end.accept()
            mine.sendall(b"x")
            assert theirs.recv(1) == b"x"
            theirs.close()


def test_only_its_owner_may_connect(tmp_path: Path):
    with listen(tmp_path / "a.sock"):
        assert stat.S_IMODE((tmp_path / "a.sock").stat().st_mode) == 0o600


def test_two_cannot_listen_and_a_name_that_was_left_behind_is_taken_over(tmp_path: Path):
    path = tmp_path / "a.sock"
    with listen(path), pytest.raises(DeviceError, match="another process listens here already"):
        listen(path)
    assert path.is_socket()  # closed, and not forgotten: as after a kill
    assert not is_alive(path)
    with pytest.raises(DeviceError, match="cannot be reached"):
        connect(path)
    listen(path).close()
    forget(path)
    forget(path)
    assert not path.exists()


def test_a_folder_that_is_not_there_is_a_named_error(tmp_path: Path):
    with pytest.raises(DeviceError, match="nowhere"):
        listen(tmp_path / "nowhere" / "a.sock")
    assert not is_alive(tmp_path / "nowhere" / "a.sock")
