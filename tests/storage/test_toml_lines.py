"""Every entry of a TOML text is found on the line where a person would look for it."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.grading.presets import preset_names, preset_path
from grader.storage.toml_lines import document_of, line_of, lines_by_path

TEXT = '''\
# a comment with [brackets] and "quotes
name = "x"  # = [ {

a.b."c.d" = 1
text = """
not = "a key"
[not.a.table]
\\""" still
"""
raw = \'\'\'
[[no]]
\'\'\'
[table]
key = [1,
  2, # two ]
  [ "a]", 'b}' ],
]
[table.sub]
when = 2026-11-22T10:00:00
[[list]]
n = { a = 1, b = { c = [
  7,
  8,
] } }
[[list]]
[list.under]
[[list.deep]]
x = 1
[[list.deep]]
"x y" = -1.5e3
last = true'''

EXPECTED = {
    ("name",): 2,
    ("a", "b", "c.d"): 4,
    ("text",): 5,
    ("raw",): 10,
    ("table",): 13,
    ("table", "key"): 14,
    ("table", "key", 0): 14,
    ("table", "key", 1): 15,
    ("table", "key", 2): 16,
    ("table", "key", 2, 1): 16,
    ("table", "sub"): 18,
    ("table", "sub", "when"): 19,
    ("list",): 20,
    ("list", 0): 20,
    ("list", 0, "n"): 21,
    ("list", 0, "n", "b", "c"): 21,
    ("list", 0, "n", "b", "c", 1): 23,
    ("list", 1): 25,
    ("list", 1, "under"): 26,
    ("list", 1, "deep", 0, "x"): 28,
    ("list", 1, "deep", 1): 29,
    ("list", 1, "deep", 1, "x y"): 30,
    ("list", 1, "deep", 1, "last"): 31,
}


def paths_of(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, item in items for each in paths_of(item, (*path, key)))]


def test_entries_of_every_kind_are_on_their_lines() -> None:
    lines = lines_by_path(TEXT)
    assert {path: lines.get(path) for path in EXPECTED} == EXPECTED
    assert set(lines) == set(paths_of(tomllib.loads(TEXT)))


def test_what_does_not_stand_in_the_file_is_looked_for_around_it() -> None:
    lines = lines_by_path(TEXT)
    assert line_of(("table", "key", 2, 9, "z"), lines) == 16
    assert line_of(("missing",), lines) == 1


def test_every_entry_of_the_presets_is_found() -> None:
    for name in preset_names():
        text = preset_path(name).read_text("utf-8")
        assert set(lines_by_path(text)) == set(paths_of(tomllib.loads(text))), name


KEY = st.sampled_from(["a", "b-1", '"q q"', "'r'", 'a."x.y"', '"\\u0041"'])
SCALAR = st.sampled_from(
    ["1", "true", '"s#,]}"', "'l'", '"""m\nm""""', "'''\nn'''", "1979-05-27 07:32:00", "-inf", '"\\""']
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[ # c ]\n" + ",\n".join(items) + "\n]"),
        st.lists(inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"k{n} = {v}" for n, v in enumerate(items)) + "}"
        ),
    ),
    max_leaves=6,
)
LINE = st.one_of(
    st.tuples(KEY, VALUE).map(" = ".join),
    KEY.map(lambda key: f"[{key}]"),
    KEY.map(lambda key: f"[[ {key} ]] # x"),
    st.sampled_from(["", "# [c]", "  "]),
)


@settings(derandomize=True, max_examples=400, deadline=None)
@given(st.lists(LINE, max_size=8).map("\n".join))
def test_whatever_tomllib_reads_is_walked_to_the_end(text: str) -> None:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = lines_by_path(text)
    assert set(lines) == set(paths_of(document))
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


@pytest.mark.parametrize(
    "key", ["a." * 60_000 + "a", '"a" . ' * 60 + "a", "[" + "x-1.'y'." * 60 + "z]", "b = {" + "c." * 60 + "d"]
)
def test_a_key_of_endless_parts_is_refused_by_its_line_before_it_is_read(key: str) -> None:
    with pytest.raises(ValueError, match=r"over 50 parts \(at line 3, column 1\)"):
        document_of(f"x = 1\n\n{key}")


@pytest.mark.parametrize(
    "text", ["x = [" + "1.5, " * 5000 + "]", "x = '" + "a. " * 40 + "'", "a.b.c.d.e.f = 1", "x" * 100_000 + " = 1"]
)
def test_long_lines_and_dots_elsewhere_are_no_endless_key(text: str) -> None:
    assert document_of(text) == tomllib.loads(text)
