"""Grades against a slow grader that works with decimals and shares no code, and the promises about edges."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from slow_grader import DECIMALS, judged

from grader.domain.flags import Flag
from grader.domain.fruit import FruitMeasurements
from grader.domain.records import rounded
from grader.errors import BadSettings
from grader.grading.compiled import CompiledSheet, compiled
from grader.grading.judge import grade, reason_records, reasons
from grader.grading.presets import load_preset
from grader.grading.sheet import Sheet
from grader.grading.steps import first_step, last_step, table_step

HEAD = {"name": "t", "fruit": "apple", "standard": "s", "edition": "1", "status": "project_default"}
NAN = float("nan")


def sheet_of(**document: Any) -> CompiledSheet:
    return compiled(msgspec.convert({**HEAD, **document}, Sheet, str_keys=True))


def fruit_of(*rows: dict[str, float], flags: int = 0) -> FruitMeasurements:
    columns = {name: [row.get(name, NAN) for row in rows] for name in {name for row in rows for name in row}}
    return FruitMeasurements.unmeasured(np.zeros(len(rows)), np.arange(len(rows)), flags, **columns)


def class_of(sheet: CompiledSheet, **values: float) -> str:
    return sheet.class_name(int(grade(sheet, fruit_of(values)).grade[0]))


# --- against the slow grader -----------------------------------------------------------------------------------------

SIZES = [
    {"name": "large", "from": 75},
    {"name": "middle", "from": 65, "below": 75},
    {"name": "small", "from": 55.5, "to": 64.99},
]
LIMITS = {
    "diameter_mm": [60, 65, 70.5],
    "mass_g": [90, 120.25],
    "blush_fraction": [0.3333, 0.5, 0.29, 0.75],
    "defect_area_mm2": [25, 100, 31.7],
    "defect_area_mm2 + largest_defect_mm2": [40, 120.3],
    "defect_count": [1, 3],
    "ssc_brix": [10.5, 12],
    "roundness": [0.8, 0.9],
}


@st.composite
def limits(draw: st.DrawFn, key: str) -> dict[str, Any]:
    numbers = st.sampled_from(LIMITS[key])
    bounds = st.one_of(
        numbers,
        st.dictionaries(st.sampled_from(["A", "B"]), numbers, min_size=1),
        st.dictionaries(st.sampled_from(["large", "middle", "small"]), numbers, min_size=1),
    )
    limit: dict[str, Any] = {draw(st.sampled_from(["min", "max"])): draw(bounds)}
    limit |= draw(st.sampled_from([{}, {}, {"missing": "pass"}, {"checked": False}, {"only": "M"}, {"unless": "M"}]))
    if key == "defect_area_mm2" and draw(st.booleans()):
        limit["at_diameter_mm"] = 76.2
    elif key in ("diameter_mm", "mass_g") and draw(st.booleans()):
        limit["step"] = draw(st.sampled_from([0.5, 5, 0.25]))
    return limit


@st.composite
def needs(draw: st.DrawFn) -> dict[str, Any]:
    keys = draw(st.lists(st.sampled_from(list(LIMITS)), max_size=4, unique=True))
    way = st.dictionaries(st.sampled_from(["diameter_mm", "mass_g", "ssc_brix"]), st.sampled_from([10.5, 60, 90]))
    rule = st.lists(way.filter(bool), min_size=1, max_size=3).map(lambda ways: {"name": "any", "at_least": ways})
    return {"limits": {key: draw(limits(key)) for key in keys}, "one_of": draw(st.lists(rule, max_size=1))}


@st.composite
def sheets(draw: st.DrawFn) -> dict[str, Any]:
    names = ["Best", "Good", "Fair", "Last"][: draw(st.integers(1, 4))]
    products = [
        {"name": "p1", "classes": names[:1], "sizes": ["large", "small"], "outlets": [1, 2]},
        {"name": "p2", "classes": names[1:], "outlets": [3]},
    ]
    return {
        **HEAD,
        "groups": {"A": ["Red"], "B": ["Green"]},
        "variety_flags": {"M": ["Red"]},
        "variety": draw(st.sampled_from(["Red", "green"])),
        "minimum": draw(needs()),
        "classes": [{"name": name, **draw(needs())} for name in names],
        "sizes": {"by": "diameter_mm", "bands": SIZES},
        "products": products[: len(names)],
    }


def fruit_near_limits(seed: int, n: int) -> list[dict[str, float]]:
    """Values on, half a step beside, and far from the limits that sheets have; or none."""
    rng = np.random.default_rng(seed)
    columns = {}
    for name, decimals in DECIMALS.items():
        near = rng.choice([v for key, limits in LIMITS.items() if name in key for v in limits] or [70.0], n)
        beside = near + rng.integers(-2, 3, n) * 10.0**-decimals / 2
        columns[name] = np.choose(rng.integers(0, 8, n), [NAN, rng.uniform(0, 200, n), *[beside] * 6]).tolist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@settings(derandomize=True, max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=sheets(), seed=st.integers(0, 1000))
def test_every_fruit_gets_what_the_slow_grader_gives_it(document: dict[str, Any], seed: int) -> None:
    try:
        sheet = compiled(msgspec.convert(document, Sheet, str_keys=True))
    except BadSettings:
        assume(False)
    rows = fruit_near_limits(seed, 40)
    grades = grade(sheet, fruit_of(*rows))
    group, flags = ("A", {"M"}) if document["variety"] == "Red" else ("B", set[str]())
    for row, fruit in enumerate(rows):
        found = (
            sheet.class_name(int(grades.grade[row])),
            sheet.size_name(int(grades.size[row])),
            sheet.product_name(int(grades.product[row])),
        )
        assert found == judged(document, fruit, group, flags), fruit


# --- one and many ----------------------------------------------------------------------------------------------------


def test_one_fruit_alone_and_among_fifty_thousand_gets_the_same_grade() -> None:
    n, rng = 50_000, np.random.default_rng(5)
    many = FruitMeasurements.unmeasured(
        np.zeros(n),
        np.arange(n),
        rng.choice([0, int(Flag.TOUCHING), int(Flag.NO_WEIGHT)], n),
        diameter_mm=rng.uniform(45, 95, n),
        mass_g=np.where(rng.random(n) < 0.1, NAN, rng.uniform(60, 300, n)),
        blush_fraction=rng.uniform(0, 1, n),
        defect_area_mm2=rng.uniform(0, 300, n),
        ssc_brix=rng.uniform(9, 16, n),
    )
    sheet = compiled(load_preset("eu_apples"))
    together = grade(sheet, many)
    for row in (0, 1, 16_383, 16_384, 16_385, 32_768, n - 1):
        alone = grade(sheet, many.rows([row]))
        for name in ("grade", "size", "product", "missed"):
            assert getattr(alone, name)[0] == getattr(together, name)[row]


def test_no_fruit_at_all_is_graded() -> None:
    sheet = compiled(load_preset("house_default"))
    assert len(grade(sheet, FruitMeasurements.unmeasured(np.zeros(0), np.zeros(0)))) == 0


def test_a_sheet_with_more_than_64_rules_keeps_every_bit() -> None:
    """40 classes, each with two rules of its own: only the last can be reached, and every better one is explained."""
    classes = [
        {"name": f"c{k}", "limits": {"blush_fraction": {"min": 0.9 - k / 100}, "mass_g": {"min": 900 - k}}}
        for k in range(40)
    ]
    sheet = sheet_of(classes=classes)
    fruit = fruit_of({"blush_fraction": 0.515, "mass_g": 861.5})
    grades = grade(sheet, fruit)
    assert sheet.n_words == 2 and sheet.class_name(int(grades.grade[0])) == "c39"
    assert len(reasons(sheet, grades, fruit, 0)) == 39 * 2


# --- edges -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.5, "In"), (0.49995, "In"), (0.49994, ""), (0.7, "In"), (0.70004, "In"), (0.70006, "")],
)
def test_limits_are_inclusive_at_the_decimals_of_the_table(value: float, expected: str) -> None:
    sheet = sheet_of(classes=[{"name": "In", "limits": {"blush_fraction": {"min": 0.5, "max": 0.7}}}])
    assert class_of(sheet, blush_fraction=value) == expected


@pytest.mark.parametrize(("value", "expected"), [(64.75, "In"), (64.74, ""), (65.2, "In")])
def test_a_rule_rounds_to_its_own_step_first(value: float, expected: str) -> None:
    sheet = sheet_of(classes=[{"name": "In", "limits": {"diameter_mm": {"min": 65, "step": 0.5}}}])
    assert class_of(sheet, diameter_mm=value) == expected


def test_rounding_the_values_first_changes_no_grade() -> None:
    rng = np.random.default_rng(7)
    fruit = FruitMeasurements.unmeasured(
        np.zeros(4000),
        np.arange(4000),
        diameter_mm=59.99 + rng.integers(0, 400, 4000) / 8000,
        mass_g=80.0,
        blush_fraction=0.4999 + rng.integers(0, 400, 4000) / 800_000,
        defect_area_mm2=24.9 + rng.integers(0, 400, 4000) / 800,
    )
    sheet = compiled(load_preset("eu_apples"))
    assert np.array_equal(grade(sheet, fruit).missed, grade(sheet, rounded(fruit)).missed)


def test_an_area_limit_grows_with_the_square_of_the_diameter() -> None:
    sheet = sheet_of(
        classes=[{"name": "In", "limits": {"defect_area_mm2": {"max": 100.0, "at_diameter_mm": 80}}}],
    )
    assert class_of(sheet, defect_area_mm2=100.0, diameter_mm=80) == "In"
    assert class_of(sheet, defect_area_mm2=100.1, diameter_mm=80) == ""
    assert class_of(sheet, defect_area_mm2=25.0, diameter_mm=40) == "In"
    assert class_of(sheet, defect_area_mm2=25.1, diameter_mm=40) == ""
    assert class_of(sheet, defect_area_mm2=0.0) == "", "without a diameter nobody knows the limit"


def test_a_rule_that_lets_missing_values_pass_also_passes_a_missing_diameter() -> None:
    limit = {"max": 100.0, "at_diameter_mm": 80, "missing": "pass"}
    assert (
        class_of(sheet_of(classes=[{"name": "In", "limits": {"defect_area_mm2": limit}}]), defect_area_mm2=500) == "In"
    )


def test_every_limit_of_four_decimals_means_just_that() -> None:
    typed = np.array([float(f"{k / 10_000:.4f}") for k in range(10_001)])
    for of_limits in (first_step, last_step):
        assert np.array_equal(of_limits(typed, table_step(("blush_fraction",))), np.arange(10_001))


def test_the_sum_of_defects_is_capped_beside_each() -> None:
    limits = {
        "defect_area_mm2": {"max": 60},
        "largest_defect_mm2": {"max": 60},
        "defect_area_mm2 + largest_defect_mm2": {"max": 100},
    }
    sheet = sheet_of(classes=[{"name": "In", "limits": limits}])
    assert class_of(sheet, defect_area_mm2=50.0, largest_defect_mm2=50.0) == "In"
    assert class_of(sheet, defect_area_mm2=50.1, largest_defect_mm2=50.0) == ""


def test_a_colour_rule_can_differ_by_size() -> None:
    sheet = sheet_of(
        classes=[{"name": "In", "limits": {"blush_fraction": {"min": {"large": 0.6, "middle": 0.4}}}}],
        sizes={"by": "diameter_mm", "bands": SIZES},
    )
    assert class_of(sheet, diameter_mm=80, blush_fraction=0.5) == ""
    assert class_of(sheet, diameter_mm=70, blush_fraction=0.5) == "In"
    assert class_of(sheet, diameter_mm=60) == "In", "a size that is not named asks nothing"


def test_of_overlapping_size_codes_the_first_listed_takes_the_fruit() -> None:
    sheet = compiled(load_preset("eu_citrus"))
    fruit = fruit_of(*({"diameter_mm": mm, "defect_fraction": 0, "defect_count": 0} for mm in (110, 92, 91.99, 87, 53)))
    assert [sheet.size_name(k) for k in grade(sheet, fruit).size.tolist()] == ["0", "0", "1", "1", "13"]


# --- what was not measured -------------------------------------------------------------------------------------------


def test_a_missing_value_fails_its_rule_unless_the_sheet_lets_it_pass() -> None:
    strict = sheet_of(classes=[{"name": "In", "limits": {"ssc_brix": {"min": 12}}}])
    lenient = sheet_of(classes=[{"name": "In", "limits": {"ssc_brix": {"min": 12, "missing": "pass"}}}])
    assert class_of(strict, mass_g=100) == "" and class_of(lenient, mass_g=100) == "In"
    assert class_of(lenient, ssc_brix=11) == ""
    assert class_of(strict, ssc_brix=float("inf")) == "", "what is not finite was not measured"


def test_a_missing_value_reaches_none_of_the_ways_of_a_rule() -> None:
    sheet = compiled(load_preset("eu_apples"))
    good = {"blush_fraction": 0.9, "defect_area_mm2": 0.0}
    assert class_of(sheet, **good, mass_g=90.0) == "Extra"
    assert class_of(sheet, **good, mass_g=70.0, ssc_brix=10.5) == "Extra"
    assert class_of(sheet, **good, mass_g=70.0) == ""


@pytest.mark.parametrize("flag", [Flag.TOUCHING, Flag.OVERSIZE, Flag.FEW_VIEWS])
def test_a_fruit_that_cannot_be_judged_gets_nothing_but_the_flag_as_reason(flag: Flag) -> None:
    sheet = compiled(load_preset("house_default"))
    fruit = fruit_of({"diameter_mm": 80, "blush_fraction": 1, "defect_area_mm2": 0}, flags=int(flag))
    grades = grade(sheet, fruit)
    assert (grades.grade[0], grades.size[0], grades.product[0], grades.missed.max()) == (-1, -1, -1, 0)
    (reason,) = reasons(sheet, grades, fruit, 0)
    assert flag.name is not None and reason.startswith(f"{flag.name.lower()}: ")


# --- reasons ---------------------------------------------------------------------------------------------------------


def test_reasons_name_rule_value_and_limit_for_every_class_missed_and_no_other() -> None:
    sheet = compiled(load_preset("eu_apples"), "Fuji")
    fruit = fruit_of({"diameter_mm": 71.2, "blush_fraction": 0.41371, "defect_area_mm2": 30.04})
    grades = grade(sheet, fruit)
    assert sheet.class_name(int(grades.grade[0])) == "Class I"
    assert reasons(sheet, grades, fruit, 0) == (
        "Extra: blush_fraction 0.4137 < 0.5000",
        "Extra: defect_area_mm2 30.0 > 25.0",
    )
    colour, _ = reason_records(sheet, grades, fruit, 0)
    assert (colour.class_name, colour.quantity, colour.value, colour.sense, colour.limit) == (
        "Extra",
        "blush_fraction",
        pytest.approx(0.4137),
        "<",
        0.5,
    )
    assert colour.source.endswith("Part 1, II.C") and colour.status == "official"


def test_rules_of_classes_below_the_one_it_got_are_no_reasons() -> None:
    sheet = sheet_of(
        classes=[
            {"name": "Red", "limits": {"blush_fraction": {"min": 0.5}}},
            {"name": "Heavy", "limits": {"mass_g": {"min": 200}}},
        ]
    )
    fruit = fruit_of({"blush_fraction": 0.6, "mass_g": 100})
    assert reasons(sheet, grade(sheet, fruit), fruit, 0) == ()


def test_a_rule_with_several_ways_says_what_each_lacked() -> None:
    sheet = sheet_of(
        minimum={"one_of": [{"name": "minimum size", "at_least": [{"diameter_mm": 60}, {"mass_g": 90}]}]},
        classes=[{"name": "Any"}],
    )
    fruit = fruit_of({"diameter_mm": 58.2})
    assert reasons(sheet, grade(sheet, fruit), fruit, 0) == (
        "every class: minimum size: diameter_mm 58.20 < 60.00 and mass_g not measured, needs >= 90.00",
    )


def test_a_limit_between_two_decimals_is_shown_as_it_was_meant() -> None:
    sheet = sheet_of(classes=[{"name": "In", "limits": {"blush_fraction": {"min": 1 / 3}}}])
    fruit = fruit_of({"blush_fraction": 0.3333})
    assert reasons(sheet, grade(sheet, fruit), fruit, 0) == ("In: blush_fraction 0.3333 < 0.333333",)


def test_fruit_outside_every_size_and_product_is_told_so() -> None:
    sheet = sheet_of(
        classes=[{"name": "Any"}],
        sizes={"by": "diameter_mm", "bands": SIZES},
        products=[{"name": "Large", "classes": ["Any"], "sizes": ["large"], "outlets": [1]}],
    )
    fruit = fruit_of({"diameter_mm": 50}, {"diameter_mm": 70})
    grades = grade(sheet, fruit)
    assert reasons(sheet, grades, fruit, 0) == ("size: diameter_mm 50.00 is in no size", "outlet: no product takes Any")
    assert reasons(sheet, grades, fruit, 1) == ("outlet: no product takes Any middle",)


def test_what_the_station_cannot_measure_is_listed_as_not_checked() -> None:
    listed = {str(item) for item in compiled(load_preset("eu_apples"), "Fuji").not_checked}
    assert "Class I: bruise_area_mm2 <= 100 (not checked)" in listed
    assert "Extra: stalk: intact (not checked)" in listed
    assert not any("watercore" in item for item in listed), "Fuji is exempt"
