"""kill -9 of the station at random moments, while the line runs on: nothing fires that is not written, nothing is
written twice, and the lot goes on.

    python -m bench.holding.kills [--times 100] [--disk good|stalled|full] [--seed 1] [--lanes 4]

stalled: another process holds the journal for two seconds around each kill. full: the station can write no more for two
seconds before each kill, and gates wait; what it starts again with has room.
"""

from __future__ import annotations

import argparse
import random
import resource
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.holding.station import RunningStation
from grader.app.books import JOURNAL

LONGEST_WAIT_S = 60.0
LONGEST_LIFE_S = 3.0
STILLBORN = 4
STALL_S = 2.0
DISKS = ("good", "stalled", "full")


def measure(
    times: int,
    disk: str = "good",
    seed: int = 1,
    lanes: int = 4,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, float]:
    """goes_on_s_p50, _p99, _worst: from the start after a kill to the first fruit that is written. landed, as_decided,
    by_default, undecided, misses, openings, unasked: as in `grader.app.refereed.Refereed`."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        out = Path(folder)
        station = RunningStation(out, "--lanes", lanes, "--seed", seed)
        _wait_for_fruit(station, more_than=0)
        goes_on_s = []
        try:
            for kill in range(times):
                time.sleep(chance.uniform(0.0, LONGEST_LIFE_S))
                _trouble(station, disk, chance)
                station.kill()
                kept, began = station.fruit_kept(), time.monotonic()
                station = RunningStation(out)
                if kill % STILLBORN == 0:  # one in some is killed while it starts
                    time.sleep(chance.uniform(0.0, LONGEST_LIFE_S / 2))
                    station.kill()
                    kept, began = station.fruit_kept(), time.monotonic()
                    station = RunningStation(out)
                _wait_for_fruit(station, more_than=kept)
                goes_on_s.append(time.monotonic() - began)
                progress((kill + 1) / times)
            station.stop()
        finally:
            station.process.kill()
            station.process.wait()
        verdict = station.verdict()
    goes_on_s.sort()
    return {
        "kills": float(times),
        "goes_on_s_p50": goes_on_s[len(goes_on_s) // 2],
        "goes_on_s_p99": goes_on_s[min(len(goes_on_s) - 1, int(0.99 * len(goes_on_s)))],
        "goes_on_s_worst": goes_on_s[-1],
        **{
            name: float(verdict[name])
            for name in ("landed", "as_decided", "by_default", "undecided", "openings", "unasked")
        },
        "misses": float(len(verdict["misses"])),
    }


def _wait_for_fruit(station: RunningStation, *, more_than: int) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_S
    while station.fruit_kept() <= more_than:
        station.require_alive()
        if time.monotonic() > deadline:
            raise RuntimeError(f"no fruit was written within {LONGEST_WAIT_S:.0f} s")
        time.sleep(0.01)


def _trouble(station: RunningStation, disk: str, chance: random.Random) -> None:
    """Let the disk be as it is to be, and some of that time go by."""
    if disk == "stalled":
        threading.Thread(target=_hold, args=(station.folder / JOURNAL,), daemon=True).start()
        time.sleep(chance.uniform(0.0, STALL_S))
    elif disk == "full":
        size = (station.folder / JOURNAL).stat().st_size
        resource.prlimit(station.pid, resource.RLIMIT_FSIZE, (min(size, 4096), resource.RLIM_INFINITY))
        time.sleep(chance.uniform(0.0, STALL_S))


def _hold(journal: Path) -> None:
    """Nobody else can write for `STALL_S`."""
    with closing(sqlite3.connect(journal, timeout=1.0, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(STALL_S)
            other.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return  # the one before still holds it


def main() -> None:
    """Print what came of it."""
    asked = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    asked.add_argument("--times", type=int, default=100)
    asked.add_argument("--disk", choices=DISKS, default="good")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--lanes", type=int, default=4)
    given = asked.parse_args()
    print(f"kill -9, {given.times} times, {given.lanes} lanes x 12 cups/s, disk {given.disk}, seed {given.seed}")
    for name, value in measure(given.times, given.disk, given.seed, given.lanes).items():
        print(f"{name:24} {value:12.6g}", flush=True)


if __name__ == "__main__":
    main()
