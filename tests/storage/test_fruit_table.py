"""fruit.csv: the same bytes for the same fruit, every difference found, every bad cell named."""

from __future__ import annotations

import csv
import resource
import signal
import tracemalloc
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.domain.decisions import FruitRecord
from grader.domain.flags import FLAGS, Flag
from grader.domain.fruit import QUANTITIES
from grader.errors import BadFile
from grader.storage.fruit_table import (
    DEFAULT_TOLERANCES,
    EXACT,
    FRUIT_COLUMNS,
    Difference,
    FruitTable,
    columns_not_compared,
    compare,
    format_differences,
    read_fruit_csv,
    write_fruit_csv,
)

CONTRACT = (
    "lane, cup, lot, diameter_mm, height_mm, volume_ml, mass_g, blush_fraction, ground_hue_deg, defect_area_mm2,"
    " defect_count, skin_seen, turn_deg, ssc_brix, ssc_brix_sd, grade, size, outlet, reasons, flags, gate_outcome"
)


def a_fruit(lane: int, cup: int, /, values: dict[str, float | None] | None = None, **changes: object) -> FruitRecord:
    plain: dict[str, float | None] = dict.fromkeys(QUANTITIES)
    plain |= {"diameter_mm": 71.2, "mass_g": 180.05, "blush_fraction": 0.5, "defect_count": 2.0}
    record = FruitRecord(
        lane=lane,
        cup=cup,
        lot="2026-11-22/1",
        values=plain | (values or {}),
        grade="I",
        size="70-75",
        outlet=2,
        reasons=("Extra: diameter_mm 71.20 < 75", "Extra: blush_fraction 0.5000 < 0.6"),
        flags=0,
        gate_outcome="fired",
    )
    return msgspec.structs.replace(record, **changes)


def a_table(*records: FruitRecord, without: str = "") -> FruitTable:
    return FruitTable(tuple(column for column in FRUIT_COLUMNS if column not in without.split()), records)


def test_columns_are_those_of_the_contract_and_then_every_other_quantity() -> None:
    promised = [column.strip() for column in CONTRACT.split(",")]
    assert list(FRUIT_COLUMNS[: len(promised)]) == promised
    assert set(FRUIT_COLUMNS[len(promised) :]) == set(QUANTITIES) - set(promised)


def test_the_table_is_fixed_in_decimals_and_empty_where_nothing_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "out" / "fruit.csv"
    write_fruit_csv(path, [a_fruit(0, 9), a_fruit(0, 10, flags=int(Flag.TOUCHING | Flag.NO_WEIGHT)), a_fruit(1, 5)])
    content = path.read_bytes()
    assert content.endswith(b"\n") and b"\r" not in content
    rows = list(csv.DictReader(content.decode().splitlines()))
    assert [(row["lane"], row["cup"]) for row in rows] == [("0", "9"), ("0", "10"), ("1", "5")]
    first = rows[0]
    assert (first["diameter_mm"], first["mass_g"], first["blush_fraction"]) == ("71.20", "180.05", "0.5000")
    assert (first["defect_count"], first["ssc_brix"], first["flags"]) == ("2", "", "")
    assert first["reasons"] == "Extra: diameter_mm 71.20 < 75; Extra: blush_fraction 0.5000 < 0.6"
    assert rows[1]["flags"] == "touching+no_weight"


def test_fruit_out_of_order_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lane 0 cup 9 comes after lane 0 cup 10"):
        write_fruit_csv(tmp_path / "fruit.csv", [a_fruit(0, 10), a_fruit(0, 9)])
    assert list(tmp_path.iterdir()) == []


def test_a_table_of_many_fruit_needs_the_memory_of_a_few(tmp_path: Path) -> None:
    def peak_bytes(fruit: int) -> int:
        tracemalloc.start()
        write_fruit_csv(tmp_path / "fruit.csv", (a_fruit(0, cup) for cup in range(fruit)))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    assert peak_bytes(3000) < peak_bytes(30) + 50_000


