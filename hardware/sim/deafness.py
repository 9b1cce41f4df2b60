"""Processes that a Ctrl-C does not reach: they end when the process that started them says so."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


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
