"""The page of figures, on numbers made by hand and on a small run."""

from __future__ import annotations

import math

import numpy as np

from bench.accuracy_table import PASSED, TRUTH, OfVariety, measured, page
from bench.skins_on_maps import SkinJudge
from hardware.sim.line import LineSettings, SimulatedLine

LINE = SimulatedLine(LineSettings(fruit=1))


def of_variety(name: str, **changed: float) -> OfVariety:
    figures = {
        f"{asked.column}_{what}": 0.5 * asked.most / asked.factor
        for asked in TRUTH
        for what in ("rmse", "bias", "worst", "unmeasured")
    }
    figures |= {"skin_seen": 0.9, "missing": 0.0, "extra": 0.0, "flagged_fraction": 0.01}
    sd = {asked.column: 0.5 * asked.most / asked.factor for asked in PASSED}
    skins = SkinJudge(LINE, lesions=100, found=99, twice=int(changed.get("twice", 0)), area_off=[0.1, -0.1], sound=50)
    skins.stripes += [(0.1, 0.12), (0.3, 0.28), (0.2, math.nan)]
    return OfVariety(
        name,
        figures | changed,
        {column: changed.get(f"{column}_sd", value) for column, value in sd.items()},
        {asked.column: np.array([[70.0, -1.0], [75.0, 0.0], [80.0, 1.0]]) for asked in TRUTH},
        skins,
        ((98, 100), (int(changed.get("agree", 96)), 100)),
    )


def test_what_is_within_its_limit_has_no_mark_and_what_is_not_has_one() -> None:
    assert "✗" not in page([of_variety("A"), of_variety("B")], 100, 1, 10).split("|", 1)[1]
    text = page([of_variety("A"), of_variety("B", diameter_mm_rmse=0.41)], 100, 1, 10)
    assert "| diameter, RMSE, mm | 0.3 | 0.15 | 0.41 ✗ | 0.31 ✗ |" in text


def test_lesions_counted_twice_and_passes_that_disagree_are_marked() -> None:
    text = page([of_variety("A"), of_variety("B", twice=4, agree=90)], 100, 1, 10)
    assert "| lesions counted twice, % | 1 | 0.0 | 4.0 ✗ | 2.0 ✗ |" in text
    assert "| two passes of the same class, across lanes, % | at least 95 | 96.0 | 90.0 ✗ | 93.0 ✗ |" in text


def test_stripes_are_compared_where_both_have_a_value_and_the_others_are_counted() -> None:
    text = page([of_variety("A"), of_variety("B")], 100, 1, 10)
    assert "| contrast of stripes, mean: painted; measured | | 0.200; 0.200 | 0.200; 0.200 | 0.200; 0.200 |" in text
    assert "| contrast of stripes, RMSE | | 0.020 | 0.020 | 0.020 |" in text
    assert "| contrast of stripes, fruit without a value | | 1 | 1 | 2 |" in text


def test_no_figure_is_no_pass() -> None:
    assert "| nan ✗ |" in page([of_variety("A", blush_fraction_sd=math.nan)], 100, 1, 10)
    assert "0.800 ✗" in page([of_variety("A", skin_seen=0.8)], 100, 1, 10)


def test_a_small_run_has_every_figure() -> None:
    found = measured("Gala", 8, 5, 2)
    assert found.figures["truth_fruit"] == 8 and found.figures["missing"] == 0
    assert all(math.isfinite(found.figures[f"{asked.column}_rmse"]) for asked in TRUTH)
    assert all(math.isfinite(sd) for sd in found.sd.values())
    assert found.skins.lesions >= found.skins.found > 0 and found.skins.sound > 0
    stripes = np.array(found.skins.stripes)
    assert np.abs(stripes[:, 1] - stripes[:, 0]).max() < 0.2 and np.corrcoef(stripes.T)[0, 1] > 0.6
    assert sum(all_ for _, all_ in found.agree) == 2 and found.agree[0][0] + found.agree[1][0] <= 2
