"""A day of belt through `grader.station.line.step`, as fast as it goes: is every fruit accounted for?

    python -m bench.day --fruit 1000000 --seed 5 [--lanes 8] [--faults]

Real pictures of the simulated line, level changing, with the readings of scale and spectrometer. With --faults frames,
readings and the encoder's count go wrong, one thing after the other. Every row is compared with the fruit in its cup.
The exit status is 1 when a fruit was lost or mixed up.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench.day_book import DayBook
from bench.day_line import EMPTY_SHARE, LOOP_CUPS, DayLine
from grader.app.setting_up import decider
from grader.domain.flags import flag_names
from grader.domain.skin import Sighting, SkinMeasures
from grader.station.line import LineSettings as StepSettings
from grader.station.line import LineState, new_line, step
from grader.vision.skin_by_views import SkinByViews
from hardware.sim.levels import LEVELS
from hardware.sim.line import LineSettings
from hardware.sim.reference import PULSES_PER_CUP
from hardware.sim.simulate import prepared_loop

LANES, SEED, FRUIT = 8, 5, 1_000_000
_SETTLED_SHARE = 0.05
"""Of the day; memory is compared with what it was then."""


@dataclass(frozen=True, slots=True)
class DayFound:
    """What came of a day. seconds; core_s: time that a core was at work meanwhile. rss_mb: memory of the process when
    settled, and at the end."""

    line: DayLine
    book: DayBook
    state: LineState
    events: Counter[str]
    steps: int
    seconds: float
    core_s: float
    rss_mb: tuple[float, float]

    @property
    def wrong(self) -> int:
        """Fruit lost, mixed up, or out of the books; on a day without faults, rows and fruit in doubt too."""
        book = self.book
        found = book.lost + book.mixed_up + abs(book.balance)
        return found if self.line.faults else found + book.in_doubt + book.rows_in_doubt + book.named_again


def measure(
    fruit: int = FRUIT,
    *,
    seed: int = SEED,
    lanes: int = LANES,
    faults: bool = False,
    progress: Callable[[int], None] = lambda fruit: None,
) -> DayFound:
    """Run until so many fruit have entered. progress: told how many have."""
    cv2.setNumThreads(1)
    settings = LineSettings(
        level=LEVELS["changing"], seed=seed, lanes=lanes, loop_cups=LOOP_CUPS, empty_share=EMPTY_SHARE
    )
    line = DayLine(settings, prepared_loop(settings), random.Random(seed) if faults else None)
    # Maps of skin take 6 ms a fruit and change nothing of who is who: without them a day takes under an hour.
    chosen = replace(decider(line.sim.installation).settings, mapping=None)
    state = new_line(chosen)
    state.by_views = _EachOnce(chosen)
    book = DayBook(line, first_cup=line.pulse // PULSES_PER_CUP + 2)
    events: Counter[str] = Counter()
    steps, settled_mb = 0, 0.0
    began, core_began = time.perf_counter(), time.process_time()
    step(chosen, state, *line.references())
    while book.entered < fruit:
        for told in line.move(book.encoder_failed):
            result = step(chosen, state, *told)
            steps += 1
            for record in result.records:
                book.decided(record)
            events.update(_name(event.kind.value, event.values) for event in result.events)
        book.moved()
        if not settled_mb and book.entered >= _SETTLED_SHARE * fruit:
            settled_mb = _resident_mb()
        if not line.frames % 50:
            progress(book.entered)
    seconds, core_s = time.perf_counter() - began, time.process_time() - core_began
    return DayFound(line, book, state, events, steps, seconds, core_s, (settled_mb, _resident_mb()))


class _EachOnce(SkinByViews):
    """The fruit of the loop come round for ever: the skin of each is measured once."""

    def __init__(self, settings: StepSettings) -> None:
        super().__init__(settings.camera_place, settings.installation.line, settings.colours, settings.by_views)
        self._known: dict[tuple[int, int], SkinMeasures] = {}

    def of(self, sighting: Sighting, diameter_mm: float, height_mm: float, turn_deg: float) -> SkinMeasures:
        at = sighting.lane, sighting.cup % LOOP_CUPS
        if at not in self._known:
            self._known[at] = super().of(sighting, diameter_mm, height_mm, turn_deg)
        return self._known[at]


def report(found: DayFound) -> list[str]:
    """Lines for people: every counter, and its rate."""
    book, track, frames = found.book, found.state.track, found.state.faults

    def rates(title: str, counts: dict[str, int]) -> list[str]:
        lines = [f"  {name:<58}{n:>12,}{1000 * n / book.entered:>12.3f}" for name, n in counts.items() if n]
        return [f"{title:<60}{'n':>12}{'per 1,000':>12}", *(lines or ["  none"])]

    own_rows = book.rows - book.rows_in_doubt
    return [
        f"{book.entered:,} fruit in {found.seconds:.0f} s: {book.entered / found.seconds:.0f} fruit/s; of one core "
        f"{book.entered / found.core_s:.0f} fruit/s, {1e3 * found.core_s / found.steps:.2f} ms for each of "
        f"{found.steps:,} steps, what the simulated devices take included",
        f"memory {found.rss_mb[0]:.1f} MB when settled, {found.rss_mb[1]:.1f} MB at the end",
        f"masses: RMSE {book.mass_rmse_g(slice(10)):.3f} g in the first 10 rounds of the chain, "
        f"{book.mass_rmse_g(slice(-10, None)):.3f} g in the last 10 of {len(book.errors_g)}",
        *rates(
            "conservation",
            {
                "entered": book.entered,
                "with one row": own_rows,
                "on the belt when the encoder was wrong": book.in_doubt,
                "came under serials that were decided already": book.named_again,
                "not due yet": book.on_the_belt,
                "LOST": book.lost,
                "MIXED UP": book.mixed_up,
                "OUT OF THE BOOKS": abs(book.balance),
            },
        ),
        *rates("rows", {"all": book.rows, "flagged": book.flagged, "of no fruit for certain": book.rows_in_doubt}),
        *rates("faults that were made", dict(found.line.faults)),
        *rates(
            "counters",
            {
                "frames missing": frames.missing,
                "places passed over": frames.passed_over,
                "pictures alike": frames.alike,
                "pictures colourless": frames.colourless,
                "pictures filled up": frames.filled_up,
                "pictures uncounted": frames.uncounted,
                "strays": frames.strays,
                "cut at start": len(frames.cut_at_start),
                "views ignored": track.ignored_views,
                "readings ignored": track.ignored_readings,
            },
        ),
        *rates("flags", {flag_names(bits) or "none": n for bits, n in book.flags.most_common()}),
        *rates("events", dict(sorted(found.events.items()))),
        *(f"WRONG: {example}" for example in book.examples),
    ]


def main() -> int:
    """Run a day as asked for; the exit status."""
    parser = argparse.ArgumentParser(description="A day of belt through the station's step, by accelerated simulation.")
    parser.add_argument("--fruit", type=int, default=FRUIT)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--lanes", type=int, default=LANES)
    parser.add_argument("--faults", action="store_true")
    asked = parser.parse_args()
    columns = (BarColumn(), TextColumn("{task.completed:,.0f} of {task.total:,.0f} fruit"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn()) as bar:
        day = bar.add_task("", total=asked.fruit)
        found = measure(
            asked.fruit,
            seed=asked.seed,
            lanes=asked.lanes,
            faults=asked.faults,
            progress=lambda fruit: bar.update(day, completed=fruit),
        )
    print(f"seed {asked.seed}, {asked.lanes} lanes, level changing, {'with' if asked.faults else 'without'} faults")
    print("\n".join(report(found)))
    return int(found.wrong > 0)


def _name(kind: str, values: dict[str, float | int | str]) -> str:
    return " ".join([kind, *(str(values[name]) for name in ("alarm", "is") if name in values)])


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


if __name__ == "__main__":
    sys.exit(main())
