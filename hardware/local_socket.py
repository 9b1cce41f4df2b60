"""Sockets in a folder: how processes of one machine find each other. Only who may write into the folder can connect.

The kernel takes names of at most 107 bytes, and folders of runs have longer ones: the folder is therefore opened, and
the socket named through it.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grader.errors import DeviceError

BACKLOG = 16
ANSWER_S = 2.0
"""A process that lives answers a connection within this."""


def listen(path: Path) -> socket.socket:
    """A socket that waits for connections there, for its owner only. One that nobody listens at is taken over.

    Raises DeviceError when somebody listens there already, or the folder cannot hold a socket.
    """
    if is_alive(path):
        raise DeviceError(f"{path}: another process listens here already: stop it first, or name another folder")
    with _trouble(path, "opened"), _short(path) as name:
        path.unlink(missing_ok=True)
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            before = os.umask(0o177)
            try:
                end.bind(name)
            finally:
                os.umask(before)
            end.listen(BACKLOG)
        except OSError:
            end.close()
            raise
    return end


def connect(path: Path) -> socket.socket:
    """A connection to who listens there. Raises DeviceError when nobody does."""
    with _trouble(path, "reached"), _short(path) as name:
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            end.settimeout(ANSWER_S)
            end.connect(name)
        except OSError:
            end.close()
            raise
    return end


def is_alive(path: Path) -> bool:
    """Whether somebody listens there: a file that a killed process has left is nobody; one that may not be used, or who
    is too busy to answer, is somebody."""
    if not path.is_socket():
        return False
    try:
        connect(path).close()
    except DeviceError as problem:
        return not isinstance(problem.__cause__, ConnectionRefusedError | FileNotFoundError)
    return True


def forget(path: Path) -> None:
    """Remove the name of a socket that is closed. Idempotent."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


@contextmanager
def _short(path: Path) -> Iterator[str]:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


@contextmanager
def _trouble(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise DeviceError(f"{path}: the socket cannot be {what}: {problem.strerror or problem}") from problem
