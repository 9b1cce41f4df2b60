"""How exact the station is on the simulated line, variety by variety: `python -m bench.accuracy_table`.

Recordings are simulated and replayed, nothing is chosen or left out; then docs/accuracy.md and the plots beside it are
written anew. Two kinds:

    truth           many fruit, once each: how far the values are from the truth, and spots from painted lesions
    repeatability   few fruit, ten times each, at other start angles and in other cups and lanes: how far the values of
                    one fruit are from each other, and how often two passes agree on the class (EU apples, group B)
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from bench.accuracy import measure
from bench.accuracy_plot import Panel, limits_of_agreement, write_plots
from bench.skins_on_maps import SkinJudge
from grader.app.replay import replay, write_out
from grader.app.simulating import write_simulated
from grader.domain.skin import Sighting
from grader.storage.recordings import read_truth
from hardware.sim.levels import LEVELS
from hardware.sim.line import LineSettings, SimulatedLine
from hardware.sim.varieties import VARIETIES as SIMULATED

Values = NDArray[np.float64]

VARIETIES, FRUIT, SEED, PASSES = ("Fuji", "Gala", "Golden"), 1000, 61, 10
LANES, LEVEL = 4, "changing"
PAGE = Path(__file__).parents[1] / "docs" / "accuracy.md"


class Asked(NamedTuple):
    """A figure that is asked for: RMSE, or SD over passes, of a column times a factor is at most so much."""

    column: str
    factor: float
    unit: str
    most: float


TRUTH = (
    Asked("diameter_mm", 1.0, "mm", 0.3),
    Asked("height_mm", 1.0, "mm", 0.7),
    Asked("volume_percent", 1.0, "%", 1.5),
    Asked("blush_fraction", 100.0, "points", 1.5),
    Asked("turn_deg", 1.0, "deg", 0.4),
)
PASSED = (Asked("diameter_mm", 1.0, "mm", 0.2), Asked("blush_fraction", 100.0, "points", 0.8))
SEEN_LEAST = 0.88
TWICE_MOST, AREA_MOST = 1.0, 15.0
"""Lesions counted twice, RMSE of their areas, %."""
AGREE_LEAST = (97.0, 95.0)
"""Two passes in one lane, and in two, %."""
SHEET, GROUP_B = "eu_apples", "Fuji"


class OfVariety(NamedTuple):
    """figures: of `bench.accuracy`, and volume_percent_rmse, _bias, _worst, skin_seen. sd: by column, over the passes
    of one fruit, pooled over fruit. errors: by column, (n, 2) of every fruit that has a value what is true of it, and
    by how much it is off, in the unit asked for. skins: what `SkinJudge` counted. agree: pairs of passes that agree on
    the class and all pairs, in one lane and across lanes."""

    variety: str
    figures: dict[str, float]
    sd: dict[str, float]
    errors: dict[str, Values]
    skins: SkinJudge
    agree: tuple[tuple[int, int], tuple[int, int]]


def measured(
    variety: str, fruit: int, seed: int, passes: int, progress: Callable[[float], None] = lambda share: None
) -> OfVariety:
    """Simulate, replay and judge one variety. progress: share done."""
    with tempfile.TemporaryDirectory() as folder:
        settings = LineSettings(
            level=LEVELS[LEVEL], seed=seed, fruit=fruit, lanes=LANES, variety=SIMULATED[variety], cups_per_second=12.0
        )
        judge = SkinJudge(SimulatedLine(settings))
        once = _replayed(
            Path(folder) / "once", variety, fruit, seed, 1, lambda share: progress(0.6 * share), see=judge.see
        )
        errors = _errors(once)
        figures = measure(once, once / "out" / "fruit.csv") | _volume_and_skin(once, errors["volume_percent"][:, 1])
        again = _replayed(
            Path(folder) / "again", variety, _few(fruit), seed + 1, passes, lambda share: progress(0.6 + 0.4 * share)
        )
        return OfVariety(variety, figures, _sd_of_passes(again), errors, judge, _agreement(again))


def _few(fruit: int) -> int:
    """Of which each passes several times."""
    return max(fruit // 20, 2)


def _replayed(
    folder: Path,
    variety: str,
    fruit: int,
    seed: int,
    passes: int,
    progress: Callable[[float], None],
    see: Callable[[Sequence[Sighting]], None] = lambda sightings: None,
) -> Path:
    write_simulated(
        folder,
        fruit=fruit,
        seed=seed,
        level=LEVEL,
        lanes=LANES,
        variety=variety,
        passes=passes,
        cups_per_second=12.0,
        nir=False,
        progress=lambda share: progress(0.8 * share),
    )
    replayed = replay(
        folder,
        sheet=SHEET,
        variety=GROUP_B,
        progress=lambda done, all_: progress(0.8 + 0.2 * done / max(all_, 1)),
        see=see,
    )
    write_out(replayed, folder / "out")
    return folder


def _rows(folder: Path) -> dict[tuple[int, int], dict[str, str]]:
    with (folder / "out" / "fruit.csv").open(newline="") as table:
        return {(int(row["lane"]), int(row["cup"])): row for row in csv.DictReader(table)}


def _errors(folder: Path) -> dict[str, Values]:
    """By column of TRUTH: see `OfVariety`."""
    rows, truth = _rows(folder), read_truth(folder)
    found = {}
    for asked in TRUTH:
        column = asked.column.replace("percent", "ml")
        pairs = [
            (float(true[column]), float(row[column]))
            for true in truth
            if (row := rows.get((int(true["lane"]), int(true["cup"])), {})).get(column)
        ]
        true, measured = np.array(pairs).reshape(-1, 2).T
        off = 100.0 * (measured / true - 1.0) if column != asked.column else asked.factor * (measured - true)
        found[asked.column] = np.stack([true, off], axis=1)
    return found


def _volume_and_skin(folder: Path, off: Values) -> dict[str, float]:
    """off: (n,) of the volume, in percent."""
    rows, truth = _rows(folder), read_truth(folder)
    seen = [float(rows.get((int(true["lane"]), int(true["cup"])), {}).get("skin_seen") or 0.0) for true in truth]
    return {
        "volume_percent_rmse": float(np.sqrt((off**2).mean())),
        "volume_percent_bias": float(off.mean()),
        "volume_percent_worst": float(np.abs(off).max()),
        "volume_percent_unmeasured": float(len(truth) - len(off)),
        "skin_seen": float(np.mean(seen)),
    }


def _sd_of_passes(folder: Path) -> dict[str, float]:
    """Every pass counts; one without a value makes the SD of its fruit NaN, and that of all."""
    rows = _rows(folder)
    values: dict[str, dict[str, list[float]]] = {asked.column: defaultdict(list) for asked in PASSED}
    for true in read_truth(folder):
        row = rows.get((int(true["lane"]), int(true["cup"])), {})
        for column, of_body in values.items():
            of_body[true["body"]].append(float(row.get(column) or "nan"))
    return {
        column: float(np.sqrt(np.mean([np.var(passes, ddof=1) for passes in of_body.values()])))
        for column, of_body in values.items()
    }


def _agreement(folder: Path) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pairs of passes of one fruit that have the same class, and all pairs: in one lane, and in two."""
    rows, passes = _rows(folder), defaultdict(list)
    for true in read_truth(folder):
        at = int(true["lane"]), int(true["cup"])
        passes[true["body"]].append((at[0], rows.get(at, {}).get("grade", "no row")))
    same, all_ = [0, 0], [0, 0]
    for of_body in passes.values():
        for (lane, grade), (other_lane, other_grade) in combinations(of_body, 2):
            all_[lane != other_lane] += 1
            same[lane != other_lane] += grade == other_grade
    return (same[0], all_[0]), (same[1], all_[1])


