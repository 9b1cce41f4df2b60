"""Readings over the link: the same on both sides, bounded, and no message can hurt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.domain.frames import NO_READINGS, Scan, Weighing
from grader.units import HostNs, Pulse
from hardware.message_link import MOST_MESSAGE, MOST_WAITING, MessageLink
from hardware.sensor_link import SensorLink, SensorSender


@pytest.fixture
def ends():
    one, other = MessageLink.pair()
    yield one, other
    one.close()
    other.close()


def weighing(n: int, mass_g: float = 180.5) -> Weighing:
    return Weighing(n % 4, Pulse(2**40 + n), HostNs(n), mass_g)


def test_readings_arrive_as_they_were_sent_and_in_order(ends):
    sender, link = SensorSender(ends[0]), SensorLink(ends[1])
    counts = np.array([1.5, np.nan, 3e4], np.float32)
    scan = Scan(2, Pulse(77), HostNs(5), counts, "white", 900.0, 21.5, float("nan"), "main")
    for reading in (weighing(1), scan, weighing(2, float("nan"))):
        assert sender.send(reading)
    readings = link.readings()
    assert readings.weighings[0] == weighing(1)
    assert np.isnan(readings.weighings[1].mass_g)
    (came,) = readings.scans
    assert np.array_equal(came.counts, counts, equal_nan=True)
    assert came.counts.dtype == np.float32
    assert (came.lane, came.pulse, came.kind, came.integration_us, came.fruit_temp_c) == (2, 77, "white", 900.0, 21.5)
    assert np.isnan(came.instrument_temp_c)
    assert link.readings() == NO_READINGS


def test_a_station_that_does_not_read_costs_readings_not_the_sensors_time(ends):
    sender, link = SensorSender(ends[0]), SensorLink(ends[1])
    scan = Scan(0, Pulse(1), HostNs(1), np.zeros(4096, np.float32))
    sent = [sender.send(scan) for _ in range(400)]
    assert not all(sent)
    came = 0
    while not sender.flush() or came < sum(sent):
        came += len(link.readings().scans)
    assert came == sum(sent)
    assert sender.send(weighing(1))
    assert len(link.readings().weighings) == 1
    assert link.dropped == sent.count(False)
    assert MOST_WAITING < 400 * 4096 * 4


def test_the_end_of_the_other_side_is_no_error(ends):
    sender, link = SensorSender(ends[0]), SensorLink(ends[1])
    sender.send(weighing(1))
    sender.close()
    assert len(link.readings().weighings) == 1
    assert link.readings() == NO_READINGS
    link.close()
    link.close()
    assert not SensorSender(ends[1]).send(weighing(2))


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=5))
def test_messages_that_are_none_are_counted_and_the_next_is_read(noise):
    one, other = MessageLink.pair()
    link = SensorLink(other)
    for data in noise:
        one.send(data)
    SensorSender(one).send(weighing(3))
    assert link.readings().weighings[-1:] == (weighing(3),)
    assert link.malformed <= len(noise)
    one.close()
    link.close()


def test_a_length_that_cannot_be_closes_the_link(ends):
    ends[0]._outgoing += b"\xff\xff\xff\xff"
    ends[0].flush()
    assert ends[1].receive() == []
    assert ends[1].closed


def test_a_field_of_a_later_version_is_passed_over_and_one_without_end_is_malformed(ends):
    SensorSender(ends[0]).send(weighing(1))
    (message,) = ends[1].receive()
    one_field_more = bytes((message[0] + 1,)) + message[1:]
    link = SensorLink(ends[1])
    ends[0].send(one_field_more + b"\xc0")
    ends[0].send(one_field_more + b"\x91" * 5000 + b"\xc0")
    assert link.readings().weighings == (weighing(1),)
    assert link.malformed == 1


class Torrent:
    """A socket whose other end sends without a pause."""

    def settimeout(self, timeout_s: float | None) -> None:
        """It never waits."""

    def recv(self, length: int, flags: int) -> bytes:
        return MESSAGE * (length // len(MESSAGE))


MESSAGE = (996).to_bytes(4, "little") + bytes(996)


def test_a_sender_that_never_pauses_does_not_hold_its_reader():
    link = MessageLink(Torrent())
    for _ in range(3):
        assert 0 < len(link.receive()) * len(MESSAGE) <= 3 * MOST_MESSAGE
