"""The presets carry the numbers of the standards; these were typed here from the standards' tables by hand."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from grader.domain.fruit import FruitMeasurements
from grader.domain.installation import Gates
from grader.errors import BadSettings
from grader.grading.compiled import compiled
from grader.grading.faults import faults
from grader.grading.judge import grade
from grader.grading.presets import load_preset, preset_names
from grader.grading.sheet import Sheet


def limit(sheet: Sheet, grade_name: str, key: str, bound: str) -> object:
    grades = {each.name: each for each in sheet.classes}
    return getattr(grades[grade_name].limits[key], bound)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_sound_and_says_where_it_is_from(name: str) -> None:
    sheet = load_preset(name)
    assert faults(sheet) == []
    assert sheet.standard and sheet.edition and sheet.date_checked
    compiled(sheet)


def test_the_presets_that_were_promised_are_there() -> None:
    assert {"eu_apples", "usda_apples", "eu_kiwifruit", "eu_citrus", "house_default"} <= set(preset_names())


def test_eu_apple_numbers() -> None:
    sheet = load_preset("eu_apples")
    assert limit(sheet, "Extra", "blush_fraction", "min") == {"A": 0.75, "B": 0.5, "C": 0.3333}
    assert limit(sheet, "Class I", "blush_fraction", "min") == {"A": 0.5, "B": 0.3333, "C": 0.1}
    assert "blush_fraction" not in sheet.classes[2].limits
    assert [limit(sheet, name, "bruise_area_mm2", "max") for name in ("Class I", "Class II")] == [100, 150]
    assert [limit(sheet, name, "other_defects_area_mm2", "max") for name in ("Class I", "Class II")] == [100, 250]
    assert [limit(sheet, name, "scab_area_mm2", "max") for name in ("Class I", "Class II")] == [25, 100]
    assert [limit(sheet, name, "elongated_defect_mm", "max") for name in ("Class I", "Class II")] == [20, 40]
    assert [limit(sheet, name, "russet_net_fraction", "max") for name in ("Class I", "Class II")] == [0.2, 0.5]
    assert [limit(sheet, name, "russet_dense_fraction", "max") for name in ("Class I", "Class II")] == [0.05, 0.3333]
    assert sheet.minimum.one_of[0].at_least == (
        {"diameter_mm": 60},
        {"mass_g": 90},
        {"diameter_mm": 50, "ssc_brix": 10.5},
        {"mass_g": 70, "ssc_brix": 10.5},
    )
    assert sheet.minimum.limits["ssc_brix"].min == 12


@pytest.mark.parametrize(
    ("variety", "group", "flags"),
    [
        ("Fuji", "B", {"V"}),
        ("Aztec", "A", {"V"}),
        ("gala", "C", set()),
        ("Royal Gala", "B", set()),
        ("Granny Smith", "D", set()),
        ("Rockit", "B", {"M"}),
        ("Cox's Orange Pippin", "C", {"R"}),
        ("Cripps Pink", "C", set()),
    ],
)
def test_eu_varieties_are_in_their_groups(variety: str, group: str, flags: set[str]) -> None:
    sheet = load_preset("eu_apples")
    assert sheet.group_of(variety) == group and sheet.flags_of(variety) == flags


def test_a_miniature_has_no_size_rule_but_needs_12_brix() -> None:
    sheet = compiled(load_preset("eu_apples"), "Rockit")
    fruit = FruitMeasurements.unmeasured(
        [0, 0], [0, 1], diameter_mm=45, mass_g=50, blush_fraction=0.9, defect_area_mm2=0, ssc_brix=[12.0, 11.99]
    )
    assert grade(sheet, fruit).grade.tolist() == [0, -1]


def test_a_variety_in_no_eu_list_is_never_guessed() -> None:
    with pytest.raises(BadSettings, match=r'"Fujy" is in no colour group \(did you mean "Fuji"'):
        compiled(load_preset("eu_apples"), "Fujy")


def test_a_sheet_with_colour_groups_is_not_graded_without_a_variety() -> None:
    nameless = msgspec.structs.replace(load_preset("eu_apples"), variety="")
    assert [fault.warning for fault in faults(nameless)] == [True], "it may still come with the lot"
    with pytest.raises(BadSettings, match="names no variety"):
        compiled(nameless)
    assert compiled(msgspec.structs.replace(nameless, group="A")).group == "A"


def test_usda_numbers() -> None:
    sheet = load_preset("usda_apples")
    assert limit(sheet, "Extra Fancy", "blush_fraction", "min") == {"66 %": 0.66, "50 %": 0.5}
    assert limit(sheet, "Fancy", "blush_fraction", "min") == {"66 %": 0.4, "50 %": 0.33}
    assert limit(sheet, "No. 1", "blush_fraction", "min") == {"66 %": 0.25, "50 %": 0.25}
    assert limit(sheet, "Extra Fancy", "bruise_diameter_mm", "max") == 15.9
    assert limit(sheet, "Fancy", "bruise_depth_mm", "max") == 4.8
    circles_mm2 = [np.pi / 4 * (inch * 25.4) ** 2 for inch in (1 / 4, 1 / 2)]
    areas = [limit(sheet, name, "defect_area_mm2", "max") for name in ("Extra Fancy", "Fancy")]
    assert areas == pytest.approx(circles_mm2, abs=0.05)


@pytest.mark.parametrize(
    ("variety", "blush", "expected"),
    [
        ("Fuji", 0.0, "Extra Fancy"),
        ("Gala", 0.0, "Extra Fancy"),
        ("Empire", 0.66, "Extra Fancy"),
        ("Empire", 0.65, "Fancy"),
        ("McIntosh", 0.32, "No. 1"),
        ("Delicious", 0.24, ""),
    ],
)
def test_only_the_varieties_of_the_us_table_need_colour(variety: str, blush: float, expected: str) -> None:
    sheet = compiled(load_preset("usda_apples"), variety)
    fruit = FruitMeasurements.unmeasured(
        0, 0, diameter_mm=76.2, blush_fraction=blush, defect_area_mm2=0, largest_defect_mm2=0
    )
    assert sheet.class_name(int(grade(sheet, fruit).grade[0])) == expected


def test_kiwifruit_numbers() -> None:
    sheet = load_preset("eu_kiwifruit")
    assert [limit(sheet, each.name, "mass_g", "min") for each in sheet.classes] == [90, 70, 65]
    assert [limit(sheet, name, "roundness", "min") for name in ("Extra", "Class I")] == [0.8, 0.7]
    assert "roundness" not in sheet.classes[2].limits
    assert [limit(sheet, name, "defect_area_mm2", "max") for name in ("Class I", "Class II")] == [100, 200]


def test_citrus_sizes() -> None:
    oranges, mandarins, lemons = map(load_preset, ("eu_citrus", "eu_citrus_mandarins", "eu_citrus_lemons"))
    assert oranges.minimum.limits["diameter_mm"].min == 53 and lemons.minimum.limits["diameter_mm"].min == 45
    assert mandarins.minimum.limits["diameter_mm"].min == {"clementine": 35, "satsuma": 45, "other": 45}
    edges = {}
    for sheet in (oranges, mandarins, lemons):
        assert sheet.sizes is not None
        edges[sheet.name] = {band.name: (band.from_, band.to) for band in sheet.sizes.bands}
    assert edges["EU oranges"]["0"] == (92, 110) and edges["EU oranges"]["6"] == (70, 80)
    assert edges["EU oranges"]["13"] == (53, 60) and len(edges["EU oranges"]) == 14
    assert edges["EU mandarins"]["1-X"] == (63, 74) and edges["EU mandarins"]["10"] == (35, 42)
    assert edges["EU lemons"]["0"] == (79, 90) and edges["EU lemons"]["7"] == (45, 52)


def test_class_limits_that_a_text_gives_in_words_only_are_not_called_official() -> None:
    for name in ("eu_citrus", "eu_citrus_mandarins", "eu_citrus_lemons"):
        sheet = load_preset(name)
        for each in sheet.classes:
            numbers = [limit for limit in each.limits.values() if limit.is_checked]
            assert numbers and all(sheet.rule_status(limit) == "project_default" for limit in numbers)
    extra = load_preset("eu_apples").classes[0].limits["defect_area_mm2"]
    assert extra.status == "project_default"
    assert load_preset("house_default").status == "project_default"


def test_the_house_sheet_sends_fruit_to_every_outlet_of_the_line() -> None:
    sheet = load_preset("house_default")
    used = {outlet for product in sheet.products for outlet in product.weights}
    assert used == set(range(1, Gates().outlets + 1))