def page(found: Sequence[OfVariety], fruit: int, seed: int, passes: int, plots_at: str = "accuracy.png") -> str:
    """docs/accuracy.md. plots_at: where the plots lie beside it."""
    names = [each.variety for each in found]
    lines = [
        "# How exact it is",
        "",
        f"Written by `python -m bench.accuracy_table --fruit {fruit} --seed {seed} --passes {passes}`: the simulated",
        f"line, level `{LEVEL}`, {LANES} lanes, {fruit} fruit of each variety once, {_few(fruit)} of each {passes}",
        "times at other start angles, cups and lanes. Every fruit counts, flagged or not; ✗ is more than asked.",
        "",
        f"| | asked | {' | '.join(names)} | all |",
        f"| --- | --- | {'--- | ' * len(names)}--- |",
    ]
    for asked in TRUTH:
        rmse = [asked.factor * each.figures[f"{asked.column}_rmse"] for each in found]
        lines.append(_line(f"{asked.column.rsplit('_', 1)[0]}, RMSE, {asked.unit}", asked.most, rmse))
    for asked in TRUTH:
        bias = [f"{asked.factor * each.figures[f'{asked.column}_bias']:+.2f}" for each in found]
        worst = [f"{asked.factor * each.figures[f'{asked.column}_worst']:.1f}" for each in found]
        both = " | ".join(f"{one}; {other}" for one, other in zip(bias, worst, strict=True))
        lines.append(f"| {asked.column.rsplit('_', 1)[0]}, bias; worst, {asked.unit} | | {both} | |")
    for asked in TRUTH:
        both = [limits_of_agreement(each.errors[asked.column][:, 1]) for each in found]
        shown = " | ".join(f"{below:+.2f} to {above:+.2f}" for below, above in both)
        lines.append(f"| {asked.column.rsplit('_', 1)[0]}, limits of agreement, {asked.unit} | | {shown} | |")
    seen = [each.figures["skin_seen"] for each in found]
    marked = [f"{share:.3f}{'' if share >= SEEN_LEAST else ' ✗'}" for share in (*seen, float(np.mean(seen)))]
    lines.append(f"| skin seen, mean share | at least {SEEN_LEAST} | {' | '.join(marked)} |")
    for asked in TRUTH:  # an RMSE knows nothing of them: they are said
        without = [f"{each.figures[f'{asked.column}_unmeasured']:.0f}" for each in found]
        lines.append(f"| {asked.column.rsplit('_', 1)[0]}, fruit without a value | | {' | '.join(without)} | |")
    for what in ("missing", "extra", "flagged_fraction"):
        shown = [f"{each.figures[what]:.2%}" if "fraction" in what else f"{each.figures[what]:.0f}" for each in found]
        called = {"missing": "fruit without a row", "extra": "rows without a fruit", "flagged_fraction": "flagged"}[
            what
        ]
        lines.append(f"| {called} | | {' | '.join(shown)} | |")
    for asked in PASSED:
        sd = [asked.factor * each.sd[asked.column] for each in found]
        lines.append(_line(f"{asked.column.rsplit('_', 1)[0]}, SD over passes, {asked.unit}", asked.most, sd))
    lines += [*_of_spots(found), *_of_stripes(found)]
    for which, least in enumerate(AGREE_LEAST):
        pairs = [each.agree[which] for each in found]
        share = [100.0 * same / max(of, 1) for same, of in [*pairs, tuple(np.sum(pairs, axis=0).tolist())]]
        shown = [f"{each:.1f}{'' if each >= least else ' ✗'}" for each in share]
        where = ("in a lane", "across lanes")[which]
        lines.append(f"| two passes of the same class, {where}, % | at least {least:g} | {' | '.join(shown)} |")
    return "\n".join([*lines, "", *_NOTES, "", f"![Errors of every fruit over its truth]({plots_at})", ""])


