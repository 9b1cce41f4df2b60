"""Where the belt is, and which frames can be believed to be where they say.

The encoder counts pulses and the camera counts frames, one every `pulses_per_frame` pulses. Where the two agree, all is
well; where they do not, one of them is wrong, and these rules say which:

    same pulse, same number or the next      the same picture twice
    same pulse, another number               two places have one pulse: the encoder was set back
    both back, as they should                a frame that comes late
    pulse a little forward, number back      the camera has begun to count anew
    pulse a little forward, number forward   they do not fit: the encoder slipped
    pulse far off or back                    no frame is believed alone; a second one that follows on it is: the
                                             encoder has jumped
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from grader.domain.flags import Flag
from grader.domain.frames import Frame
from grader.units import Pulse

FARTHEST_PULSE = 1 << 48
"""No belt comes so far: 6,000 years at 15 cups a second. Beyond it, positions in a picture lose their decimals."""

_BY_DAMAGE = {"lost": Flag.FRAME_LOST, "repeated": Flag.FRAME_REPEATED, "out of order": Flag.FRAME_OUT_OF_ORDER}


class Count(NamedTuple):
    """A frame's place in both counts."""

    sequence: int
    pulse: Pulse


@dataclass(slots=True)
class Belt:
    """pulse: where the belt is; None before anything said so. frame: the latest that was believed. doubted: the latest
    frame, when it was not."""

    pulse: Pulse | None = None
    frame: Count | None = None
    doubted: Count | None = None


class Place(NamedTuple):
    """What a frame's counts say.

    flags: of the cups that it shows. believed: its pulse says which cups these are. unseen: pulses of the places
    between the latest frame that was believed and this one where pictures were due, by the encoder. missing: how many
    the camera took meanwhile and did not deliver, by its own count. slipped: all identities on the belt are in doubt.
    jumped: what is on the belt will not come by under its numbers any more.
    """

    flags: Flag
    believed: bool = True
    unseen: range = range(0)
    missing: int = 0
    slipped: bool = False
    jumped: bool = False


def follow(belt: Belt, frame: Frame, *, pulses_per_frame: int, reach: int) -> Place:
    """Move the belt on to a frame. reach: pulses that the belt moves at most while nobody looks."""
    flags = _BY_DAMAGE.get(frame.damage, Flag.FRAME_DAMAGED) if frame.damage else Flag.NONE
    here, last = Count(frame.sequence, frame.pulse), belt.frame
    if abs(here.pulse) > FARTHEST_PULSE:
        return Place(flags | Flag.PULSE_JUMP, believed=False, slipped=True)
    if last is None:
        _move(belt, here, reach)
        return Place(flags)
    frames, pulses = here.sequence - last.sequence, here.pulse - last.pulse
    fits = _fits(frames, pulses, pulses_per_frame)
    near = 0 < pulses <= reach
    unseen = range(last.pulse + pulses_per_frame, here.pulse - pulses_per_frame // 2, pulses_per_frame)
    if pulses == 0 and frames in (0, 1):
        belt.frame = here
        return Place(flags | Flag.FRAME_REPEATED)
    if frames < 0 and fits:
        return Place(flags | Flag.FRAME_OUT_OF_ORDER)
    if frames > 0 and fits:
        _move(belt, here, reach)
        return Place(flags, unseen=unseen, missing=frames - 1)
    if near and not 0 < frames * pulses_per_frame <= reach:
        _move(belt, here, reach)
        return Place(flags | Flag.FRAME_OUT_OF_ORDER, unseen=unseen, missing=len(unseen))
    if near:
        _move(belt, here, reach)
        return Place(flags | Flag.PULSE_JUMP, slipped=True, unseen=unseen, missing=frames - 1)
    before, belt.doubted = belt.doubted, here
    jumped = before is not None and _follows(before, here, pulses_per_frame, reach)
    if jumped:
        belt.frame, belt.pulse, belt.doubted = here, here.pulse, None
    return Place(flags | Flag.PULSE_JUMP, believed=jumped, slipped=True, jumped=jumped)


def advance(belt: Belt, pulse: Pulse, reach: int) -> bool:
    """Move the belt on to a pulse without a frame, never back; whether it went too far for its word to be believed."""
    if abs(pulse) > FARTHEST_PULSE:
        return True
    last = belt.pulse
    if last is None or pulse > last:
        belt.pulse = pulse
    return last is not None and pulse - last > reach


def _move(belt: Belt, here: Count, reach: int) -> None:
    """A frame was believed. It takes the belt back only from where no belt can be."""
    if belt.pulse is None or not 0 <= belt.pulse - here.pulse <= reach:
        belt.pulse = here.pulse
    belt.frame, belt.doubted = here, None


def _fits(frames: int, pulses: int, pulses_per_frame: int) -> bool:
    return abs(pulses - frames * pulses_per_frame) <= pulses_per_frame // 2


def _follows(before: Count, here: Count, pulses_per_frame: int, reach: int) -> bool:
    frames, pulses = here.sequence - before.sequence, here.pulse - before.pulse
    return frames > 0 and 0 < pulses <= reach and _fits(frames, pulses, pulses_per_frame)