def test_a_disk_that_is_full_is_said_of_the_table(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError) as said:
            write_fruit_csv(tmp_path / "fruit.csv", (a_fruit(0, cup) for cup in range(5000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert said.value.filename == str(tmp_path / "fruit.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_cannot_be_written_leaves_the_old_one_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "fruit.csv"
    write_fruit_csv(path, [a_fruit(0, 1)])
    before = path.read_bytes()
    with pytest.raises(UnicodeEncodeError):
        write_fruit_csv(path, [a_fruit(0, 1, lot="\ud800")])
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["fruit.csv"]
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OSError):
        write_fruit_csv(tmp_path / "folder.csv", [a_fruit(0, 1)])
    assert sorted(found.name for found in tmp_path.iterdir()) == ["folder.csv", "fruit.csv"]


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
RECORDS = st.builds(
    FruitRecord,
    lane=st.integers(0, 11),
    cup=st.integers(-(2**40), 2**40),
    lot=TEXTS,
    values=st.fixed_dictionaries(
        {
            name: st.none() | st.integers(-(10**6), 10**6).map(lambda k, scale=10**quantity.decimals: k / scale)
            for name, quantity in QUANTITIES.items()
        }
    ),
    grade=TEXTS,
    size=TEXTS,
    outlet=st.integers(0, 8),
    reasons=st.lists(TEXTS.filter(lambda text: text and ";" not in text), max_size=3).map(tuple),
    flags=st.lists(st.sampled_from(sorted(FLAGS))).map(lambda flags: int(sum(set(flags)))),
    gate_outcome=st.sampled_from(["", "fired", "late"]),
)


@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(RECORDS, max_size=4, unique_by=lambda record: (record.lane, record.cup)))
def test_what_is_written_is_read_back_the_same(tmp_path: Path, records: list[FruitRecord]) -> None:
    path = tmp_path / "fruit.csv"
    records.sort(key=lambda record: (record.lane, record.cup))
    write_fruit_csv(path, records)
    table = read_fruit_csv(path)
    assert list(table) == records
    assert table.columns == FRUIT_COLUMNS
    assert compare(table, a_table(*records), EXACT) == []


def test_a_table_that_a_spreadsheet_saved_again_is_read(tmp_path: Path) -> None:
    path = tmp_path / "fruit.csv"
    path.write_bytes('\ufeffcup,lane,note,diameter_mm,grade\r\n7,0,"a, b",71.2,一级\r\n\r\n8,0,,,\r\n'.encode())
    table = read_fruit_csv(path)
    assert table.columns == ("lane", "cup", "diameter_mm", "grade")
    assert [(fruit.lane, fruit.cup, fruit.values["diameter_mm"], fruit.grade) for fruit in table] == [
        (0, 7, 71.2, "一级"),
        (0, 8, None, ""),
    ]


@pytest.mark.parametrize(
    ("content", "row", "problem"),
    [
        ("", 1, "no column lane and cup"),
        ("lane,grade\n0,I\n", 1, "no column cup"),
        ("lane,cup,lane\n0,1,0\n", 1, "names a column twice: lane"),
        ("lane,cup\n0,1\n0\n", 3, "has 1 cells, the header has 2"),
        ("lane,cup\n0,1\n0,1,2\n", 3, "has 3 cells"),
        ("lane,cup\n0,1\n0,1.5\n", 3, "cup is '1.5', not a whole number"),
        ("lane,cup\n-1,1\n", 2, "lane is '-1'"),
        ("lane,cup\n0,99999999999999999999\n", 2, "not a whole number"),
        ("lane,cup\n0,١\n", 2, "not a whole number"),
        ("lane,cup,outlet\n0,1,\n", 2, "outlet is ''"),
        ("lane,cup,mass_g\n0,1,180\n0,2,nan\n", 3, "mass_g is 'nan', not a number"),
        ("lane,cup,mass_g\n0,1,1e999\n", 2, "not a number"),
        ("lane,cup,mass_g\n0,1,1_000\n", 2, "not a number"),
        ("lane,cup,mass_g\n0,1,12 g\n", 2, "not a number"),
        ("lane,cup,flags\n0,1,touching+tired\n", 2, "unknown 'tired'"),
        ('lane,cup,grade\n0,1,"I\n', 2, "not a table"),
        ('lane,cup,grade\n0,1,"I"x\n', 2, "not a table"),
        ("lane,cup,grade\n0,1," + "x" * 200_000 + "\n", 2, "not a table"),
    ],
)
def test_a_bad_cell_is_named_with_its_row(tmp_path: Path, content: str, row: int, problem: str) -> None:
    path = tmp_path / "expected.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadFile) as caught:
        read_fruit_csv(path)
    assert caught.value.row == row
    assert problem in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"lane;cup\n0;1\n", "is separated by semicolons"),
        ("lane\tcup\n0\t1\n".encode("utf-16"), "is UTF-16"),
    ],
)
def test_a_table_in_the_form_of_a_spreadsheet_is_told_how_to_save_it(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    (tmp_path / "fruit.csv").write_bytes(content)
    with pytest.raises(BadFile, match=f"{problem}.*save it as CSV UTF-8"):
        read_fruit_csv(tmp_path / "fruit.csv")


def test_a_file_that_is_missing_or_no_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="cannot be read"):
        read_fruit_csv(tmp_path / "missing.csv")
    (tmp_path / "picture.csv").write_bytes(b"lane,cup\n0,1\n\xff\xd8")
    with pytest.raises(BadFile, match="not UTF-8"):
        read_fruit_csv(tmp_path / "picture.csv")


