"""Pictures through shared memory: between real processes, overrun, and with either side dead."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import socket
import time

import numpy as np
import pytest

from grader.clock import SystemClock
from grader.errors import DeviceError
from hardware.shared_frames import FrameReceiver, FrameSender

SHAPE = (6, 8, 3)
SPAWN = multiprocessing.get_context("spawn")
NOW = SystemClock().now


@pytest.fixture
def ends():
    one, other = socket.socketpair()
    sender, receiver = FrameSender(one, SHAPE, slots=3), FrameReceiver(other)
    yield sender, receiver
    for end in (sender, receiver):
        end.close()
        end.close()


def filled_with(value: int):
    def fill(picture: np.ndarray) -> None:
        picture[:] = value

    return fill


def produce(connection: socket.socket, count: int) -> None:
    """A process: so many pictures, each waiting until there is room."""
    sender = FrameSender(connection, SHAPE, slots=3)
    for number in range(count):
        while not sender.offer(number, filled_with(number % 251), NOW):
            time.sleep(0.001)
    sender.close()


def die_while_filling(connection: socket.socket) -> None:
    sender = FrameSender(connection, SHAPE, slots=3)
    sender.offer(0, filled_with(7), NOW)
    sender.offer(1, lambda picture: os.kill(os.getpid(), signal.SIGKILL), NOW)


def die_with_a_picture(connection: socket.socket) -> None:
    FrameReceiver(connection).take(5.0)
    os.kill(os.getpid(), signal.SIGKILL)


def spawned(target, *args) -> tuple[multiprocessing.process.BaseProcess, socket.socket]:
    """A process with one end of a connection, and the other end."""
    mine, theirs = socket.socketpair()
    process = SPAWN.Process(target=target, args=(theirs, *args), daemon=True)
    process.start()
    theirs.close()
    return process, mine


def ended(process) -> None:
    process.join(10)
    assert process.exitcode is not None
    process.close()


def test_pictures_come_in_order_and_whole_from_another_process():
    process, connection = spawned(produce, 50)
    receiver = FrameReceiver(connection)
    assert receiver.shape == SHAPE
    for number in range(50):
        frame = receiver.take(10.0)
        assert frame is not None
        assert frame.frame_id == number
        assert (frame.pixels == number % 251).all()
        receiver.release(frame)
    ended(process)
    assert receiver.take(0.01) is None
    assert receiver.closed
    receiver.close()


def test_no_free_slot_means_dropped_and_counted(ends):
    sender, receiver = ends
    assert [sender.offer(n, filled_with(n), NOW) for n in range(5)] == [True, True, True, False, False]
    assert sender.dropped == 2
    frame = receiver.take(0)
    assert frame.frame_id == 0
    assert not sender.offer(5, filled_with(5), NOW)  # taken is not free
    receiver.release(frame)
    assert sender.offer(6, filled_with(6), NOW)
    receiver.release(frame)  # a second time frees nothing, though the slot has another picture by now
    assert not sender.offer(7, filled_with(7), NOW)
    assert [receiver.take(0).frame_id for _ in range(3)] == [1, 2, 6]
    assert receiver.dropped == 3  # as told with the latest picture


def test_slots_given_back_out_of_order_are_used_and_pictures_stay_in_order(ends):
    sender, receiver = ends
    for number in range(3):
        sender.offer(number, filled_with(number), NOW)
    frames = [receiver.take(0) for _ in range(3)]
    receiver.release(frames[2])
    receiver.release(frames[0])
    sender.offer(3, filled_with(3), NOW)
    sender.offer(4, filled_with(4), NOW)
    assert (frames[1].pixels == 1).all()  # still ours
    assert [receiver.take(0).frame_id for _ in range(2)] == [3, 4]


def test_waiting_for_nothing_ends(ends):
    before = time.monotonic()
    assert ends[1].take(0.05) is None
    assert time.monotonic() - before < 2
    assert not ends[1].closed


def test_a_sender_that_dies_while_filling_is_noticed_after_what_it_had_sent():
    process, connection = spawned(die_while_filling)
    receiver = FrameReceiver(connection)
    frame = receiver.take(5.0)
    assert (frame.pixels == 7).all()
    receiver.release(frame)
    ended(process)
    assert receiver.take(0.05) is None
    assert receiver.closed
    receiver.close()


def test_a_receiver_that_dies_is_noticed_and_the_sender_drops():
    process, connection = spawned(die_with_a_picture)
    sender = FrameSender(connection, SHAPE, slots=3)
    sender.offer(0, filled_with(0), NOW)
    ended(process)
    sender.offer(1, filled_with(1), NOW)  # the first that nobody takes tells
    assert sender.closed
    assert not sender.offer(2, filled_with(2), NOW)
    assert sender.dropped == 1
    sender.close()


def test_a_picture_may_outlive_its_connection(ends):
    sender, receiver = ends
    sender.offer(0, filled_with(9), NOW)
    frame = receiver.take(0)
    receiver.close()
    sender.close()
    assert (frame.pixels == 9).all()
    receiver.release(frame)
    assert receiver.take(0) is None
    assert not sender.offer(1, filled_with(1), NOW)
    del frame
    gc.collect()  # an error while the mapping goes would fail the test


def test_an_end_that_is_no_camera_is_a_named_error():
    one, other = socket.socketpair()
    one.sendall(b"hello, I am no camera, and I say more than a camera does")
    with pytest.raises(DeviceError, match="does not answer as a camera"):
        FrameReceiver(other)
    one.close()
    other.close()
