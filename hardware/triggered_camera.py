"""Pictures and the board's trigger reports joined: only both together say what was where on the belt.

The camera counts exposures and so does the board that fires them: picture n is trigger n. A picture that
does not come, or comes without its report, is handed on as a frame without pixels: the fruit below it must know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from grader.clock import Clock
from grader.domain.frames import Frame, Trigger
from grader.errors import CameraLost
from grader.units import NS_PER_MS, NS_PER_S, HostNs, Pulse
from hardware.shared_frames import SlotFrame

POLL_S = 0.002
"""While a picture waits for its report, or a report for its picture, the other side is looked at so often."""


class FrameSource(Protocol):
    """Where numbered pictures come from: `hardware.shared_frames.FrameReceiver`, or a camera's own driver."""

    @property
    def dropped(self) -> int: ...

    @property
    def closed(self) -> bool: ...

    def take(self, timeout_s: float) -> SlotFrame | None: ...

    def release(self, frame: SlotFrame) -> None: ...

    def close(self) -> None: ...


class TriggeredCamera:
    """`Camera`: frames in the order of their triggers, each with the pulse at which it was exposed.

    wait_ms: so long a report waits for its picture and a picture for its report. A frame without pixels says in
    `damage` which of the two it is: "lost" or "no trigger report"; the pulse of the latter is that of its
    neighbours, carried on by pulses_per_frame. unmatched: pictures that came after they had been given up.
    The first exposure is the first that is told of after it was opened.
    """

    def __init__(
        self,
        name: str,
        source: FrameSource,
        triggers: Callable[[], list[Trigger]],
        clock: Clock,
        *,
        pulses_per_frame: int,
        wait_ms: float = 100.0,
    ) -> None:
        self.unmatched = 0
        self._name, self._source, self._new_triggers = name, source, triggers
        self._clock, self._pulses_per_frame, self._wait_ns = clock, pulses_per_frame, int(wait_ms * NS_PER_MS)
        self._pictures: dict[int, tuple[SlotFrame, HostNs]] = {}  # frame id → picture and when it came
        self._triggers: dict[int, tuple[Pulse, HostNs]] = {}  # number → pulse and when it was told
        self._lent: dict[int, SlotFrame] = {}
        self._next: int | None = None
        self._last_pulse: Pulse | None = None
        triggers()  # those of before belong to nobody

    @property
    def dropped(self) -> int:
        return self._source.dropped

    def next_frame(self, timeout_s: float) -> Frame | None:
        deadline = self._clock.now() + int(timeout_s * NS_PER_S)
        while True:
            self._take_triggers()
            frame = self._joined()
            if frame is not None:
                return frame
            left_s = (deadline - self._clock.now()) / NS_PER_S
            if left_s <= 0:
                if self._source.closed:
                    raise CameraLost(f"camera {self._name} is gone: check its cable and its power")
                return None
            picture = self._source.take(min(left_s, POLL_S if self._pictures or self._triggers else left_s, 0.05))
            if picture is not None:
                self._take_picture(picture)

    def release(self, frame: Frame) -> None:
        picture = self._lent.pop(frame.sequence, None)
        if picture is not None:
            self._source.release(picture)

    def close(self) -> None:
        for picture, _ in self._pictures.values():
            self._source.release(picture)
        self._pictures.clear()
        self._source.close()

    def _take_triggers(self) -> None:
        now = self._clock.now()
        for trigger in self._new_triggers():
            if self._next is None:
                self._begin_at(trigger.number)
            if self._next is not None and trigger.number >= self._next:
                self._triggers.setdefault(trigger.number, (trigger.pulse, now))

    def _begin_at(self, number: int) -> None:
        """The first exposure that counts; pictures of earlier ones are given back."""
        self._next = number
        for early in [picture for picture in self._pictures if picture < number]:
            self._source.release(self._pictures.pop(early)[0])

    def _take_picture(self, picture: SlotFrame) -> None:
        if (self._next is not None and picture.frame_id < self._next) or picture.frame_id in self._pictures:
            self.unmatched += 1
            self._source.release(picture)
        else:
            self._pictures[picture.frame_id] = (picture, self._clock.now())

    def _joined(self) -> Frame | None:
        """The next exposure, as soon as all that will come of it has come."""
        if self._next is None:
            self._give_up_early()
            return None
        number = self._next
        trigger, picture = self._triggers.get(number), self._pictures.get(number)
        if trigger and picture:
            return self._handed_on(trigger[0], picture[0])
        if trigger:
            # Pictures come in order: after a later one this one will not come.
            if any(later > number for later in self._pictures) or self._has_waited(trigger[1]):
                return self._handed_on(trigger[0], None, "lost")
        elif picture:
            if self._has_waited(picture[1]):
                return self._without_report(picture[0])
        elif any(self._has_waited(came) for _, came in (*self._pictures.values(), *self._triggers.values())):
            return self._without_report(None)
        return None

    def _give_up_early(self) -> None:
        """Nothing says yet where the belt is: there is no fruit that could know of these pictures."""
        for early in [number for number, (_, came) in self._pictures.items() if self._has_waited(came)]:
            self._source.release(self._pictures.pop(early)[0])
            self.unmatched += 1

    def _has_waited(self, since: HostNs) -> bool:
        return self._clock.now() - since > self._wait_ns

    def _without_report(self, picture: SlotFrame | None) -> Frame:
        if picture is not None:
            self._source.release(picture)
        assert self._last_pulse is not None  # the first exposure is one that has a report
        expected = Pulse(self._last_pulse + self._pulses_per_frame)
        return self._handed_on(expected, None, "no trigger report" if picture is not None else "lost")

    def _handed_on(self, pulse: Pulse, picture: SlotFrame | None, damage: str = "") -> Frame:
        assert self._next is not None  # a frame has a number
        number = self._next
        self._triggers.pop(number, None)
        self._pictures.pop(number, None)
        self._next, self._last_pulse = number + 1, pulse
        if picture is None:
            return Frame(self._name, number, pulse, self._clock.now(), None, damage)
        self._lent[number] = picture
        return Frame(self._name, number, pulse, picture.t_ns, picture.pixels)
