"""Plots of errors: every fruit is a dot where it belongs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.accuracy_plot import Panel, limits_of_agreement, plotted, write_plots

VALUES = np.array([[60.0, -0.2], [70.0, 0.0], [80.0, 0.3], [90.0, 0.1]])
PANELS = [Panel("diameter", "mm", {"Fuji": VALUES, "A & B": VALUES + np.array([1.0, 0.05])})] * 3


def test_nineteen_in_twenty_lie_within_the_limits_of_agreement() -> None:
    errors = np.random.default_rng(1).normal(0.3, 2.0, 20000)
    below, above = limits_of_agreement(errors)
    assert ((errors > below) & (errors < above)).mean() == pytest.approx(0.95, abs=0.01)
    assert below + above == pytest.approx(0.6, abs=0.1)


def test_every_fruit_is_a_dot_with_its_truth_along_and_its_error_up() -> None:
    axes = plotted(PANELS).axes
    assert len(axes) == 3
    dots = [line.get_xydata() for line in axes[0].lines if line.get_marker() == "."]
    assert all(np.array_equal(drawn, given) for drawn, given in zip(dots, PANELS[0].of.values(), strict=True))
    assert axes[0].get_title(loc="left") == "diameter, measured less true, mm"


def test_the_file_is_a_picture_two_panels_wide(tmp_path: Path) -> None:
    write_plots(PANELS, tmp_path / "a.png")
    assert cv2.imread(str(tmp_path / "a.png")).shape == (600, 1000, 3)
