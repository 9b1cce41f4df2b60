"""How exact the station is on real apples: `python -m bench.real_apples ../shared`.

Photographs of real apples on a turntable, composed onto a belt by the tool beside them, ten recordings of other seeds.
What can be known of them: how far each turned from frame to frame, and that passes of one specimen in one sequence of
photographs show the same skin. Every apple counts; a value that was not measured is counted. docs/accuracy-real.md is
written anew.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.progress import Progress

from grader.app.replay import replay
from grader.domain.decisions import FruitRecord
from grader.domain.flags import Flag
from grader.storage.recordings import read_truth

SEEDS, CUPS, LANES = tuple(range(11, 21)), 40, 4
TURN_MOST_DEG, FLAGGED_MOST, BLUSH_MOST = 0.4, 5.0, 0.8
PAGE = Path(__file__).parents[1] / "docs" / "accuracy-real.md"

Pass = tuple[Mapping[str, str], FruitRecord]
"""A row of the truth, and what the station made of it."""


class Figures(NamedTuple):
    """apples: in all. flagged: in percent, whose turn was not seen. turn_deg: RMSE of those that are not flagged.
    unmeasured: those without a turn. blush_sd, diameter_sd: points and percent of the drawn width, over passes of a
    specimen and sequence, pooled. groups: so many of these."""

    apples: int
    flagged: float
    turn_deg: float
    unmeasured: int
    blush_sd: float
    diameter_sd: float
    groups: int


def figures(passes: Sequence[Pass]) -> Figures:
    """Of any number of recordings together."""
    unsure = np.array([bool(record.flags & (Flag.TURN_UNSURE | Flag.NO_MAP)) for _, record in passes])
    turn = np.array([_value(record, "turn_deg") - float(true["turn_deg"]) for true, record in passes])
    blush, diameter = defaultdict(list), defaultdict(list)
    for true, record in passes:
        group = true["specimen"], true["sequence"]
        blush[group].append(100.0 * _value(record, "blush_fraction"))
        diameter[group].append(100.0 * _value(record, "diameter_mm") / float(true["drawn_width_mm"]))
    return Figures(
        apples=len(passes),
        flagged=100.0 * float(unsure.mean()),
        turn_deg=float(np.sqrt((turn[~unsure] ** 2).mean())),
        unmeasured=int(np.isnan(turn).sum()),
        blush_sd=_pooled_sd(list(blush.values())),
        diameter_sd=_pooled_sd(list(diameter.values())),
        groups=sum(len(of) > 1 for of in blush.values()),
    )


def _value(record: FruitRecord, name: str) -> float:
    value = record.values[name]
    return float("nan") if value is None else value


def _pooled_sd(groups: Sequence[Sequence[float]]) -> float:
    return float(np.sqrt(np.mean([np.var(of, ddof=1) for of in groups if len(of) > 1])))


def passes_of(shared: Path, seed: int) -> list[Pass]:
    """Compose one recording and replay it."""
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "real"
        compose = [sys.executable, str(shared / "tools" / "compose_line.py"), str(recording)]
        asked = [*("--cups", str(CUPS)), *("--lanes", str(LANES)), *("--seed", str(seed))]
        data = ["--data", str(shared / "data" / "fruits360_apples")]
        subprocess.run([*compose, *asked, *data], check=True, stdout=subprocess.DEVNULL)
        records = {(record.lane, record.cup): record for record in replay(recording).records}
        return [(true, records[int(true["lane"]), int(true["cup"])]) for true in read_truth(recording)]


def page(by_seed: Mapping[int, Figures], all_: Figures) -> str:
    """docs/accuracy-real.md."""
    lines = [
        "# How exact it is on real apples",
        "",
        "Written by `python -m bench.real_apples ../shared`: photographs of real apples on a turntable",
        f"(fruits360, see `../shared/data`), composed onto {LANES} lanes of {CUPS} cups. Every apple counts;",
        "✗ is more than asked. Light from one side and pictures that were centred one by one are the photographs' own.",
        "",
        "| seed | apples | turn not seen, % | turn, RMSE, deg | without a turn | blush, SD, points | diameter, SD, % |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        f"| asked | | {FLAGGED_MOST:g} | {TURN_MOST_DEG:g} | | {BLUSH_MOST:g} | |",
    ]
    for name, each in [*((str(seed), each) for seed, each in by_seed.items()), ("all", all_)]:
        flagged, turn, blush = (
            f"{value:.2f}{'' if value <= most else ' ✗'}"
            for value, most in (
                (each.flagged, FLAGGED_MOST),
                (each.turn_deg, TURN_MOST_DEG),
                (each.blush_sd, BLUSH_MOST),
            )
        )
        lines.append(
            f"| {name} | {each.apples} | {flagged} | {turn} | {each.unmeasured} | {blush} | {each.diameter_sd:.2f} |"
        )
    return "\n".join([*lines, "", f"Over passes: {all_.groups} specimens and sequences.", ""])


def main() -> None:
    """Measure, print and write the page."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("shared", type=Path, help="the folder with data/fruits360_apples and tools/compose_line.py")
    ask.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    ask.add_argument("--out", type=Path, default=PAGE)
    asked = ask.parse_args()
    passes: dict[int, list[Pass]] = {}
    with Progress(transient=True) as bars:
        for seed in bars.track(asked.seeds, description="real apples"):
            passes[seed] = passes_of(asked.shared, seed)
    together = [each for of_seed in passes.values() for each in of_seed]
    text = page({seed: figures(of_seed) for seed, of_seed in passes.items()}, figures(together))
    asked.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
