"""What is disturbed is seen in the frames alone, and every fruit is counted."""

from __future__ import annotations

import numpy as np

from bench.disturbed import DISTURBANCES, EVERY_BLURRED, FROM_FRAME, lost, measure
from grader.domain.frames import Frame
from grader.units import HostNs, Pulse


def frames(n: int) -> list[Frame]:
    rng = np.random.default_rng(1)
    return [
        Frame("top", k, Pulse(48 * k), HostNs(0), rng.integers(0, 255, (20, 30, 3)).astype(np.uint8)) for k in range(n)
    ]


def test_each_disturbance_does_what_it_says_and_nothing_before_it_begins() -> None:
    plain = frames(FROM_FRAME + 60)
    gone = len(plain) - len(list(lost(iter(plain))))
    assert 2 <= gone <= 25
    for name, disturb in DISTURBANCES.items():
        if name == "lost":
            continue
        found = list(disturb(iter(plain)))
        other = [k for k, (one, two) in enumerate(zip(plain, found, strict=True)) if (one.pixels != two.pixels).any()]
        first = EVERY_BLURRED - 1 if name == "blurred" else FROM_FRAME + 1
        assert other[0] == first and [frame.pulse for frame in found] == [frame.pulse for frame in plain]


def test_a_small_run_counts_every_fruit_and_flags_those_of_lost_and_blurred_frames() -> None:
    effects = measure(6, 3)
    assert set(effects) == set(DISTURBANCES) and all(effect.fruit == 6 for effect in effects.values())
    assert effects["lost"].flagged > 0 and effects["blurred"].flagged == 6
    assert all(effect.unflagged <= effect.other_class for effect in effects.values())
