"""Processes that a Ctrl-C does not reach, and those that outlive the process that started them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any


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
