"""Pictures from one process to another through slots of shared memory: written once, never copied on the way.

    sender:   a FREE slot ── copy into it ── TAKEN ── (slot, frame id, time) over the socket
    receiver: (slot, frame id, time) ── looks at it ── FREE

The memory has no name: its descriptor goes over the socket on which the pictures are told, and it is gone with the last
process that holds it, however that ends. There is no lock that a dead process could hold. A sender that finds no free
slot drops and counts.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grader.errors import DeviceError
from grader.units import HostNs
from hardware.message_link import MessageLink

_FREE, _TAKEN = 0, 1
_SHAPE, _TOLD = struct.Struct("<4I"), struct.Struct("<IqqQ")
_PAGE = 4096
"""Pictures begin on a page, away from the states that both sides write."""


@dataclass(frozen=True, slots=True)
class SlotFrame:
    """One picture in the receiver's hand. pixels: a view into the slot, valid until it is given back."""

    slot: int
    frame_id: int
    t_ns: HostNs
    pixels: NDArray[np.uint8]


class _Slots:
    """The memory of both sides: a state per slot, then the pictures."""

    def __init__(self, descriptor: int, shape: tuple[int, int, int], slots: int) -> None:
        size = int(np.prod(shape))
        self._memory = mmap.mmap(descriptor, _needed(shape, slots))
        self.state = np.frombuffer(self._memory, np.uint8, slots)
        self.pictures = [
            np.frombuffer(self._memory, np.uint8, size, _PAGE + slot * _page_up(size)).reshape(shape)
            for slot in range(slots)
        ]

    def close(self) -> None:
        self.state, self.pictures = np.zeros(0, np.uint8), []
        with contextlib.suppress(BufferError):  # the mapping goes when the last view of a picture does
            self._memory.close()


class FrameSender:
    """The camera's end. It opens with the receiver's connection and never waits for it."""

    def __init__(self, connection: socket.socket, shape: tuple[int, int, int], slots: int) -> None:
        """shape: (height, width, bands), uint8. slots: pictures that may wait, at most 4096. Raises DeviceError."""
        descriptor = os.memfd_create("frames")
        try:
            os.ftruncate(descriptor, _needed(shape, slots))
            self._slots = _Slots(descriptor, shape, slots)
            socket.send_fds(connection, [_SHAPE.pack(*shape, slots)], [descriptor])
        except OSError as problem:
            connection.close()
            raise DeviceError(f"camera: whoever asked for its pictures is gone: {problem}") from problem
        finally:
            os.close(descriptor)
        self._link = MessageLink(connection)
        self.dropped = 0  # pictures that found no free slot

    @property
    def closed(self) -> bool:
        """Whether the receiver is gone."""
        return self._link.closed

    def offer(self, frame_id: int, fill: Callable[[NDArray[np.uint8]], None], now: Callable[[], HostNs]) -> bool:
        """Let `fill` write the picture into a free slot; False when there is none.

        now: the clock, read when the picture is whole.
        """
        free = np.flatnonzero(self._slots.state == _FREE)
        if self.closed or not len(free):
            self.dropped += 1
            return False
        slot = int(free[0])
        fill(self._slots.pictures[slot])
        self._slots.state[slot] = _TAKEN
        return self._link.send(_TOLD.pack(slot, frame_id, now(), self.dropped))

    def close(self) -> None:
        """Idempotent."""
        self._link.close()
        self._slots.close()


class FrameReceiver:
    """The station's end. dropped: pictures that found no free slot, as the sender last said."""

    def __init__(self, connection: socket.socket) -> None:
        """Raises DeviceError when the other end does not answer as a sender of pictures; then it is closed."""
        try:
            head, descriptors, _, _ = socket.recv_fds(connection, _SHAPE.size, 1)
        except OSError as problem:
            connection.close()
            raise DeviceError(f"camera: no answer: {problem}") from problem
        try:
            if not head:
                connection.close()
                raise DeviceError("camera: it closes its connection at once: it cannot be opened at present")
            if len(head) != _SHAPE.size or len(descriptors) != 1:
                connection.close()
                raise DeviceError("camera: it does not answer as a camera; is another program at its socket?")
            height, width, bands, slots = _SHAPE.unpack(head)
            self.shape = (height, width, bands)
            self._slots = _Slots(descriptors[0], self.shape, slots)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        self._link = MessageLink(connection)
        self._told: deque[SlotFrame] = deque()
        self._lent: dict[int, int] = {}  # slot → frame id, until it is given back
        self.dropped = 0

    @property
    def closed(self) -> bool:
        """Whether the sender is gone, and every picture that it told of was taken."""
        return self._link.closed and not self._told

    def take(self, timeout_s: float) -> SlotFrame | None:
        """The oldest picture; None when none came in time."""
        if not self._told and not self._link.closed:
            select.select([self._link.fileno()], [], [], max(0.0, timeout_s))
        self._hear()
        return self._told.popleft() if self._told else None

    def release(self, frame: SlotFrame) -> None:
        """Give the slot back. A second time does nothing."""
        if self._lent.get(frame.slot) == frame.frame_id:
            del self._lent[frame.slot]
            self._slots.state[frame.slot] = _FREE

    def close(self) -> None:
        """Let go of the memory. Idempotent."""
        self._link.close()
        self._told.clear()
        self._lent.clear()
        self._slots.close()

    def _hear(self) -> None:
        for message in self._link.receive():
            if len(message) != _TOLD.size:
                continue  # not ours
            slot, frame_id, t_ns, self.dropped = _TOLD.unpack(message)
            if slot < len(self._slots.pictures):
                self._lent[slot] = frame_id
                self._told.append(SlotFrame(slot, frame_id, HostNs(t_ns), self._slots.pictures[slot]))


def _needed(shape: tuple[int, int, int], slots: int) -> int:
    if not 1 <= slots <= _PAGE:
        raise ValueError(f"{slots} slots; there are 1 to {_PAGE}")
    return _PAGE + slots * _page_up(int(np.prod(shape)))


def _page_up(size: int) -> int:
    return -(-size // _PAGE) * _PAGE
