"""A mistake in a grade sheet is named with its line and its remedy, each one, and nothing else ever comes out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.config import check, load_sheet, sheet_path
from grader.config.sheets import load_sheet_for
from grader.errors import BadSettings
from grader.grading.compiled import compiled
from grader.grading.presets import load_preset, preset_names, preset_path

GOOD = """\
name = "Shop"
fruit = "apple"
standard = "by telephone"
edition = "1"
status = "project_default"

[[classes]]
name = "Red"
[classes.limits]
blush_fraction = { min = 0.6 }
defect_area_mm2 = { max = 50 }

[[classes]]
name = "Any"
[classes.limits]
defect_area_mm2 = { max = 100 }

[sizes]
by = "diameter_mm"
bands = [
    { name = "large", from = 75 },
    { name = "small", from = 60, below = 75 },
]

[[products]]
name = "Bag"
classes = ["Red", "Any"]
outlets = [1, 2]
"""


def found(tmp_path: Path, *changes: tuple[str, str]) -> list[tuple[int | None, str]]:
    """Problems (line, text) of the good sheet with some of its text changed."""
    text = GOOD
    for old, new in changes:
        assert text.count(old) >= 1
        text = text.replace(old, new, 1)
    path = tmp_path / "sheet.toml"
    path.write_text(text, "utf-8")
    return [(problem.line, str(problem).split(": ", 1)[1]) for problem in check(path)]


def test_a_good_sheet_has_no_problem_and_loads(tmp_path: Path) -> None:
    assert found(tmp_path) == []
    assert compiled(load_sheet(tmp_path / "sheet.toml")).class_names == ("Red", "Any")


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("standard", "standrd"), 3, 'unknown key "standrd" (did you mean "standard"?)'),
        (('status = "project_default"', 'status = "offical"'), 5, 'did you mean "official"?'),
        (("max = 50", "maxi = 50"), 11, 'unknown key "maxi" (did you mean "max"?)'),
        (("min = 0.6", 'min = "0.6"'), 10, '"0.6" cannot stand here (give a number or a table)'),
        (("min = 0.6", "min = nan"), 10, "nan cannot stand here"),
        (
            ("[sizes]", "[blush]\nto_deg = 200\n\n[sizes]"),
            19,
            "200 is no hue of skin (give degrees between -30 and 150)",
        ),
        (("[sizes]", "[blush]\nvarieties = { Gala = -40 }\n\n[sizes]"), 19, "-40 is no hue of skin"),
        (("[sizes]", "[blush]\nvarieties = { '' = 50 }\n\n[sizes]"), 19, "a variety without a name"),
        (("[sizes]", "[blush]\nto_degree = 50\n\n[sizes]"), 19, 'unknown key "to_degree" (did you mean "to_deg"?)'),
        (("min = 0.6", "min = 60"), 10, "shares run from 0 to 1: write 0.6"),
        (("min = 0.6", "min = 0.6, max = 0.5"), 10, "no fruit can pass"),
        (("{ min = 0.6 }", "{ missing = 'pass' }"), 10, "the rule asks nothing"),
        (("blush_fraction", "blush_fractoin"), 10, 'does not measure "blush_fractoin" (did you mean "blush_fraction"?'),
        (("defect_area_mm2", '"defect_area_mm2 + mass_g"'), 11, "cannot be added up"),
        (("max = 50", "max = 50, step = 0"), 11, "step 0 is impossible"),
        (("min = 0.6", "min = 0.6, at_diameter_mm = 70"), 10, "only an area"),
        (("min = 0.6", "min = { A = 0.5 }"), 10, '"A" is no colour group and no size band'),
        (("min = 0.6", "min = 0.6, only = 'M'"), 10, 'no variety flag "M"'),
        (("min = 0.6", "min = 0.6, status = 'official'"), 10, "an official rule without its section"),
        (('name = "small"', 'name = "large"'), 22, 'the name "large" is taken'),
        (("diameter_mm", "diametre_mm"), 19, 'did you mean "diameter_mm"?'),
        (("from = 75", "from = 76"), 21, 'gap between sizes "small" and "large": 75 to 75.99 mm'),
        (("below = 75", "to = 74.98"), 21, "74.99 to 74.99 mm"),
        (("below = 75", "to = 75"), 21, 'sizes "small" and "large" overlap'),
        (("below = 75", "below = 60"), 22, 'size "small" holds no fruit'),
        (("below = 75", "below = 75, to = 74"), 22, "both `to` and `below`"),
        (('["Red", "Any"]', '["Red", "Ay", "Any"]'), 27, 'there is no class "Ay" (did you mean "Any"?)'),
        (('classes = ["Red", "Any"]', 'classes = ["Red", "Any"]\nsizes = ["lrge"]'), 28, 'there is no size "lrge"'),
        (("[1, 2]", "[1, 9]"), 28, "there is no outlet 9 (outlets run from 1 to 8)"),
        (("[1, 2]", "[0]"), 28, "there is no outlet 0"),
        (("[1, 2]", "[1, 1]"), 28, "an outlet is named twice"),
        (("[1, 2]", "{ 1 = 21 }"), 28, "weight 21 of outlet 1"),
        (("[1, 2]", "{ a = 2 }"), 28, '"a" is not a whole number'),
        (("[1, 2]", "[]"), 28, "no outlet"),
        (("outlets = [1, 2]", ""), 25, '"outlets" is missing'),
        (("fruit = ", "fruit ="), 0, ""),
        (("fruit = ", "fruit "), 2, "correct the TOML there"),
        (("[1, 2]", "[1, 2"), 28, "correct the TOML there"),
    ],
)
def test_a_mistake_is_named_on_its_line(tmp_path: Path, change: tuple[str, str], line: int, words: str) -> None:
    problems = found(tmp_path, change)
    if not words:
        assert problems == []
        return
    assert len(problems) == 1, problems
    assert problems[0][0] == line and words in problems[0][1]
    with pytest.raises(BadSettings) as error:
        load_sheet(tmp_path / "sheet.toml")
    assert error.value.row == line and error.value.remedy


ROT = """outlets = [2, 3]

