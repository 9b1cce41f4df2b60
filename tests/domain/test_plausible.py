"""What no line can be is a fault of one key, in a station file and a recording.toml alike; what one can be is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from grader.config import check, reference_installation
from grader.domain.installation import CameraPlace, Gates, Installation
from grader.domain.plausible import MOST_GATES, MOST_LANES, document_faults, installation_faults
from grader.errors import BadSettings
from grader.storage.recordings.findings import Findings, Problem
from grader.storage.recordings.manifest import manifest_text, read_manifest
from grader.tracking.state import Course
from hardware import protocol
from hardware.gate_board import board_configuration


def with_(table: str, **changes: Any) -> Installation:
    """The reference line of two lanes, its gates written out, with some keys of a table changed."""
    known = msgspec.to_builtins(reference_installation(2))
    entry = known["cameras"]["top"] if table == "cameras.top" else known[table]
    entry.update(changes)
    return msgspec.convert(known, Installation)


def faults_of(installation: Installation, *, has_gates: bool = True) -> list[tuple[str, str]]:
    """Key and words of every fault."""
    found = document_faults(msgspec.to_builtins(installation), Installation)
    found = found or list(installation_faults(installation, has_gates=has_gates))
    return [tuple(fault.named.text.split(": ", 1)) for fault in found]  # type: ignore[misc]


def recorded(installation: Installation) -> list[Problem]:
    """What a check says of this line as a recording."""
    findings = Findings(strict=False)
    read_manifest(manifest_text(installation), Path("recording.toml"), findings)
    return findings.problems


IMPOSSIBLE: list[tuple[str, dict[str, Any], str, str]] = [
    ("line", {"pulses_per_cup": 2}, "line.pulses_per_cup", "2 pulses of 1 mm are 2 mm from cup to cup"),
    ("line", {"pulses_per_cup": 600}, "line.pulses_per_cup", "600 mm from cup to cup"),
    ("line", {"mm_per_pulse": 0.1}, "line.pulses_per_cup", "9.6 mm from cup to cup"),
    ("cameras.top", {"lane_pitch_px": 1e6}, "cameras.top.lane_pitch_px", "800000 mm from lane to lane"),
    ("cameras.top", {"lane_pitch_px": 40.0}, "cameras.top.lane_pitch_px", "32 mm from lane to lane"),
    ("cameras.top", {"lane_pitch_px": 260.0}, "cameras.top.height_px", "80 to 340 px, outside the picture"),
    ("cameras.top", {"cup_zero_px": (0.0, -5.0)}, "cameras.top.height_px", "outside the picture"),
    ("cameras.top", {"mm_per_px": 10.0}, "cameras.top.mm_per_px", "a fruit of 80 mm is 8 px wide"),
    ("cameras.top", {"pulses_per_frame": 5000}, "cameras.top.pulses_per_frame", "a cup can pass between two frames"),
    ("cameras.top", {"turn_deg_per_pulse": 0.0}, "cameras.top.turn_deg_per_pulse", "0.0 is not possible"),
    ("cameras.top", {"turn_deg_per_pulse": 1e-9}, "cameras.top.turn_deg_per_pulse", "1e-09 is not possible"),
    ("cameras.top", {"turn_deg_per_pulse": -5.1}, "cameras.top.turn_deg_per_pulse", "-5.1 is not possible"),
    ("cameras.top", {"bands": ("nir",)}, "cameras.top.bands", "has the band 'nir' alone"),
    ("cameras.top", {"cup_zero_px": (-80e3, 80.0)}, "cameras.top.cup_zero_px", "cups of a lane lie between"),
    ("gates", {"decision_mm": 1e6}, "gates.decision_mm", "1000000.0 is not possible"),
    ("gates", {"decision_mm": 50e3, "first_mm": 51e3}, "gates.decision_mm", "523 cups of a lane lie between"),
    ("gates", {"opening_ms": 7000.0}, "gates.opening_ms", "7000.0 is not possible"),
    ("gates", {"closing_ms": 6554.0}, "gates.closing_ms", "6554.0 is not possible"),
    ("gates", {"opening_ms": 84.0}, "gates.opening_ms", "84 ms, and a cup passes in 83.3 ms"),
    ("gates", {"closing_ms": 200.0}, "gates.closing_ms", "its neighbour would fall too"),
    ("gates", {"pitch_mm": 10.0}, "gates.pitch_mm", "gates 10 mm apart"),
    ("gates", {"lead_pulses": 65_536}, "gates.lead_pulses", "65536 is not possible"),
    ("gates", {"outlets": 17}, "gates.outlets", "17 is not possible"),
    ("gates", {"outlets": 0}, "gates.outlets", "0 is not possible"),
]
IDS = [f"{table} {' '.join(changes)}" for table, changes, _, _ in IMPOSSIBLE]


@pytest.mark.parametrize(("table", "changes", "key", "words"), IMPOSSIBLE, ids=IDS)
def test_what_no_line_can_be_is_a_fault_of_its_key(table: str, changes: dict[str, Any], key: str, words: str) -> None:
    found = dict(reversed(faults_of(with_(table, **changes))))
    assert words in found[key]


@pytest.mark.parametrize(("table", "changes", "key", "words"), IMPOSSIBLE, ids=IDS)
def test_a_recording_that_no_line_can_have_made_is_refused_with_line_and_remedy(
    table: str, changes: dict[str, Any], key: str, words: str
) -> None:
    lines = manifest_text(with_(table, **changes)).splitlines()
    problem = next(problem for problem in recorded(with_(table, **changes)) if problem.text.startswith(f"{key}: "))
    assert problem.severity == "error" and words in problem.text and problem.remedy
    assert problem.row is not None and lines[problem.row - 1].startswith(key.rsplit(".", 1)[1])


@pytest.mark.parametrize(("table", "changes", "key", "words"), IMPOSSIBLE, ids=IDS)
def test_a_station_file_of_what_no_line_can_be_names_the_line_of_the_key(
    tmp_path: Path, table: str, changes: dict[str, Any], key: str, words: str
) -> None:
    file = tmp_path / "station.toml"
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in changes.items()}
    extra = "[line]\nlanes = 2\n" if table != "line" else ""
    file.write_text(f"{extra}[{table}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items()))
    problem = next(problem for problem in check(file) if problem.text.startswith(f"{key}: "))
    assert not problem.warning and words in problem.text and problem.remedy and problem.line


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        ("line", {"pulses_per_cup": 40}),
        ("line", {"pulses_per_cup": 960, "mm_per_pulse": 0.1}),
        ("cameras.top", {"turn_deg_per_pulse": 0.01}),
        ("cameras.top", {"turn_deg_per_pulse": -5.0}),
        ("cameras.top", {"turn_deg_per_pulse": None}),
        ("cameras.top", {"mm_per_px": 3.3, "lane_pitch_px": 100.0}),
        ("cameras.top", {"cup_zero_px": (-200.0, 0.0)}),
        ("gates", {"opening_ms": 83.0, "closing_ms": 0.0}),
        ("gates", {"pitch_mm": 96.0}),
        ("gates", {"outlets": MOST_GATES}),
        ("gates", {"decision_mm": 40e3, "first_mm": 41e3}),
    ],
)
def test_a_line_at_the_edge_of_what_can_be_is_none(table: str, changes: dict[str, Any]) -> None:
    assert faults_of(with_(table, **changes)) == []


def test_a_camera_beside_the_one_that_is_graded_by_may_see_less() -> None:
    line = reference_installation(2)
    grey = CameraPlace(
        width_px=80, height_px=60, bands=("nir",), mm_per_px=5.0, cup_zero_px=(0.0, -9.0), lane_pitch_px=3.0,
        pulses_per_frame=960,
    )  # fmt: skip
    beside = msgspec.structs.replace(line, cameras={"heat": grey, **line.cameras})
    assert faults_of(beside) == []
    first = msgspec.structs.replace(line, cameras={"heat": grey, "left": line.cameras["top"]})
    assert faults_of(first)[0][0] == "cameras.heat.bands"


def test_a_recording_without_gates_is_not_blamed_for_those_of_the_reference_line() -> None:
    coarse = with_("line", pulses_per_cup=10, mm_per_pulse=9.6)
    coarse = msgspec.structs.replace(coarse, cameras={"top": with_("cameras.top", pulses_per_frame=5).cameras["top"]})
    assert [key for key, _ in faults_of(coarse)] == ["gates.first_mm"]
    assert recorded(coarse) == []
    late = msgspec.structs.replace(coarse, scale=msgspec.structs.replace(coarse.scale, position_mm=1600.0))
    (problem,) = recorded(late)
    assert problem.severity == "warning" and "behind the decision at 1500 mm" in problem.text


def test_what_can_be_followed_here_can_be_followed_on_the_belt() -> None:
    for decision_mm in (*range(48_000, 49_600, 7), 60_000):
        line = with_("gates", decision_mm=float(decision_mm), first_mm=decision_mm + 100.0)
        try:
            Course.of(line, line.cameras["top"])
        except BadSettings:
            assert faults_of(line)
    assert faults_of(with_("gates", decision_mm=48_000.0, first_mm=49_000.0)) == []


def test_every_line_that_can_be_fits_into_the_words_of_the_gate_board() -> None:
    assert (MOST_LANES, MOST_GATES) == (protocol.MAX_LANES, protocol.MAX_OUTLETS)
    gates = Gates(
        outlets=MOST_GATES, opening_ms=1000.0, closing_ms=1000.0, lead_pulses=65_535, decision_mm=1500, first_mm=6e4
    )
    fine = msgspec.structs.replace(
        reference_installation(MOST_LANES, cups_per_second=1.0),
        gates=msgspec.structs.replace(gates, pitch_mm=600.0, lead_pulses=58_000),
    )
    assert faults_of(fine) == []
    most = msgspec.structs.replace(fine.line, pulses_per_cup=65_535)
    message = board_configuration(most, gates, pulses_per_frame=65_535)
    assert len(protocol.Packer().pack(message)) < protocol.MAX_PACKET
