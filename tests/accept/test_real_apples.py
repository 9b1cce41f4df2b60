"""Photographs of real apples on a composed line: a row for each, and the same apple measures the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench import accuracy

CUPS, LANES, SEED = 40, 4, 7


def test_real_apples_are_each_measured_once_and_the_same_from_pass_to_pass(
    shared_data: Path, tmp_path: Path, grader: Callable[..., str], figure: Callable[..., None]
) -> None:
    recording, out, again = tmp_path / "real", tmp_path / "out", tmp_path / "again"
    compose = shared_data.parent / "tools" / "compose_line.py"
    options = [
        *("--cups", str(CUPS), "--lanes", str(LANES), "--seed", str(SEED)),
        *("--data", str(shared_data / "fruits360_apples")),
    ]
    subprocess.run([sys.executable, str(compose), str(recording), *options], check=True, stdout=subprocess.DEVNULL)

    grader("replay", recording, "--out", out)
    grader("replay", recording, "--out", again, "--check", out / "fruit.csv")

    assert (out / "fruit.csv").read_bytes() == (again / "fruit.csv").read_bytes()
    found = accuracy.measure(recording, out / "fruit.csv")
    figure("apples", found["truth_fruit"], of=f"seed {SEED}")
    figure("apples without a row", found["missing"], most=0)
    figure("rows without an apple", found["extra"], most=0)
    over = f"{found['passes_groups']:.0f} sequences"
    figure("SD of diameter / drawn width, mean", found["passes_sd_mean_percent"], "%", most=1.5, of=over)
    figure("SD of diameter / drawn width, worst", found["passes_sd_worst_percent"], "%", most=4.0, of=over)