@settings(
    derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(0, 10_000), junk=st.binary(max_size=12), cut=st.booleans())
def test_any_damage_is_a_named_error_or_still_a_table(tmp_path: Path, at: int, junk: bytes, cut: bool) -> None:
    path = tmp_path / "fruit.csv"
    write_fruit_csv(path, [a_fruit(lane, cup) for lane in range(2) for cup in range(3)])
    content = path.read_bytes()
    at %= len(content)
    path.write_bytes(content[:at] + junk + (b"" if cut else content[at + len(junk) :]))
    try:
        assert len(read_fruit_csv(path)) <= 6 + junk.count(b"\n") + junk.count(b"\r")
    except BadFile as error:
        assert "fruit.csv" in str(error)


def test_each_planted_difference_is_found_and_nothing_else() -> None:
    expected = [a_fruit(lane, cup) for lane in range(4) for cup in range(50)]
    actual = list(expected)
    planted = []

    def plant(number: int, column: str, now: str, was: str, **changes: object) -> None:
        lane, cup = expected[number].lane, expected[number].cup
        actual[number] = a_fruit(lane, cup, **changes)
        planted.append(Difference(lane, cup, column, now, was, DEFAULT_TOLERANCES.get(column)))

    plant(3, "diameter_mm", "71.26", "71.20", values={"diameter_mm": 71.26})
    plant(9, "mass_g", "", "180.05", values={"mass_g": None})
    plant(17, "ssc_brix", "0.00", "", values={"ssc_brix": 0.0})
    plant(18, "defect_count", "3", "2", values={"defect_count": 3.0})
    plant(40, "grade", "II", "I", grade="II")
    plant(55, "size", "", "70-75", size="")
    plant(77, "outlet", "0", "2", outlet=0)
    plant(80, "reasons", "", "Extra: diameter_mm 71.20 < 75; Extra: blush_fraction 0.5000 < 0.6", reasons=())
    plant(120, "flags", "late", "", flags=int(Flag.LATE))
    plant(130, "gate_outcome", "void", "fired", gate_outcome="void")
    plant(199, "lot", "other", "2026-11-22/1", lot="other")
    # Within tolerance, or a replay beside a live run: no difference.
    actual[1] = a_fruit(0, 1, values={"diameter_mm": 71.25, "blush_fraction": 0.502})
    actual[2] = a_fruit(0, 2, gate_outcome="")
    assert compare(a_table(*actual), a_table(*expected)) == planted


