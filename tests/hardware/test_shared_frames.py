"""The ring of frames: between real processes, overrun, and with either side dead."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from grader.clock import SystemClock
from hardware.shared_frames import FrameRing

SHAPE = (6, 8, 3)
SPAWN = multiprocessing.get_context("spawn")
NOW = SystemClock().now


@pytest.fixture
def ring():
    ring = FrameRing(SPAWN, SHAPE, slots=3)
    name = ring._memory.name
    yield ring
    ring.close()
    ring.close()
    assert not Path("/dev/shm", name).exists()


def filled_with(value: int):
    def fill(picture: np.ndarray) -> None:
        picture[:] = value

    return fill


def produce(ring: FrameRing, count: int) -> None:
    """A process: so many pictures, each waiting until there is room."""
    for number in range(count):
        while not ring.offer(number, filled_with(number % 251), NOW):
            time.sleep(0.001)
    ring.close()


def die_while_filling(ring: FrameRing) -> None:
    ring.offer(0, filled_with(7), NOW)
    ring.offer(1, lambda picture: os.kill(os.getpid(), signal.SIGKILL), NOW)


def die_with_a_picture(ring: FrameRing) -> None:
    ring.take(5.0)
    os.kill(os.getpid(), signal.SIGKILL)


def spawned(target, *args):
    process = SPAWN.Process(target=target, args=args, daemon=True)
    process.start()
    return process


def ended(process) -> None:
    process.join(10)
    assert process.exitcode is not None
    process.close()


def test_pictures_come_in_order_and_whole_from_another_process(ring):
    process = spawned(produce, ring, 50)
    for number in range(50):
        frame = ring.take(10.0)
        assert frame is not None
        assert frame.frame_id == number
        assert (frame.pixels == number % 251).all()
        ring.release(frame)
    ended(process)


def test_no_free_slot_means_dropped_and_counted(ring):
    assert [ring.offer(n, filled_with(n), NOW) for n in range(5)] == [True, True, True, False, False]
    assert ring.dropped == 2
    frame = ring.take(0)
    assert frame.frame_id == 0
    assert not ring.offer(5, filled_with(5), NOW)  # taken is not free
    ring.release(frame)
    ring.release(frame)  # a second time frees nothing
    assert ring.offer(6, filled_with(6), NOW)
    assert not ring.offer(7, filled_with(7), NOW)
    assert [ring.take(0).frame_id for _ in range(3)] == [1, 2, 6]


def test_slots_given_back_out_of_order_are_used_and_pictures_stay_in_order(ring):
    for number in range(3):
        ring.offer(number, filled_with(number), NOW)
    frames = [ring.take(0) for _ in range(3)]
    ring.release(frames[2])
    ring.release(frames[0])
    ring.offer(3, filled_with(3), NOW)
    ring.offer(4, filled_with(4), NOW)
    assert (frames[1].pixels == 1).all()  # still ours
    assert [ring.take(0).frame_id for _ in range(2)] == [3, 4]


def test_waiting_for_nothing_ends(ring):
    before = time.monotonic()
    assert ring.take(0.05) is None
    assert time.monotonic() - before < 2


def test_a_producer_that_dies_while_filling_costs_one_slot_and_no_hang(ring):
    ended(spawned(die_while_filling, ring))
    frame = ring.take(1.0)
    assert (frame.pixels == 7).all()
    ring.release(frame)
    assert ring.take(0.05) is None
    assert [ring.offer(n, filled_with(n), NOW) for n in range(3)] == [True, True, False]


def test_a_consumer_that_dies_costs_its_picture_and_the_producer_drops(ring):
    ring.offer(0, filled_with(0), NOW)
    ended(spawned(die_with_a_picture, ring))
    assert [ring.offer(n, filled_with(n), NOW) for n in range(1, 4)] == [True, True, False]
    assert ring.dropped == 1


def test_a_reader_that_ends_first_does_not_take_the_memory_away(ring):
    """On Python 3.11 a reader that was started apart would: its own resource tracker unlinks what it attached."""
    ended(spawned(produce, ring, 1))
    assert Path("/dev/shm", ring._memory.name).exists()
    assert ring.take(1.0) is not None


def test_a_picture_may_outlive_the_ring():
    ring = FrameRing(SPAWN, SHAPE, slots=1)
    ring.offer(0, filled_with(9), NOW)
    frame = ring.take(0)
    ring.close()
    assert (frame.pixels == 9).all()
    ring.release(frame)
    assert ring.take(0) is None
    assert not ring.offer(1, filled_with(1), NOW)
    del frame
    gc.collect()  # an error while the mapping goes would fail the test


def test_an_owner_that_is_killed_leaves_no_memory_behind():
    script = """
import multiprocessing, os, signal
from hardware.shared_frames import FrameRing
ring = FrameRing(multiprocessing.get_context("spawn"), (4, 4, 3), 2)
print(ring._memory.name, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    memory = Path("/dev/shm", done.stdout.strip())
    deadline = time.monotonic() + 10
    while memory.exists() and time.monotonic() < deadline:  # the resource tracker outlives its process for a moment
        time.sleep(0.02)
    assert done.stdout.strip()
    assert not memory.exists()
