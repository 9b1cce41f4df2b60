"""What concerns a whole process: whom a Ctrl-C reaches, who outlives whom, what becomes of memory."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, malloc.h
_KEPT_BYTES, _LARGEST_KEPT_BYTES = 1 << 28, 1 << 25  # the most that it takes


def keep_memory() -> None:
    """Have the C library keep what is freed: a line asks for the same megabytes again at every frame, and the system
    would hand them out page by page, each wiped first. Without effect where the library is another one."""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)


@contextmanager
def born_deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started in the block never hear a Ctrl-C; here one that comes meanwhile is heard when the block ends.

    A Ctrl-C goes to every process of a terminal. One that first had to ask not to hear it would, while it still
    loads its libraries, end with a trace on the screen.
    """
    resource_tracker.ensure_running()  # started within the block it would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_resource_tracker() -> None:
    """In a process that outlives its parent: the parent's helper, which ends with the last process that knows it, would
    hold the parent's output open as long. A new one is started where one is needed."""
    tracker: Any = resource_tracker._resource_tracker
    inherited, tracker._fd = tracker._fd, None
    if inherited is not None:
        with contextlib.suppress(OSError):
            os.close(inherited)
