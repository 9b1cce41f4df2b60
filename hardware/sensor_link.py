"""Weighings and scans from the process that reads the sensors to the station: small msgpack messages."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from grader.domain.frames import Readings, Scan, Weighing
from grader.units import HostNs, Pulse
from hardware.message_link import NO_MESSAGE, MessageLink


class _WeighingMessage(msgspec.Struct, frozen=True, tag="w", array_like=True):
    number: int
    lane: int
    pulse: int
    t_ns: int
    mass_g: float


class _ScanMessage(msgspec.Struct, frozen=True, tag="s", array_like=True):
    number: int
    lane: int
    pulse: int
    t_ns: int
    counts: bytes  # float32, little endian
    kind: str
    integration_us: float
    fruit_temp_c: float
    instrument_temp_c: float
    spectrometer: str


_Message = _WeighingMessage | _ScanMessage


class SensorSender:
    """The sensors' end. A reading that the station is too far behind to take is dropped; its number tells."""

    def __init__(self, link: MessageLink) -> None:
        self._link, self._number = link, 0
        self._encode = msgspec.msgpack.Encoder().encode

    def send(self, reading: Weighing | Scan) -> bool:
        """False: it was dropped."""
        number, self._number = self._number, self._number + 1
        place = (number, reading.lane, reading.pulse, reading.t_ns)
        message: _Message
        if isinstance(reading, Weighing):
            message = _WeighingMessage(*place, reading.mass_g)
        else:
            message = _ScanMessage(
                *place,
                np.asarray(reading.counts, "<f4").tobytes(),
                reading.kind,
                reading.integration_us,
                reading.fruit_temp_c,
                reading.instrument_temp_c,
                reading.spectrometer,
            )
        return self._link.send(self._encode(message))

    def flush(self) -> bool:
        """Send what still waits; True when nothing does."""
        return self._link.flush()

    def close(self) -> None:
        """Idempotent."""
        self._link.close()


class SensorLink:
    """The station's end: `Sensors`.

    pulse_of: from the encoder's count to the house's pulse. dropped: readings that were taken and never came, by the
    gaps in their numbers. malformed: messages that were none.
    """

    def __init__(self, link: MessageLink, pulse_of: Callable[[int], int] = int) -> None:
        self._link, self._pulse_of = link, pulse_of
        self._decode = msgspec.msgpack.Decoder(_Message).decode
        self._next_number = 0
        self.dropped = self.malformed = 0

    @property
    def closed(self) -> bool:
        """Whether the other end is gone."""
        return self._link.closed

    def readings(self) -> Readings:
        weighings: list[Weighing] = []
        scans: list[Scan] = []
        for data in self._link.receive():
            try:
                reading = self._opened(self._decode(data))
            except NO_MESSAGE:
                self.malformed += 1
                continue
            if isinstance(reading, Weighing):
                weighings.append(reading)
            else:
                scans.append(reading)
        return Readings(tuple(weighings), tuple(scans))

    def close(self) -> None:
        self._link.close()

    def _opened(self, message: _Message) -> Weighing | Scan:
        reading: Weighing | Scan
        pulse, t_ns = Pulse(self._pulse_of(message.pulse)), HostNs(message.t_ns)
        if isinstance(message, _WeighingMessage):
            reading = Weighing(message.lane, pulse, t_ns, message.mass_g)
        else:
            reading = Scan(
                message.lane,
                pulse,
                t_ns,
                np.frombuffer(message.counts, "<f4"),
                message.kind,
                message.integration_us,
                message.fruit_temp_c,
                message.instrument_temp_c,
                message.spectrometer,
            )
        self.dropped += max(0, message.number - self._next_number)
        self._next_number = message.number + 1
        return reading