[[classes]]
name = "Rot"

[[products]]
name = "Rotten"
classes = ["Rot"]
rot = true
outlets = [1]
"""
SAMPLES = """outlets = [1, 2]

[[sampling]]
class = "Red"
every = 50
outlet = 8
"""


def test_a_variety_whose_blush_ends_twice_is_named_at_both_places(tmp_path: Path) -> None:
    problems = found(tmp_path, ("[sizes]", "[blush.varieties]\nGala = 50\n'gala ' = 60\n\n[sizes]"))
    assert [line for line, _ in problems] == [19, 20]
    assert all("is named twice (leave one of the two)" in text for _, text in problems)


def test_a_green_ground_colour_can_be_asked_for(tmp_path: Path) -> None:
    assert found(tmp_path, ("defect_area_mm2 = { max = 50 }", "ground_a = { max = -5 }")) == []


def test_blush_ends_where_the_sheet_says_for_the_lots_variety(tmp_path: Path) -> None:
    assert compiled(load_sheet("house_default"), "Fuji").blush_to_deg == 45.0
    assert found(tmp_path, ("[sizes]", "[blush]\nto_deg = 50\nvarieties = { Gala = 55.5 }\n\n[sizes]")) == []
    sheet = load_sheet(tmp_path / "sheet.toml")
    assert [compiled(sheet, variety).blush_to_deg for variety in (" gala", "Fuji", "")] == [55.5, 50.0, 50.0]


def test_rot_that_leaves_alone_at_the_first_gate_and_samples_with_an_outlet_of_their_own_are_no_problem(
    tmp_path: Path,
) -> None:
    assert found(tmp_path, ("outlets = [1, 2]\n", ROT)) == []
    assert load_sheet(tmp_path / "sheet.toml").products[1].rot
    assert found(tmp_path, ("outlets = [1, 2]\n", SAMPLES)) == []
    (sampling,) = compiled(load_sheet(tmp_path / "sheet.toml")).samples.values()
    assert (sampling.class_, sampling.every, sampling.outlet) == ("Red", 50, 8)


@pytest.mark.parametrize(
    ("text", "change", "line", "words"),
    [
        (ROT, ("[1]", "[8]"), 37, '"Rotten" is rot and would pass gates that other fruit leave by (let it leave'),
        (ROT, ("[1]", "[1, 4]"), 37, "would pass gates"),
        (ROT, ("[2, 3]", "[1, 3]"), 28, '"Bag" goes to outlet 1, where the rot of "Rotten" goes'),
        (ROT, ("rot = true", 'rot = true\nsizes = ["small"]'), 37, "rot of other sizes would run past every gate"),
        (ROT, ("rot = true", "rot = 1"), 36, "1 cannot stand here"),
        (
            ROT,
            ("[1]\n", '[1]\n[[sampling]]\nclass = "Rot"\nevery = 9\noutlet = 8\n'),
            39,
            "all of it (do not sample it)",
        ),
        (SAMPLES, ('"Red"\nevery', '"Rad"\nevery'), 31, 'there is no class "Rad" (did you mean "Red"?)'),
        (SAMPLES, ("every = 50", "every = 1"), 32, "one fruit in 1 is no sample"),
        (SAMPLES, ("outlet = 8", "outlet = 9"), 33, "there is no outlet 9 (outlets run from 1 to 8)"),
        (SAMPLES, ("outlet = 8", "outlet = 2"), 33, 'outlet 2 packs "Bag": samples would be lost in it'),
        (SAMPLES, ("8\n", '8\n[[sampling]]\nclass = "Red"\nevery = 9\noutlet = 8\n'), 35, '"Red" is sampled already'),
        (SAMPLES, ("outlet = 8", ""), 30, '"outlet" is missing'),
    ],
)
def test_rot_on_its_way_past_others_and_samples_that_cannot_be_are_named(
    tmp_path: Path, text: str, change: tuple[str, str], line: int, words: str
) -> None:
    (problem,) = found(tmp_path, ("outlets = [1, 2]\n", text), change)
    assert problem[0] == line and words in problem[1]


def test_a_sheet_that_a_windows_editor_saved_is_read(tmp_path: Path) -> None:
    plain = preset_path("house_default").read_bytes()
    saved = tmp_path / "saved.toml"
    saved.write_bytes(b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n"))
    assert load_sheet(saved) == load_preset("house_default")


def test_every_mistake_is_named_not_only_the_first(tmp_path: Path) -> None:
    problems = found(tmp_path, ("standard", "standrd"), ("0.6", '"0.6"'), ("by =", "bye ="), ("[1, 2]", "[true]"))
    assert [line for line, _ in problems] == [3, 10, 19, 28]


def test_a_class_that_no_fruit_can_reach_is_an_error(tmp_path: Path) -> None:
    hidden = found(tmp_path, ("blush_fraction = { min = 0.6 }\n", ""), ("max = 100", "max = 40"))
    assert len(hidden) == 1 and hidden[0][0] == 12 and 'no fruit can reach class "Any"' in hidden[0][1]


def test_two_classes_with_the_same_rules_are_one_too_many(tmp_path: Path) -> None:
    same = "blush_fraction = { min = 0.6 }\ndefect_area_mm2 = { max = 50 }"
    (problem,) = found(tmp_path, ("defect_area_mm2 = { max = 100 }", same))
    assert 'no fruit can reach class "Any"' in problem[1]


def test_a_lower_class_that_is_stricter_is_a_warning_and_loads(tmp_path: Path) -> None:
    assert found(tmp_path, ("max = 100", "max = 40")) == [
        (16, 'warning: max of defect_area_mm2 is stricter in "Any" than in the better "Red" '
             "(better classes come first: check both numbers)"),
    ]  # fmt: skip
    load_sheet(tmp_path / "sheet.toml")


def test_a_class_without_product_is_a_warning(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, ('["Red", "Any"]', '["Red"]'))
    assert problem[0] == 13 and problem[1].startswith('warning: no product takes class "Any"')


def test_sizes_of_a_class_that_no_product_takes_are_one_warning_a_class(tmp_path: Path) -> None:
    some = found(tmp_path, ("outlets = [1, 2]", 'sizes = ["large"]\noutlets = [1, 2]'))
    left = "of small, less than 60 mm: its fruit goes to the default outlet"
    assert [(line, text.split(" (")[0]) for line, text in some] == [
        (7, f'warning: no product takes "Red" {left}'),
        (13, f'warning: no product takes "Any" {left}'),
    ]


def test_sizes_that_the_limits_of_a_class_keep_out_need_no_product(tmp_path: Path) -> None:
    kept_out = ("[classes.limits]\nblush", "[classes.limits]\ndiameter_mm = { min = 75 }\nblush")
    (problem,) = found(tmp_path, kept_out, ("outlets = [1, 2]", 'sizes = ["large"]\noutlets = [1, 2]'))
    assert problem[0] == 14 and '"Any"' in problem[1]


def test_fruit_of_no_size_are_missed_only_where_products_name_sizes(tmp_path: Path) -> None:
    closed = ("from = 75 }", "from = 75, to = 90 }")
    assert found(tmp_path, closed) == []
    red, _ = found(tmp_path, closed, ("outlets = [1, 2]", 'sizes = ["large", "small"]\noutlets = [1, 2]'))
    assert 'takes "Red" of less than 60 mm, more than 90 mm' in red[1]


def test_a_sheet_is_loaded_for_the_outlets_of_its_line_and_with_its_warnings(tmp_path: Path) -> None:
    found(tmp_path, ("max = 100", "max = 40"))
    sheet, warnings = load_sheet_for(tmp_path / "sheet.toml", outlets=2)
    assert sheet.name == "Shop" and len(warnings) == 1 and "is stricter" in warnings[0]
    with pytest.raises(BadSettings, match=r"sheet\.toml:28: there is no outlet 2 \(the line has outlet 1 alone\)"):
        load_sheet_for(tmp_path / "sheet.toml", outlets=1)


def test_a_variety_that_came_with_the_lot_is_to_be_changed_there(tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as unknown:
        load_sheet("eu_apples", variety="Foo")
    assert "there are: Red Delicious, " in unknown.value.remedy and "give the lot another (--variety)" in str(unknown)
    with pytest.raises(BadSettings, match=r'did you mean "Fuji"\? if not, give the lot another'):
        load_sheet("eu_apples", variety="Fujy")


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text("# nothing yet\n")
    (problem,) = check(path)
    assert problem.warning and problem.text == "is empty"
    with pytest.raises(BadSettings, match="is empty"):
        load_sheet(path)


def test_one_fruit_in_two_products_is_an_error(tmp_path: Path) -> None:
    again = (
        '[[products]]\nname = "Box"\nclasses = ["Any"]\nsizes = ["large"]\noutlets = [3]\n[[products]]\nname = "Bag"'
    )
    (problem,) = found(tmp_path, ('[[products]]\nname = "Bag"', again))
    assert problem[0] == 30 and '"Any large" is in product "Box" already' in problem[1]


def test_a_preset_is_found_by_its_name_and_a_file_by_its_path(tmp_path: Path) -> None:
    for name in preset_names():
        assert load_sheet(name) == load_preset(name)
        assert sheet_path(name) == preset_path(name)
        assert check(preset_path(name)) == []
    found(tmp_path)
    assert sheet_path(tmp_path / "sheet.toml") == tmp_path / "sheet.toml"
    with pytest.raises(BadSettings, match=r"eu_apples\.toml:11: variety \"Fujy\" is in no colour group"):
        load_sheet("eu_apples", variety="Fujy")
    with pytest.raises(BadSettings, match="house_default"):
        load_sheet("hause_default")
    with pytest.raises(BadSettings, match="No such file"):
        load_sheet(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"a = " + b"[" * 100_000, "is nested too deeply"),
        (b"a = " + b"9" * 10_000, "a number is too long"),
        (b"#" * 2_000_000, "is too large"),
        (b"name = 1\r\nfruit = 'x'\r\nclasses = []\r\nfoo = 1", 'unknown key "foo"'),
        (b"classes = 7", "7 cannot stand here (give a list)"),
        (b"classes = [" + b"{name='a'}," * 200 + b"]", "is missing"),
        (b"[classes", "correct the TOML there"),
    ],
)
def test_files_that_are_no_sheets_are_named_errors(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "sheet.toml"
    path.write_bytes(content)
    assert any(words in str(problem) for problem in check(path))
    with pytest.raises(BadSettings):
        load_sheet(path)


def test_a_crowd_of_classes_is_refused_before_it_is_compared(tmp_path: Path) -> None:
    path = tmp_path / "sheet.toml"
    path.write_text(
        GOOD.split("[[classes]]")[0] + "".join(f'[[classes]]\nname = "{n}"\n' for n in range(5000)), "utf-8"
    )
    assert [problem.text for problem in check(path)] == ["5000 entries"]


TOKENS = [
    "classes", "limits", "min", "max", "name", "sizes", "by", "bands", "products", "outlets", "diameter_mm", "minimum",
    "one_of", "at_least", "groups", "variety", "true", "-1", "nan", "1e308", "9" * 20, "''", '"é"', "[", "]",
    "[[", "]]", "{", "}", "=", ",", ".", "\n", "\r", "\x00", "#", '"""', "2026-11-22",
]  # fmt: skip


