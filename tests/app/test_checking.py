"""`grader check` knows a scenario from a station file and a sheet, and says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.app.checking import problems_of

BELT_STOPS = '[[fault]]\nkind = "belt_stops"\nat_s = 20.0\nfor_s = 5.0\n'


@pytest.mark.parametrize("text", [BELT_STOPS, "every_s = 20.0\nseed = 4\n", f"every_s = 9.5\n{BELT_STOPS}{BELT_STOPS}"])
def test_a_sound_scenario_has_no_problem(tmp_path: Path, text: str) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(text)
    assert problems_of(file) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BELT_STOPS.replace("belt_stops", "belt_stop"), ":2: "),
        (BELT_STOPS.replace("20.0", '"soon"'), ":3: "),
        (BELT_STOPS.replace("for_s", "fro_s"), ':4: unknown key "fro_s"'),
        (BELT_STOPS.replace("at_s = 20.0\n", ""), '"at_s" is missing'),
        (f"every = 3\n{BELT_STOPS}", ':1: unknown key "every"'),
    ],
)
def test_a_mistake_in_a_scenario_is_named_on_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(text)
    (problem,) = problems_of(file)
    assert f"{file}" in problem.text and said in problem.text and not problem.warning
