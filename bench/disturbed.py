"""What lost and blurred frames, a bumped camera and dim light do to the classes of fruit: `python -m bench.disturbed`.

One recording of the simulated line is replayed as it is, and once for each disturbance of its pictures. Printed for
each: fruit whose class is another one than without it; those of them without any flag, which is what must not be; fruit
with a flag; and by how much diameter and blush changed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace as changed
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.app.replay import replay
from grader.app.simulating import write_simulated
from grader.domain.decisions import FruitRecord
from grader.domain.frames import Frame
from grader.vision.light import linear_light
from hardware.sim.reference import MM_PER_PX

FRUIT, SEED, LANES, LEVEL, VARIETY, SHEET = 300, 81, 4, "changing", "Fuji", "eu_apples"
LOST_SHARE, BLUR_PX, EVERY_BLURRED, BUMP_MM, DIM, FROM_FRAME = 0.1, 4.0, 7, 2.0, 0.85, 40

Picture = NDArray[np.uint8]
Disturb = Callable[[Iterator[Frame]], Iterator[Frame]]


class Effect(NamedTuple):
    """fruit: in all. other_class, unflagged: of another class, and those of them without a flag. flagged: of all.
    diameter_mm, blush_points: RMS of the change; a fruit without a value makes it NaN."""

    fruit: int
    other_class: int
    unflagged: int
    flagged: int
    diameter_mm: float
    blush_points: float


def lost(frames: Iterator[Frame]) -> Iterator[Frame]:
    """One in ten, at random, never comes."""
    rng = np.random.default_rng(SEED)
    return (frame for frame in frames if rng.random() >= LOST_SHARE)


def blurred(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Every seventh is out of focus."""
    for index, frame in enumerate(frames):
        soft = index % EVERY_BLURRED == EVERY_BLURRED - 1
        yield _with(frame, lambda picture: cv2.GaussianBlur(picture, (0, 0), BLUR_PX)) if soft else frame


def bumped(frames: Iterator[Frame]) -> Iterator[Frame]:
    """After a while the camera stands 2 mm farther along and across."""
    off = round(BUMP_MM / MM_PER_PX)
    for index, frame in enumerate(frames):
        yield _with(frame, lambda picture: np.roll(picture, (off, off), axis=(0, 1))) if index > FROM_FRAME else frame


def dimmed(frames: Iterator[Frame]) -> Iterator[Frame]:
    """After a while there is 15 % less light."""
    light = linear_light(np.arange(256.0))
    counts = np.rint(np.interp(DIM * light, light, np.arange(256.0))).astype(np.uint8)
    for index, frame in enumerate(frames):
        yield _with(frame, lambda picture: cv2.LUT(picture, counts)) if index > FROM_FRAME else frame


DISTURBANCES: dict[str, Disturb] = {"lost": lost, "blurred": blurred, "bumped": bumped, "dimmed": dimmed}


def _with(frame: Frame, made: Callable[[Picture], object]) -> Frame:
    if frame.pixels is None:
        return frame
    return changed(frame, pixels=np.asarray(made(np.ascontiguousarray(frame.pixels)), np.uint8))


def measure(
    fruit: int = FRUIT, seed: int = SEED, progress: Callable[[float], None] = lambda share: None
) -> dict[str, Effect]:
    """By the name of each disturbance."""
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "line"
        write_simulated(
            recording,
            fruit=fruit,
            seed=seed,
            level=LEVEL,
            lanes=LANES,
            variety=VARIETY,
            passes=1,
            cups_per_second=12.0,
            nir=False,
            progress=lambda share: progress(0.4 * share),
        )
        plain = _classes(recording, lambda frames: frames)
        effects = {}
        for done, (name, disturb) in enumerate(DISTURBANCES.items()):
            progress(0.5 + 0.12 * done)
            effects[name] = _effect(plain, _classes(recording, disturb))
        return effects


def _classes(recording: Path, disturb: Disturb) -> dict[tuple[int, int], FruitRecord]:
    replayed = replay(recording, sheet=SHEET, variety=VARIETY, disturb=disturb)
    return {(record.lane, record.cup): record for record in replayed.records}


def _effect(plain: dict[tuple[int, int], FruitRecord], found: dict[tuple[int, int], FruitRecord]) -> Effect:
    other = [cup for cup, record in plain.items() if cup not in found or found[cup].grade != record.grade]
    return Effect(
        fruit=len(plain),
        other_class=len(other),
        unflagged=sum(cup not in found or not found[cup].flags for cup in other),
        flagged=sum(bool(record.flags) for record in found.values()),
        diameter_mm=_rms(plain, found, "diameter_mm"),
        blush_points=100.0 * _rms(plain, found, "blush_fraction"),
    )


def _rms(plain: dict[tuple[int, int], FruitRecord], found: dict[tuple[int, int], FruitRecord], name: str) -> float:
    pairs = [(record.values[name], found[cup].values[name] if cup in found else None) for cup, record in plain.items()]
    off = np.array([float("nan") if one is None or other is None else other - one for one, other in pairs])
    return float(np.sqrt((off**2).mean()))


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--fruit", type=int, default=FRUIT)
    ask.add_argument("--seed", type=int, default=SEED)
    asked = ask.parse_args()
    print(f"{asked.fruit} fruit, {VARIETY}, level {LEVEL}, seed {asked.seed}, sheet {SHEET}")
    print(f"{'':9s} {'other class':>11s} {'no flag':>8s} {'flagged':>8s} {'diameter':>9s} {'blush':>12s}")
    for name, effect in measure(asked.fruit, asked.seed).items():
        print(
            f"{name:9s} {effect.other_class / effect.fruit:11.2%} {effect.unflagged / effect.fruit:8.2%} "
            f"{effect.flagged / effect.fruit:8.2%} {effect.diameter_mm:6.2f} mm {effect.blush_points:5.2f} points"
        )


if __name__ == "__main__":
    main()
