"""The largest rate at which the line still holds: nothing dropped, nothing late, every fruit where it was sent.

    python -m bench.holding.rate [--lanes 8] [--seconds 60] [--from 15] [--seed 1]

Whole stations run one after the other, each faster by a cup a second, until one does not hold.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.holding.station import RunningStation

MOST_LATENCY_MS = 100.0
LEAST_SHARE = 0.999
FASTEST = 20.0
"""Cups a second of a lane: no chain is faster."""


class Held(NamedTuple):
    """One run. fruit_per_s: cups of all lanes. late: commands that were not sent in time, refused or void. p999_ms,
    worst_ms: frame to command."""

    cups_per_second: float
    fruit_per_s: float
    dropped: int
    late: int
    share: float
    p999_ms: float
    worst_ms: float

    def __str__(self) -> str:
        return (
            f"{self.cups_per_second:g} cups/s a lane, {self.fruit_per_s:g} in all: dropped {self.dropped}, "
            f"late {self.late}, as decided {self.share:.4%}, frame to command p99.9 {self.p999_ms:.1f} ms, "
            f"worst {self.worst_ms:.1f} ms: {'holds' if self.holds else 'does not hold'}"
        )

    @property
    def holds(self) -> bool:
        """Whether all that is asked of a rate was kept."""
        return self.dropped == 0 and self.late == 0 and self.share >= LEAST_SHARE and self.p999_ms <= MOST_LATENCY_MS


def run(lanes: int, cups_per_second: float, seconds: float, seed: int = 1) -> Held:
    """One station at one rate. Raises RuntimeError when it ends with an error."""
    with tempfile.TemporaryDirectory(prefix="rate-") as folder:
        words = ("--lanes", lanes, "--cups-per-second", cups_per_second, "--minutes", seconds / 60.0, "--seed", seed)
        station = RunningStation(Path(folder), *words)
        try:
            status = station.process.wait(seconds + 300.0)
        finally:
            station.process.kill()
            station.process.wait()
        if status:
            said = (station.folder / "run.log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the station ended with status {status}:\n{said}")
        summary, verdict = station.summary(), station.verdict()
    latency = summary["latency"]["frame_to_command"]
    return Held(
        cups_per_second=cups_per_second,
        fruit_per_s=lanes * cups_per_second,
        dropped=summary["frames_dropped"],
        late=sum(summary[name] for name in ("late", "refused", "void")),
        share=verdict["share"],
        p999_ms=latency["p999_ms"],
        worst_ms=latency["worst_ms"],
    )


def measure(
    lanes: int = 8,
    seconds: float = 60.0,
    slowest: float = 15.0,
    seed: int = 1,
    told: Callable[[Held], None] = lambda held: None,
) -> dict[str, float]:
    """largest_rate_cups_per_s of a lane, largest_rate_cups_per_s_all of all lanes (cups, 92 % of them with fruit);
    0 when not even the slowest holds."""
    best = 0.0
    rate = slowest
    while rate <= FASTEST:
        held = run(lanes, rate, seconds, seed)
        told(held)
        if not held.holds:
            break
        best = rate
        rate += 1.0
    return {
        "largest_rate_lanes": float(lanes),
        "largest_rate_cups_per_s": best,
        "largest_rate_cups_per_s_all": best * lanes,
    }


def main() -> None:
    """Print what came of it."""
    asked = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    asked.add_argument("--lanes", type=int, default=8)
    asked.add_argument("--seconds", type=float, default=60.0)
    asked.add_argument("--from", dest="slowest", type=float, default=15.0)
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()

    for name, value in measure(
        given.lanes, given.seconds, given.slowest, given.seed, lambda held: print(held, flush=True)
    ).items():
        print(f"{name:28} {value:8.4g}")


if __name__ == "__main__":
    main()
