"""The judge of fruit.csv, on tables whose figures are worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bench.accuracy import measure
from grader.errors import BadFile


def judged(folder: Path, truth: str, fruit: str) -> dict[str, float]:
    (folder / "truth.csv").write_text(truth)
    (folder / "fruit.csv").write_text(fruit)
    return measure(folder, folder / "fruit.csv")


def test_bias_rmse_and_worst_are_over_every_fruit_flagged_or_not(tmp_path: Path) -> None:
    figures = judged(
        tmp_path,
        "lane,cup,diameter_mm\n0,0,70\n0,1,71\n0,2,72\n0,3,73\n",
        "lane,cup,diameter_mm,flags\n0,0,71,\n0,1,71,\n0,2,69,few_views\n0,3,,\n",
    )

    assert figures["diameter_mm_bias"] == pytest.approx(-2 / 3)
    assert figures["diameter_mm_rmse"] == pytest.approx(math.sqrt(10 / 3))
    assert figures["diameter_mm_rmse_unflagged"] == pytest.approx(math.sqrt(1 / 2))
    assert figures["diameter_mm_worst"] == pytest.approx(3.0)
    assert figures["diameter_mm_unmeasured"] == 1
    assert figures["flagged_fraction"] == pytest.approx(0.25)
    assert figures["diameter_mm_rmse_low95"] <= figures["diameter_mm_rmse"] <= figures["diameter_mm_rmse_high95"]
    assert "height_mm_rmse" not in figures


def test_fruit_without_a_row_and_rows_without_a_fruit_are_counted(tmp_path: Path) -> None:
    figures = judged(tmp_path, "lane,cup\n0,0\n0,1\n1,7\n", "lane,cup,flags\n0,0,\n2,9,\n")

    assert (figures["truth_fruit"], figures["rows"]) == (3, 2)
    assert (figures["missing"], figures["extra"]) == (2, 1)


def test_passes_of_a_specimen_are_compared_with_each_other_and_rejects_left_out(tmp_path: Path) -> None:
    figures = judged(
        tmp_path,
        "lane,cup,specimen,sequence,condition,drawn_width_mm\n"
        "0,0,a,s0,clean,70\n0,1,a,s0,clean,80\n0,2,a,s1,clean,75\n0,3,b,s0,reject,70\n0,4,b,s0,reject,70\n",
        "lane,cup,diameter_mm,flags\n0,0,70.7,\n0,1,79.2,\n0,2,75,\n0,3,40,\n0,4,90,\n",
    )

    assert figures["passes_groups"] == 1
    assert figures["passes_sd_mean_percent"] == pytest.approx(100 * 0.02 / math.sqrt(2))
    assert figures["passes_sd_worst_percent"] == figures["passes_sd_mean_percent"]


def test_a_pass_without_a_diameter_is_no_good_pass(tmp_path: Path) -> None:
    figures = judged(
        tmp_path,
        "lane,cup,specimen,sequence,condition,drawn_width_mm\n0,0,a,s0,clean,70\n0,1,a,s0,clean,70\n",
        "lane,cup,diameter_mm,flags\n0,0,70,\n0,1,,not_seen\n",
    )

    assert math.isinf(figures["passes_sd_worst_percent"])


@pytest.mark.parametrize("fruit", ["lane,cup\n0,x\n", "cup\n1\n", "lane,cup\n0,1\n0,1\n"])
def test_a_table_that_is_not_one_row_per_fruit_is_refused_by_its_row(tmp_path: Path, fruit: str) -> None:
    with pytest.raises(BadFile, match=r"fruit\.csv:[23]"):
        judged(tmp_path, "lane,cup\n0,1\n", fruit)


def test_a_recording_that_was_not_replayed_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("lane,cup\n0,1\n")

    with pytest.raises(BadFile, match="replay"):
        measure(tmp_path, tmp_path / "fruit.csv")