def test_exact_means_exact() -> None:
    actual, expected = a_table(a_fruit(0, 1, values={"diameter_mm": 71.21})), a_table(a_fruit(0, 1))
    assert compare(actual, expected) == []
    assert [found.column for found in compare(actual, expected, EXACT)] == ["diameter_mm"]


def test_missing_extra_and_doubled_fruit_are_found() -> None:
    actual = a_table(a_fruit(0, 1), a_fruit(0, 3), a_fruit(1, 1), a_fruit(1, 1))
    expected = a_table(a_fruit(0, 1), a_fruit(0, 2), a_fruit(1, 1))
    assert compare(actual, expected) == [
        Difference(0, 2, "", "missing", "one row"),
        Difference(0, 3, "", "one row", "missing"),
        Difference(1, 1, "", "2 rows", "one row"),
    ]


def test_a_number_in_a_reason_may_differ_as_its_quantity_may_but_the_limit_may_not() -> None:
    def differs(*reasons: str) -> bool:
        return bool(compare(a_table(a_fruit(0, 1, reasons=reasons)), a_table(a_fruit(0, 1))))

    assert compare(
        a_table(a_fruit(0, 1, reasons=("II: defect_area_mm2 20.5 > 9 and defect_fraction 0.0100 > 0.01",))),
        a_table(a_fruit(0, 1, reasons=("II: defect_area_mm2 20.0 > 9 and defect_fraction 0.0150 > 0.01",))),
    ), "each number goes by its own quantity"
    assert not differs("Extra: diameter_mm 71.24 < 75", "Extra: blush_fraction 0.5010 < 0.6")
    assert differs("Extra: diameter_mm 71.26 < 75", "Extra: blush_fraction 0.5010 < 0.6")
    assert differs("Extra: diameter_mm 71.20 < 80", "Extra: blush_fraction 0.5000 < 0.6")
    assert differs("Extra: diameter_mm 71.20 < 75", "Extra: blush_fraction 0.4700 < 0.6")
    assert differs("I: diameter_mm 71.20 < 75", "Extra: blush_fraction 0.5000 < 0.6")
    assert differs("Extra: diameter_mm 71.20 < 75")


def test_a_number_too_long_for_a_double_is_equal_to_itself() -> None:
    table = a_table(a_fruit(0, 1, reasons=("Extra: mass_g " + "9" * 400,)))
    assert compare(table, table) == []


def test_columns_that_the_expected_table_lacks_are_named_and_skipped() -> None:
    expected = a_table(a_fruit(0, 1), without="mass_g reasons")
    actual = a_table(a_fruit(0, 1, values={"mass_g": 12.0}, reasons=()))
    assert compare(actual, expected) == []
    assert columns_not_compared(expected) == ("mass_g", "reasons")
    said = format_differences([], not_compared=columns_not_compared(expected))
    assert said.splitlines() == [
        "no fruit differs",
        "not compared, because the expected table has no such column: mass_g, reasons",
    ]


def test_differences_are_said_for_people_and_the_rest_is_counted() -> None:
    expected = [a_fruit(0, cup) for cup in range(30)]
    actual = [a_fruit(0, cup, values={"diameter_mm": 72.0, "mass_g": None}) for cup in range(29)]
    said = format_differences(compare(a_table(*actual), a_table(*expected)), most_fruit=2).splitlines()
    assert said == [
        "30 fruit differ:",
        "  lane 0 cup 0: diameter_mm is 72.00, expected 71.20 (may differ by 0.05)",
        "  lane 0 cup 0: mass_g is empty, expected 180.05 (may differ by 0.05)",
        "  lane 0 cup 1: diameter_mm is 72.00, expected 71.20 (may differ by 0.05)",
        "  lane 0 cup 1: mass_g is empty, expected 180.05 (may differ by 0.05)",
        "  ... and 28 more fruit",
    ]
    assert "cup 29: missing, expected one row" in format_differences(
        compare(a_table(*actual), a_table(*expected)), most_fruit=99
    )
