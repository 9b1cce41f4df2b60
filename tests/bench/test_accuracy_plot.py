"""Plots of errors: every fruit is a dot where it belongs."""

from __future__ import annotations

import xml.etree.ElementTree as Xml

import numpy as np
import pytest

from bench.accuracy_plot import Panel, limits_of_agreement, plots

SVG = "{http://www.w3.org/2000/svg}"


def test_nineteen_in_twenty_lie_within_the_limits_of_agreement() -> None:
    errors = np.random.default_rng(1).normal(0.3, 2.0, 20000)
    below, above = limits_of_agreement(errors)
    assert ((errors > below) & (errors < above)).mean() == pytest.approx(0.95, abs=0.01)
    assert below + above == pytest.approx(0.6, abs=0.1)


def test_every_fruit_is_a_dot_and_larger_errors_lie_higher() -> None:
    values = np.array([[60.0, -0.2], [70.0, 0.0], [80.0, 0.3], [90.0, 0.1]])
    drawn = Xml.fromstring(plots([Panel("diameter", "mm", {"Fuji": values, "A & B": values + np.array([1.0, 0.05])})]))
    groups = [group for group in drawn.iter(f"{SVG}g") if group.get("fill")]
    assert [len(list(group)) for group in groups] == [4, 4]
    x, y = (np.array([float(dot.get(place, "nan")) for dot in groups[0]]) for place in ("cx", "cy"))
    assert (np.diff(x) > 0).all()
    assert list(np.argsort(-y)) == list(np.argsort(values[:, 1]))
    words = [text.text for text in drawn.iter(f"{SVG}text")]
    assert "diameter, measured less true, mm" in words
    assert "A & B" in words


def test_errors_that_are_all_0_can_be_drawn() -> None:
    values = np.array([[60.0, 0.0], [60.0, 0.0]])
    Xml.fromstring(plots([Panel("blush", "points", {"Golden": values})]))