@settings(
    derandomize=True, max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    start=st.sampled_from([GOOD, preset_path("eu_apples").read_text("utf-8")]),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from(TOKENS)), min_size=1, max_size=4),
)
def test_a_sheet_with_random_damage_gives_problems_or_a_sheet_that_grades(
    tmp_path: Path, start: str, edits: list[tuple[float, int, str]]
) -> None:
    text = start
    for where, cut, token in edits:
        at = int(where * len(text))
        text = text[:at] + token + text[at + cut :]
    path = tmp_path / "fuzz.toml"
    path.write_text(text, "utf-8", newline="")
    errors = [problem for problem in check(path) if not problem.warning]
    lines = text.count("\n") + 1
    assert all(problem.line is None or 1 <= problem.line <= lines for problem in errors)
    try:
        sheet = load_sheet(path)
    except BadSettings as error:
        assert (
            errors == [] or error.problem == errors[0].text
        )  # a file that lost all its classes is checked as a station
    else:
        assert errors == []
        if sheet.group_of(sheet.variety) or not sheet.groups:
            compiled(sheet)


@settings(
    derandomize=True, max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=60))
def test_any_bytes_give_problems_and_nothing_else(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fuzz.toml"
    path.write_bytes(content)
    check(path)
    with pytest.raises(BadSettings):
        load_sheet(path)
