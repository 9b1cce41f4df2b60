"""Pictures from one process to another through a ring of fixed slots in shared memory: written once, never pickled.

    producer: free? ── acquire `free` ── copy into a FREE slot ── FULL ── release `filled`
    consumer: acquire `filled` ── oldest FULL slot becomes TAKEN ── ... ── FREE ── release `free`

One producer, one consumer, children of one parent. The two semaphores are counts of slots, not locks: whichever side
dies, the other meets a time-out and never a lock that is held. A producer that finds no free slot drops and counts.

On Python 3.11 a process that was started apart and only attaches makes its own resource tracker unlink the memory
under its owner. Rings are therefore handed to children that multiprocessing spawns: they share the parent's tracker.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from multiprocessing.shared_memory import SharedMemory
from multiprocessing.synchronize import Semaphore
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.units import HostNs

_FREE, _FILLING, _FULL, _TAKEN = range(4)

_SLOT = np.dtype([("state", "<i8"), ("fence", "<i8"), ("frame_id", "<i8"), ("t_ns", "<i8")])
"""What stands before the pictures, per slot. fence: rises with every picture, written after all else."""

_PAGE = 4096
"""Pictures begin on a page, away from the numbers that both sides write."""


@dataclass(frozen=True, slots=True)
class SlotFrame:
    """One picture in the consumer's hand. pixels: a view into the slot, valid until it is given back."""

    slot: int
    frame_id: int
    t_ns: HostNs
    pixels: NDArray[np.uint8]


class _Memory(SharedMemory):
    """Shared memory that may be closed while somebody still looks at a picture in it."""

    def close(self) -> None:
        with contextlib.suppress(BufferError):  # the mapping goes when the last view of it does
            super().close()


class FrameRing:
    """Slots for pictures of one shape. Made by the parent, handed to one producer and one consumer."""

    def __init__(self, context: SpawnContext, shape: tuple[int, int, int], slots: int) -> None:
        """shape: (height, width, bands), uint8."""
        self.shape, self.slots = shape, slots
        self._free: Semaphore = context.Semaphore(slots)
        self._filled: Semaphore = context.Semaphore(0)
        self._memory = _Memory(create=True, size=_PAGE + slots * _page_up(int(np.prod(shape))))
        self._is_owner = True
        self._map()
        self._slots["state"] = _FREE
        self._slots["fence"] = 0

    def __getstate__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "slots": self.slots,
            "_free": self._free,
            "_filled": self._filled,
            "name": self._memory.name,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        name = state.pop("name")
        self.__dict__.update(state)
        self._memory = _Memory(name=name)
        self._is_owner = False
        self._map()

    def _map(self) -> None:
        buffer = self._memory.buf
        assert buffer is not None  # it was opened just now
        size = int(np.prod(self.shape))
        header = np.frombuffer(buffer, _SLOT, self.slots + 1)
        self._dropped, self._slots = header[-1:], header[:-1]
        self._pictures = [
            np.frombuffer(buffer, np.uint8, size, _PAGE + slot * _page_up(size)).reshape(self.shape)
            for slot in range(self.slots)
        ]
        self._next_fence = 1

    @property
    def dropped(self) -> int:
        """Pictures that found no free slot."""
        return int(self._dropped["fence"][0])

    def offer(self, frame_id: int, fill: Callable[[NDArray[np.uint8]], None], now: Callable[[], HostNs]) -> bool:
        """Producer: let `fill` write the picture into a free slot; False when there is none. Never waits.

        now: the clock, read when the picture is whole.
        """
        if not len(self._slots) or not self._free.acquire(block=False):
            self._dropped["fence"] += 1
            return False
        # The semaphore promises one; a dead producer's half-filled slot is the only one that is never free again.
        slot = int(np.flatnonzero(self._slots["state"] == _FREE)[0])
        self._slots["state"][slot] = _FILLING
        fill(self._pictures[slot])
        self._slots["frame_id"][slot] = frame_id
        self._slots["t_ns"][slot] = now()
        self._slots["fence"][slot] = self._next_fence
        self._next_fence += 1
        self._slots["state"][slot] = _FULL
        self._filled.release()
        return True

    def take(self, timeout_s: float) -> SlotFrame | None:
        """Consumer: the oldest picture; None when none came in time."""
        if not len(self._slots) or not self._filled.acquire(timeout=max(0.0, timeout_s)):
            return None
        full = np.flatnonzero(self._slots["state"] == _FULL)
        slot = int(full[np.argmin(self._slots["fence"][full])])
        self._slots["state"][slot] = _TAKEN
        frame_id, t_ns = int(self._slots["frame_id"][slot]), HostNs(int(self._slots["t_ns"][slot]))
        return SlotFrame(slot, frame_id, t_ns, self._pictures[slot])

    def release(self, frame: SlotFrame) -> None:
        """Consumer: give the slot back. A second time does nothing."""
        if not len(self._slots):
            return  # the ring was closed; the picture goes with its last view
        if self._slots["state"][frame.slot] == _TAKEN and self._slots["frame_id"][frame.slot] == frame.frame_id:
            self._slots["state"][frame.slot] = _FREE
            self._free.release()

    def close(self) -> None:
        """Let go of the memory; the owner removes it from the machine. Idempotent."""
        self._slots, self._dropped = np.zeros(0, _SLOT), self._dropped.copy()
        self._pictures = []
        self._memory.close()
        if self._is_owner:
            self._is_owner = False
            self._memory.unlink()


def _page_up(size: int) -> int:
    return -(-size // _PAGE) * _PAGE