def _panels(found: Sequence[OfVariety]) -> list[Panel]:
    return [
        Panel(
            asked.column.rsplit("_", 1)[0],
            asked.unit,
            {each.variety: each.errors[asked.column] for each in found if len(each.errors[asked.column]) > 1},
        )
        for asked in TRUTH
    ]


_NOTES = (
    "Lesions are those of 20 mm2 and more that lie wholly on skin that was seen, painted ones that touch taken as one.",
    "Classes are those of the preset `eu_apples`, group B, as if all varieties were in it; sizes make no class.",
)


def _of_spots(found: Sequence[OfVariety]) -> list[str]:
    judges = [each.skins for each in found]
    n, sound = [each.lesions for each in judges], [each.sound for each in judges]
    missed = _shares([each.lesions - each.found for each in judges], n)
    twice = _shares([each.twice for each in judges], n)
    off = [np.array(each.area_off) for each in judges]
    off.append(np.concatenate(off))
    rmse = [100.0 * float(np.sqrt((each**2).mean())) if len(each) else float("nan") for each in off]
    bias = [f"{100.0 * float(each.mean()):+.1f}" if len(each) else "nan" for each in off]
    return [
        f"| lesions | | {' | '.join(map(str, n))} | {sum(n)} |",
        f"| lesions not found, % | | {' | '.join(f'{each:.1f}' for each in missed)} |",
        f"| lesions counted twice, % | {TWICE_MOST:g} | {_marked(twice, TWICE_MOST)} |",
        f"| their area, RMSE, % | {AREA_MOST:g} | {_marked(rmse, AREA_MOST)} |",
        f"| their area, bias, % | | {' | '.join(bias)} |",
        "| sound fruit with a spot, % | | "
        + " | ".join(f"{each:.1f}" for each in _shares([each.sound_with_spot for each in judges], sound))
        + " |",
    ]


