"""A Ctrl-C reaches every process of a terminal: those that are told when to end must not hear it, at no moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest

from grader.processes import born_deaf_to_ctrl_c
from hardware.sim.crew import pictures
from hardware.sim.levels import IDEAL
from hardware.sim.line import LineSettings, SimulatedLine


def hears_ctrl_c(pid: int) -> bool:
    """Whether the signal is not blocked, as the kernel says; a process has that from its birth."""
    status = Path(f"/proc/{pid}/status").read_text()
    blocked = int(status.split("SigBlk:")[1].split()[0], 16)
    return not blocked >> (signal.SIGINT - 1) & 1


def test_painters_are_born_deaf_to_ctrl_c_and_whoever_asked_them_is_not() -> None:
    drawing = pictures(SimulatedLine(LineSettings(level=IDEAL, fruit=6, lanes=1)), range(4, 9), workers=2)
    next(drawing)
    painters = [child.pid for child in multiprocessing.active_children() if child.name == "painter"]
    assert len(painters) == 2 and not any(hears_ctrl_c(pid) for pid in painters if pid is not None)
    assert hears_ctrl_c(os.getpid())
    drawing.close()


def test_a_ctrl_c_while_they_are_born_is_heard_when_they_are() -> None:
    born = False
    with pytest.raises(KeyboardInterrupt), born_deaf_to_ctrl_c():
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)  # one of the test runner's threads would take another
        born = True
    assert born
