"""How far fruit.csv is from the truth of its recording: `python -m bench.accuracy RECORDING OUT_DIR`.

OUT_DIR is what `grader replay RECORDING --out OUT_DIR` wrote. Every fruit of the truth counts: a flag takes none out of
a figure, the figures without flagged fruit stand beside; a value that was not measured is counted. Where truth.csv has
drawn_width_mm, the passes of each specimen and sequence are compared with each other instead: the standard deviation
of diameter over drawn width, condition `reject` left out.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grader.errors import BadFile
from grader.storage.recordings import read_truth

QUANTITIES = (
    *("diameter_mm", "height_mm", "volume_ml", "mass_g"),
    *("blush_fraction", "defect_area_mm2", "turn_deg", "ssc_brix"),
)
SEED, DRAWS = 1, 2000
"""Of the bootstrap over fruit that gives an RMSE its 95 % interval."""

Row = Mapping[str, str]
Fruit = tuple[int, int]
Values = NDArray[np.float64]


def measure(recording: Path, fruit_csv: Path) -> dict[str, float]:
    """Flat figures, units in the names.

    truth_fruit, rows, missing, extra, flagged_fraction; per quantity that the truth has: NAME_bias, _rmse, _rmse_low95,
    _rmse_high95, _worst, _unmeasured (how many of the truth's have no value) and _rmse_unflagged; with drawn widths:
    passes_sd_mean_percent, passes_sd_worst_percent, passes_groups. NaN where nothing can be said. Raises BadRecording,
    BadFile.
    """
    truth, rows = _by_fruit(read_truth(recording), recording), _by_fruit(_table(fruit_csv), fruit_csv)
    both = sorted(truth.keys() & rows.keys())
    flagged = np.array([rows[fruit].get("flags", "") != "" for fruit in both], bool)
    figures = {
        "truth_fruit": float(len(truth)),
        "rows": float(len(rows)),
        "missing": float(len(truth.keys() - rows.keys())),
        "extra": float(len(rows.keys() - truth.keys())),
        "flagged_fraction": float(flagged.mean()) if both else float("nan"),
    }
    for name in QUANTITIES:
        true = np.array([_number(truth[fruit].get(name, "")) for fruit in both])
        if np.isfinite(true).any():
            found = np.array([_number(rows[fruit].get(name, "")) for fruit in both])
            figures |= {f"{name}_{what}": value for what, value in _errors(found, true, flagged).items()}
    spread = passes_sd_percent(truth, rows)
    if spread:
        figures["passes_sd_mean_percent"] = float(np.mean(list(spread.values())))
        figures["passes_sd_worst_percent"] = max(spread.values())
        figures["passes_groups"] = float(len(spread))
    return figures


def passes_sd_percent(truth: Mapping[Fruit, Row], rows: Mapping[Fruit, Row]) -> dict[tuple[str, str], float]:
    """SD, in percent, of diameter over drawn width from pass to pass, by specimen and sequence; infinite where a pass
    has no diameter."""
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    for fruit, true in truth.items():
        if true.get("drawn_width_mm") and true.get("condition") != "reject" and fruit in rows:
            ratio = _number(rows[fruit].get("diameter_mm", "")) / float(true["drawn_width_mm"])
            ratios[true["specimen"], true["sequence"]].append(ratio)
    spread = {name: float(100 * np.std(of, ddof=1) / np.mean(of)) for name, of in ratios.items() if len(of) > 1}
    return {name: sd if np.isfinite(sd) else float("inf") for name, sd in spread.items()}


def _errors(found: Values, true: Values, flagged: NDArray[np.bool_]) -> dict[str, float]:
    known = np.isfinite(true) & np.isfinite(found)
    error, sound = (found - true)[known], ~flagged[known]
    drawn = np.random.default_rng(SEED).integers(0, max(len(error), 1), (DRAWS, len(error)))
    draws = np.sqrt((error[drawn] ** 2).mean(axis=1)) if len(error) else np.full(DRAWS, np.nan)
    low, high = np.quantile(draws, [0.025, 0.975])
    return {
        "bias": float(error.mean()) if len(error) else float("nan"),
        "rmse": _rmse(error),
        "rmse_low95": float(low),
        "rmse_high95": float(high),
        "worst": float(np.abs(error).max()) if len(error) else float("nan"),
        "unmeasured": float((np.isfinite(true) & ~np.isfinite(found)).sum()),
        "rmse_unflagged": _rmse(error[sound]),
    }


def _rmse(error: Values) -> float:
    return float(np.sqrt((error**2).mean())) if len(error) else float("nan")


def _table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as text:
            return list(csv.DictReader(text, restval=""))
    except (OSError, UnicodeError, csv.Error) as error:
        raise BadFile(path, f"cannot be read: {error}", remedy="replay the recording again") from error


def _by_fruit(table: Iterable[Row], path: Path) -> dict[Fruit, Row]:
    found: dict[Fruit, Row] = {}
    for number, row in enumerate(table, start=2):
        try:
            fruit = int(row["lane"]), int(row["cup"])
        except (KeyError, ValueError) as error:
            raise BadFile(path, "has no lane and cup", row=number, remedy="see the recording format") from error
        if fruit in found:
            raise BadFile(path, f"has lane {fruit[0]} cup {fruit[1]} twice", row=number, remedy="keep one of them")
        found[fruit] = row
    return found


def _number(text: str) -> float:
    return float(text) if text else float("nan")


def main() -> None:
    """Print the figures, a line per quantity."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("recording", type=Path)
    ask.add_argument("out_dir", type=Path)
    asked = ask.parse_args()
    fruit_csv = asked.out_dir / "fruit.csv"
    figures = measure(asked.recording, fruit_csv)
    print(
        "truth {truth_fruit:.0f}, rows {rows:.0f}, missing {missing:.0f}, extra {extra:.0f}, "
        "flagged {flagged_fraction:.1%}".format(**figures)
    )
    print(f"{'':16s} {'bias':>9s} {'RMSE':>9s} {'95 % of it':>19s} {'worst':>9s} {'unmeasured':>11s} {'unflagged':>9s}")
    for name in QUANTITIES:
        if f"{name}_rmse" in figures:
            of = {what: figures[f"{name}_{what}"] for what in ("bias", "rmse", "rmse_low95", "rmse_high95", "worst")}
            interval = f"{of['rmse_low95']:.3f} to {of['rmse_high95']:.3f}"
            print(
                f"{name:16s} {of['bias']:9.3f} {of['rmse']:9.3f} {interval:>19s} {of['worst']:9.3f} "
                f"{figures[f'{name}_unmeasured']:11.0f} {figures[f'{name}_rmse_unflagged']:9.3f}"
            )
    print(f"intervals: {DRAWS} draws of fruit, seed {SEED}")
    if "passes_groups" in figures:
        truth, rows = _by_fruit(read_truth(asked.recording), asked.recording), _by_fruit(_table(fruit_csv), fruit_csv)
        spread = passes_sd_percent(truth, rows)
        for specimen, sequence in sorted(spread):
            print(f"{specimen:20s} {sequence:6s} {spread[specimen, sequence]:6.2f} %")
        print(
            "SD from pass to pass: mean {passes_sd_mean_percent:.2f} %, worst {passes_sd_worst_percent:.2f} %".format(
                **figures
            )
        )


if __name__ == "__main__":
    main()
