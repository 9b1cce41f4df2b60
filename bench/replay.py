"""How fast a recording is replayed: everything from the packed file to the rows of fruit.csv.

    python -m bench.replay

The recording is of the simulated line, made in a temporary folder; its reader decodes ahead in threads of its own, as
it does for `grader replay`.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from grader.app.replay import Replayed, replay
from grader.app.simulating import write_simulated
from grader.storage.recordings import read_truth

SEED = 23
FRUIT, LANES = 64, 4


def measure(seconds: float = 5.0) -> dict[str, float]:
    """replay_fruit_per_s: median over whole replays. Raises ValueError when a replay has other rows than the truth."""
    rates: list[float] = []
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        path = Path(folder) / "line.packed"
        frames = _record(path)
        truth = {(int(row["lane"]), int(row["cup"])) for row in read_truth(path)}
        end = time.perf_counter() + seconds
        while not rates or time.perf_counter() < end:
            before = time.perf_counter()
            replayed = replay(path)
            rates.append(len(replayed.records) / (time.perf_counter() - before))
            _check(replayed, truth)
    rate = sorted(rates)[len(rates) // 2]
    return {
        "replay_fruit_per_s": rate,
        "replay_frames_per_s": rate * frames / FRUIT,
        "replay_rounds": float(len(rates)),
    }


def _record(path: Path) -> int:
    return write_simulated(
        path,
        fruit=FRUIT,
        seed=SEED,
        level="changing",
        lanes=LANES,
        variety="Fuji",
        passes=1,
        cups_per_second=12.0,
        nir=False,
        progress=lambda share: None,
    )


def _check(replayed: Replayed, truth: set[tuple[int, int]]) -> None:
    """A row for each fruit and no other."""
    rows = {(record.lane, record.cup) for record in replayed.records}
    if rows != truth or len(rows) != len(replayed.records):
        raise ValueError(f"{len(truth - rows)} fruit have no row, {len(rows - truth)} rows have no fruit")


if __name__ == "__main__":
    print(f"seed {SEED}, {FRUIT} fruit, {LANES} lanes, level changing")
    for name, value in measure().items():
        print(f"{name:24} {value:10.1f}")
