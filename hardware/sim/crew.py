"""Several processes that draw the pictures of one line. The pictures do not depend on how many there are."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.errors import DeviceError
from grader.processes import born_deaf_to_ctrl_c
from hardware.sim.line import LineSettings, SimulatedLine
from hardware.sim.reference import CAMERA

Pixels = NDArray[np.uint8]


def pictures(line: SimulatedLine, sequences: Sequence[int], workers: int | None = None) -> Iterator[Pixels]:
    """The frames asked for, in order, each (height, width, bands) uint8 and the caller's to keep.

    workers: processes; None: one per core. Every helper draws each n-th frame, so at most one picture each waits in a
    pipe. When all frames were taken, line.skin_truths holds every fruit that they showed. A daemon may have no
    children: in one, the calling process draws alone.
    """
    workers = workers or len(os.sched_getaffinity(0))
    workers = min(workers, len(sequences))
    if workers <= 1 or multiprocessing.current_process().daemon:
        for sequence in sequences:
            yield _drawn(line, sequence)
        return
    context = multiprocessing.get_context("spawn")
    helpers = []
    try:
        with born_deaf_to_ctrl_c():
            for first in range(workers):
                receiver, sender = context.Pipe(duplex=False)
                part = list(sequences[first::workers])
                helper = context.Process(target=_help, args=(line.settings, part, sender), daemon=True, name="painter")
                helper.start()
                sender.close()  # only the helper's copy stays open, so that its end is seen here
                helpers.append((helper, receiver))
        for index in range(len(sequences)):
            yield _next(helpers[index % workers][1])
        for _, receiver in helpers:
            line.skin_truths.update(_next(receiver))
    finally:
        for helper, receiver in helpers:
            receiver.close()
            helper.terminate()
            helper.join()


def _drawn(line: SimulatedLine, sequence: int) -> Pixels:
    place = line.installation.cameras[CAMERA]
    picture = np.empty((place.height_px, place.width_px, len(place.bands)), np.uint8)
    line.render_into(sequence, picture)
    return picture


def _help(settings: LineSettings, sequences: list[int], out: Connection) -> None:
    """A helper process: sends its pictures, then what it learnt of their fruit."""
    cv2.setNumThreads(1)
    line = SimulatedLine(settings)
    with suppress(BrokenPipeError), out:  # whoever asked was killed: nobody is left to be told
        for sequence in sequences:
            out.send(_drawn(line, sequence))
        out.send(line.skin_truths)


def _next(receiver: Connection) -> Any:
    try:
        return receiver.recv()
    except EOFError:
        raise DeviceError("a process that draws the simulated line ended early; see its message above") from None
