"""A station file says what differs from the reference line, and every mistake in it is named with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.config import check, load_station, reference_installation
from grader.config.service import ServiceSettings
from grader.errors import BadSettings
from grader.grading.presets import preset_path
from grader.station.pictures import PictureSettings


def station_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "station.toml"
    path.write_text(text, "utf-8")
    return path


def test_an_empty_station_file_is_the_reference_line(tmp_path: Path) -> None:
    station = load_station(station_file(tmp_path, ""))
    assert station.installation == reference_installation()
    assert station.sheet == "house_default" and station.journal == tmp_path / "journal.sqlite"
    assert station.devices.board_port == ""


def test_the_reference_line_has_the_numbers_of_the_design() -> None:
    line = reference_installation(8, 15, wavelengths_nm=(600.0, 602.5))
    camera = line.cameras["top"]
    assert (line.line.lanes, line.line.pulses_per_cup, line.line.mm_per_pulse, line.line.cups_per_second) == (
        8,
        96,
        1,
        15,
    )
    assert line.line.cups_per_chain == 480
    assert (camera.width_px, camera.height_px, camera.mm_per_px, camera.lane_pitch_px) == (1280, 1210, 0.8, 150)
    assert (camera.cup_zero_px, camera.pulses_per_frame, camera.lens_above_mm) == ((0, 80), 48, 1500)
    assert (camera.seat, camera.turn_deg_per_pulse, camera.transfer) == ("rollers", 0.47, "srgb")
    assert camera.bands == ("blue", "green", "red")
    assert line.scale is not None and line.scale.position_mm == 1200
    spectrometer = line.spectrometers["main"]
    assert (spectrometer.position_mm, spectrometer.lanes) == (1400, tuple(range(8)))
    assert spectrometer.wavelengths_nm == (600.0, 602.5)
    gates = line.gates
    assert (gates.outlets, gates.first_mm, gates.pitch_mm, gates.decision_mm, gates.lead_pulses) == (
        8,
        2000,
        600,
        1500,
        60,
    )


def test_a_station_file_changes_only_what_it_names(tmp_path: Path) -> None:
    text = """
        sheet = "eu_apples"
        journal = "data/line-2.sqlite"
        [line]
        lanes = 6
        [cameras.top]
        lens_above_mm = 1400
        [spectrometers.main]
        wavelengths_nm = [700, 710, 720]
        [gates]
        outlets = 4
        [devices]
        board_port = "/dev/ttyUSB0"
    """
    station = load_station(station_file(tmp_path, text.replace("outlets = 4", "outlets = 8")))
    wanted = msgspec.to_builtins(reference_installation(6, wavelengths_nm=(700, 710, 720)))
    wanted["cameras"]["top"]["lens_above_mm"] = 1400.0
    assert msgspec.to_builtins(station.installation) == wanted
    assert station.sheet == "eu_apples" and station.journal == tmp_path / "data" / "line-2.sqlite"
    assert station.devices.board_port == "/dev/ttyUSB0"
    assert any("there is no outlet 8" in str(problem) for problem in check(station_file(tmp_path, text)))


def test_a_sheet_is_found_beside_its_station_file(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_bytes(preset_path("house_default").read_bytes())
    station = load_station(station_file(tmp_path, 'sheet = "ours.toml"'))
    assert station.sheet == str(tmp_path / "ours.toml")


def test_a_camera_of_another_name_stands_alone(tmp_path: Path) -> None:
    problems = check(station_file(tmp_path, "[cameras.left]\nwidth_px = 640\n"))
    assert {problem.line for problem in problems} == {1}
    assert 'cameras.left.height_px: "height_px" is missing' in {problem.text for problem in problems}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[line]\nlane = 4", 2, 'unknown key "lane" (did you mean "lanes"?)'),
        ("\n[gates]\nopening_s = 1", 3, 'unknown key "opening_s"'),
        ("[line]\nlanes = 13", 2, "line.lanes: 13 is not possible (a station has 1 to 12 lanes)"),
        ("[line]\nlanes = true", 2, "true cannot stand here (give a whole number)"),
        ("[line]\nlanes = 0", 2, "line.lanes: 0 is not possible"),
        ("[line]\ncups_per_second = 0", 2, "give the rated speed, 0.1 to 100"),
        ("[line]\ncups_per_second = 1e-300", 2, "give the rated speed, 0.1 to 100"),
        ("[gates]\nfirst_mm = 1e18", 2, "a line is 100 m long at most"),
        ("[gates]\npitch_mm = 1e18", 2, "give the distance between two gates"),
        ("line = 3", 1, "give a table"),
        ("[cameras]", 1, "there is no camera"),
        ("[cameras.top]\nheight_px = 400", 2, "outside the picture"),
        ("[gates]\npitch_mm = 90e3", 2, "a line is 100 m long at most"),
        ("[cameras.top]\nbands = ['red', 'blue']", 2, "lack a colour"),
        ("[cameras.top]\ntransfer = 'gamma'", 2, 'is not one of "linear", "srgb" (there are: linear, srgb)'),
        ("[cameras.top]\ncup_zero_px = [1]", 2, "1 values (give 2)"),
        ("[cameras.top]\npulses_per_frame = 5000", 2, "a cup can pass between two frames"),
        ("[spectrometers.main]\nlanes = [0,\n 4]\nwavelengths_nm = [1, 2]", 3, "there is no lane 4"),
        ("[spectrometers.main]\nwavelengths_nm = [2, 1]", 2, "wavelengths do not rise"),
        ("[spectrometers.main]", 1, '"wavelengths_nm" is missing'),
        ("[scale]\nposition_mm = 1500", 2, "behind the decision"),
        ("[scale]\nzero_counts = [0, 0]\ng_per_count = [1, 1, 1, 1]", 2, "2 values for 4 lanes (give one per lane)"),
        ("[gates]\nfirst_mm = 1550", 2, "the lead is 60"),
        ("[gates]\nopening_ms = -1", 2, "give the gate's opening time, 0 to 1000 ms"),
        ("[devices]\nboard_port = 3", 2, "give text"),
        ("\nsheet = 'none'", 2, 'sheet "none" cannot be used'),
        ("[service]\nmetrics_port = 70000", 2, "70000 is not possible (give a port"),
        ("[service]\ncores = [0, -1]", 2, "-1 is not possible (cores are numbered from 0)"),
        ("[pictures]\nevery = -1", 2, "-1 is not possible (give a count of cups, or 0 for no pictures)"),
        ("[service]\nlog_files = 1", 2, "1 is not possible (give a count, 2 to 1000)"),
        ("[service]\nlog_megabytes = 5", 2, 'unknown key "log_megabytes"'),
    ],
)
def test_a_mistake_is_named_on_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = station_file(tmp_path, text)
    problem = next(problem for problem in check(path) if not problem.warning)
    assert problem.line == line and words in str(problem) and problem.remedy
    with pytest.raises(BadSettings) as error:
        load_station(path)
    assert error.value.row == line


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("\nfruit = 'kiwifruit'", 2, "does not use fruit ("),
        ("variety = 'Gala'\njournal = 'data/x.sqlite'", 1, "does not use variety, journal"),
        ("[line]\nfirst_cup = 100", 2, "does not use line.first_cup"),
        ("[line]\ncups_per_chain = 240", 2, "does not use line.cups_per_chain"),
        ("[cameras.top]\nwidth_px = 1280\nmm_per_px = 0.9", 3, "does not use cameras.top.mm_per_px ("),
        ("[scale]\nposition_mm = 1100", 2, "does not use scale.position_mm"),
        ("[spectrometers.main]\nwavelengths_nm = [700, 710]", 2, "does not use spectrometers.main.wavelengths_nm"),
        ("[devices]\nboard_port = '/dev/ttyUSB0'", 2, "there is no driver of a real camera yet"),
    ],
)
def test_what_a_run_does_not_use_is_a_warning_on_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = station_file(tmp_path, text)
    (problem,) = check(path)
    assert problem.warning and problem.line == line and words in str(problem)
    assert load_station(path).warnings == (str(problem),)


def test_what_a_run_uses_or_has_anyway_is_no_warning(tmp_path: Path) -> None:
    text = """
        note = "the north line"
        sheet = "eu_kiwifruit"
        variety = "Fuji"
        [line]
        lanes = 2
        cups_per_second = 10
        pulses_per_cup = 96
        mm_per_pulse = 1
        [cameras.top]
        cup_zero_px = [0, 80]
        [gates]
        pitch_mm = 700
        opening_ms = 25
        [service]
        metrics_port = 9464
        log_bytes = 1_000_000
        log_files = 3
        [pictures]
        every = 20
        least_free_bytes = 5_000_000_000
    """
    path = station_file(tmp_path, text)
    assert check(path) == []
    settings = load_station(path)
    assert settings.service == ServiceSettings(metrics_port=9464, log_bytes=1_000_000, log_files=3)
    assert settings.pictures == PictureSettings(every=20, least_free_bytes=5_000_000_000)


@pytest.mark.parametrize("text", ["[line]\npulses_per_cup = 100", "[line]\nmm_per_pulse = 0.9"])
def test_cups_that_a_run_cannot_have_are_named_before_it_starts(tmp_path: Path, text: str) -> None:
    (problem,) = check(station_file(tmp_path, text))
    assert problem.line == 2 and not problem.warning and "always the simulated line" in problem.text


VALUES: list[Any] = [
    "0",
    "-1",
    "1e300",
    "nan",
    "true",
    '"x"',
    "[]",
    "{}",
    "[1, 2]",
    "99999999999999999999",
    "0x" + "f" * 5000,
    "1979-05-27",
]
PLACES = [
    "fruit", "sheet", "journal", "line", "line.lanes", "line.mm_per_pulse", "line.pulses_per_cup", "line.first_cup",
    "cameras", "cameras.top", "cameras.top.width_px", "cameras.top.mm_per_px", "cameras.top.cup_zero_px",
    "cameras.top.bands", "scale", "scale.position_mm", "scale.g_per_count", "spectrometers", "spectrometers.main",
    "spectrometers.main.lanes", "gates", "gates.outlets", "gates.first_mm", "gates.lead_pulses", "devices.board_baud",
    "service", "service.metrics_port", "service.log_bytes",
]  # fmt: skip


@settings(
    derandomize=True, max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.sampled_from(PLACES), st.sampled_from(VALUES), min_size=1, max_size=4))
def test_any_value_anywhere_gives_problems_or_a_station(tmp_path: Path, entries: dict[str, str]) -> None:
    path = station_file(tmp_path, "\n".join(f"{place} = {value}" for place, value in entries.items()))
    errors = [problem for problem in check(path) if not problem.warning]
    try:
        load_station(path)
    except BadSettings as error:
        assert errors and error.problem == errors[0].text
    else:
        assert errors == []
