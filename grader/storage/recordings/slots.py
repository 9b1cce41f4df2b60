"""Preallocated room for pictures, and threads that fill it ahead of the reader.

Pictures are decoded by OpenCV and zstandard, which release the interpreter lock: two threads keep two cores busy.
A slot grows to the largest picture that it has held, and only once a picture's own file has confirmed its size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from grader.storage.recordings.pixel_codec import PixelCodec

THREADS = 2

Job = TypeVar("Job")
Result = TypeVar("Result")


class Slot:
    """Room for one picture and for what is needed to decode it. Used by one thread at a time."""

    def __init__(self) -> None:
        self.codec = PixelCodec()
        self._pixels: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._bytes: NDArray[np.uint8] = np.empty(0, np.uint8)

    def pixels(self, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """(height, width, n_bands) uint8 of the slot, contents undefined."""
        wanted = shape[0] * shape[1] * shape[2]
        if self._pixels.size < wanted:
            self._pixels = np.empty(wanted, np.uint8)
        return self._pixels[:wanted].reshape(shape)

    def bytes(self, length: int) -> NDArray[np.uint8]:
        """(length,) uint8 of the slot for a file's bytes, contents undefined."""
        if self._bytes.size < length:
            self._bytes = np.empty(length + length // 4, np.uint8)  # the next picture's file is a little larger
        return self._bytes[:length]


def done_ahead(jobs: Iterable[Job], work: Callable[[Job, Slot], Result], slots: int) -> Iterator[Result]:
    """The results of the jobs in their order, worked on in background threads while the caller uses earlier ones.

    A result may point into its slot: it is valid until the next one is asked for. The threads have ended when the
    iteration ends, when an error comes out of it, and when it is closed or dropped early.
    """
    if slots < 2:
        raise ValueError(f"at least 2 slots are needed, one to read and one to fill; got {slots}")
    pool = ThreadPoolExecutor(min(THREADS, slots), thread_name_prefix="picture")
    try:
        free = deque(Slot() for _ in range(slots))
        under_way: deque[tuple[Slot, Future[Result]]] = deque()
        left = iter(jobs)
        while True:
            while free:
                job = next(left, _NO_JOB)
                if isinstance(job, _NoJob):
                    break
                slot = free.popleft()
                under_way.append((slot, pool.submit(work, job, slot)))
            if not under_way:
                return
            slot, future = under_way.popleft()
            yield future.result()
            free.append(slot)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _NoJob:
    """The end of the jobs: None could be one."""


_NO_JOB = _NoJob()