def _of_stripes(found: Sequence[OfVariety]) -> list[str]:
    """An RMSE leaves out what has no value: those are said."""
    pairs = [np.array(each.skins.stripes, np.float64).reshape(-1, 2) for each in found]
    pairs.append(np.concatenate(pairs))
    known = [each[np.isfinite(each).all(axis=1)] for each in pairs]
    enough = [each if len(each) > 1 else np.full((2, 2), np.nan) for each in known]
    mean = [f"{true:.3f}; {told:.3f}" for true, told in (each.mean(axis=0) for each in enough)]
    rmse = [f"{float(np.sqrt(np.square(each[:, 1] - each[:, 0]).mean())):.3f}" for each in enough]
    together = [f"{np.corrcoef(each.T)[0, 1]:.2f}" for each in enough]
    without = [f"{len(each) - len(told)}" for each, told in zip(pairs, known, strict=True)]
    return [
        f"| contrast of stripes, mean: painted; measured | | {' | '.join(mean)} |",
        f"| contrast of stripes, RMSE | | {' | '.join(rmse)} |",
        f"| contrast of stripes, correlation | | {' | '.join(together)} |",
        f"| contrast of stripes, fruit without a value | | {' | '.join(without)} |",
    ]


def _shares(some: Sequence[int], of: Sequence[int]) -> list[float]:
    """In percent, and that of all together."""
    return [100.0 * one / max(all_, 1) for one, all_ in zip([*some, sum(some)], [*of, sum(of)], strict=True)]


def _marked(values: Sequence[float], most: float) -> str:
    return " | ".join(f"{value:.1f}{'' if value <= most else ' ✗'}" for value in values)


def _line(name: str, most: float, values: Sequence[float]) -> str:
    """With the root of the mean square of all at the end."""
    shown = [
        f"{value:.2f}{'' if value <= most else ' ✗'}" for value in (*values, float(np.sqrt(np.mean(np.square(values)))))
    ]
    return f"| {name} | {most:g} | {' | '.join(shown)} |"


def main() -> None:
    """Measure, print and write the page."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--fruit", type=int, default=FRUIT, help="of each variety")
    ask.add_argument("--seed", type=int, default=SEED)
    ask.add_argument("--passes", type=int, default=PASSES)
    ask.add_argument("--out", type=Path, default=PAGE)
    asked = ask.parse_args()
    found = []
    with Progress(transient=True) as bars:
        for variety in VARIETIES:
            bar = bars.add_task(variety, total=1.0)
            found.append(
                measured(
                    variety,
                    asked.fruit,
                    asked.seed,
                    asked.passes,
                    lambda share, bar=bar: bars.update(bar, completed=share),
                )
            )
    drawn = asked.out.with_suffix(".png")
    write_plots(_panels(found), drawn)
    asked.out.write_text(page(found, asked.fruit, asked.seed, asked.passes, drawn.name), encoding="utf-8")
    print(asked.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
