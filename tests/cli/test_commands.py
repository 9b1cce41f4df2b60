"""The commands as people type them: real processes, real files, the real line on its pseudo-terminal."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from grader.cli.keys import SAME_PRESS_S
from grader.domain.events import EventKind
from grader.domain.installation import Installation, Line
from grader.errors import JournalError
from grader.grading.presets import preset_names, preset_path
from grader.storage.journal import open_journal, read_events, read_fruit, read_outcomes
from grader.storage.provenance import RunInfo

ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "NO_COLOR": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
FRUIT, LANES = 6, 2
PATIENCE_S = 120.0
"""No promise: after so long a command is taken for hung."""


class Typed(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str


def grader(*words: object) -> Typed:
    """Type a command and wait for its end."""
    done = subprocess.run(
        [sys.executable, "-m", "grader", *map(str, words)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=PATIENCE_S,
    )
    return Typed(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few fruit of the simulated line, written by the command. Not to be changed."""
    folder = tmp_path_factory.mktemp("recordings") / "line"
    assert grader("simulate", folder, "--fruit", FRUIT, "--lanes", LANES, "--seed", 5).status == 0
    return folder


@pytest.fixture(scope="module")
def replayed(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of its replay. Not to be changed."""
    out = tmp_path_factory.mktemp("replayed")
    assert grader("replay", recording, "--out", out).status == 0
    return out


@pytest.fixture(scope="module")
def apples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of as many fruit as one needs to fit something to them. Not to be changed."""
    folder = tmp_path_factory.mktemp("recordings") / "apples"
    assert grader("simulate", folder, "--fruit", 14, "--lanes", LANES, "--seed", 6).status == 0
    return folder


@pytest.fixture
def copied(recording: Path, tmp_path: Path) -> Path:
    """A copy of the recording to break."""
    return Path(shutil.copytree(recording, tmp_path / "copy"))


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as text:
        return list(csv.DictReader(text))


def cups_of(table: Path) -> list[tuple[int, int]]:
    return [(int(row["lane"]), int(row["cup"])) for row in rows_of(table)]


# Recordings


def test_every_simulated_fruit_has_its_row_and_no_other(recording: Path, replayed: Path) -> None:
    assert cups_of(replayed / "fruit.csv") == sorted(cups_of(recording / "truth.csv"))
    assert len(cups_of(replayed / "fruit.csv")) == FRUIT


def test_a_second_replay_gives_the_same_bytes_and_check_agrees(recording: Path, replayed: Path, tmp_path: Path) -> None:
    again = grader("replay", recording, "--out", tmp_path, "--check", replayed / "fruit.csv")
    assert again.status == 0, again
    assert (tmp_path / "fruit.csv").read_bytes() == (replayed / "fruit.csv").read_bytes()


def test_check_names_each_planted_difference(recording: Path, replayed: Path, tmp_path: Path) -> None:
    rows = rows_of(replayed / "fruit.csv")
    gone, larger, better, elsewhere = rows[0], rows[1], rows[2], {**rows[3], "cup": "77"}
    measured_mm = larger["diameter_mm"]
    larger["diameter_mm"] = f"{float(measured_mm) + 1.0:.2f}"
    given = better["grade"]
    better["grade"] = "Splendid"
    expected = tmp_path / "expected.csv"
    with expected.open("w", newline="") as text:
        table = csv.DictWriter(text, rows[0].keys())
        table.writeheader()
        table.writerows([larger, better, *rows[3:], elsewhere])

    said = grader("replay", recording, "--out", tmp_path / "out", "--check", expected)

    assert said.status == 1
    lines = said.out.splitlines()

    def names(row: dict[str, str], *facts: str) -> bool:
        fruit = f"lane {row['lane']} cup {row['cup']}"
        return any(fruit in line and all(fact in line for fact in facts) for line in lines)

    assert names(gone), said.out
    assert names(elsewhere), said.out
    assert names(larger, "diameter_mm", measured_mm, larger["diameter_mm"]), said.out
    assert names(better, "grade", given, "Splendid"), said.out


def test_converting_there_and_back_keeps_every_picture_row_and_decision(
    recording: Path, replayed: Path, tmp_path: Path
) -> None:
    packed, back = tmp_path / "line.packed", tmp_path / "back"
    assert grader("convert", recording, packed).status == 0
    assert grader("convert", packed, back).status == 0
    pictures = sorted((recording / "frames").iterdir())
    assert len(pictures) > 20
    for picture in pictures:
        there, here = cv2.imread(str(picture)), cv2.imread(str(back / "frames" / picture.name))
        assert np.array_equal(there, here), picture.name
    for table in ("frames.csv", "weights.csv", "spectra.csv", "index.csv", "truth.csv"):
        assert rows_of(back / table) == rows_of(recording / table), table
    assert grader("replay", packed, "--out", tmp_path / "out").status == 0
    assert (tmp_path / "out" / "fruit.csv").read_bytes() == (replayed / "fruit.csv").read_bytes()


def test_a_packed_recording_that_was_cut_short_still_gives_a_row_for_every_fruit(
    recording: Path, tmp_path: Path
) -> None:
    whole, cut = tmp_path / "whole.packed", tmp_path / "cut.packed"
    assert grader("convert", recording, whole).status == 0
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    said = grader("replay", cut, "--out", tmp_path)

    assert said.status == 0
    assert "cut short" in said.err
    rows = cups_of(tmp_path / "fruit.csv")
    assert len(rows) == len(set(rows)) > 0
    assert set(rows) <= set(cups_of(recording / "truth.csv"))


def test_pictures_that_could_not_be_used_are_said_by_what_is_wrong_with_them(recording: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt"
    shutil.copytree(recording, spoilt)
    gone, cut, *_ = sorted((spoilt / "frames").iterdir())[3:]
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:-2000])

    said = grader("replay", spoilt, "--out", tmp_path / "out")

    assert said.status == 0
    assert "2 of" in said.err and "1 missing" in said.err and "1 cut short" in said.err, said.err
    assert set(cups_of(tmp_path / "out" / "fruit.csv")) == set(cups_of(recording / "truth.csv"))


def test_of_two_cameras_the_one_above_the_belt_is_looked_through_and_that_is_said(
    recording: Path, replayed: Path, tmp_path: Path
) -> None:
    two = tmp_path / "two"
    shutil.copytree(recording, two)
    written = (two / "recording.toml").read_text()
    top = written[written.index("[cameras.top]") :].split("\n\n")[0]
    side = top.replace("cameras.top", "cameras.side")
    (two / "recording.toml").write_text(written.replace(top, f"{side}\n\n{top}"))
    frames = rows_of(two / "frames.csv")
    with (two / "frames.csv").open("a", newline="") as table:
        csv.DictWriter(table, frames[0]).writerows({**row, "camera": "side"} for row in frames[10:12])

    said = grader("replay", two, "--out", tmp_path / "out")

    assert said.status == 0
    assert "side, top" in said.err and "top shows alone" in said.err
    assert (tmp_path / "out" / "fruit.csv").read_bytes() == (replayed / "fruit.csv").read_bytes()


@pytest.mark.parametrize(
    ("lang", "words"), [("en", ["blush share of the skin", "outlet"]), ("zh", ["着色面积比", "果面"])]
)
def test_a_fruit_is_explained_by_its_values_its_views_and_its_whole_skin(
    recording: Path, replayed: Path, tmp_path: Path, lang: str, words: list[str]
) -> None:
    row = next(row for row in rows_of(replayed / "fruit.csv") if not row["flags"])
    picture = tmp_path / "pictures" / "fruit.png"
    found = grader("explain", recording, row["lane"], row["cup"], "--out", picture, "--lang", lang)
    assert found.status == 0, found.err
    for part in (*words, row["diameter_mm"], row["blush_fraction"], row["grade"], picture):
        assert str(part) in found.out, f"{part} in {found.out}"
    drawn = cv2.imread(str(picture))
    assert drawn is not None and drawn.shape[0] > 500
    skin = drawn[-300:-100].reshape(-1, 3).astype(int)
    assert (skin[:, 2] > skin[:, 0] + 40).mean() > 0.8, "apples are red and yellow all over their map"


def test_what_cannot_be_explained_is_one_sentence(recording: Path, replayed: Path, tmp_path: Path) -> None:
    row = rows_of(replayed / "fruit.csv")[0]
    empty = grader("explain", recording, 0, 400, "--out", tmp_path / "fruit.png")
    assert empty.status == 1 and "no fruit was in lane 0 cup 400" in empty.err
    nameless = grader("explain", recording, row["lane"], row["cup"], "--out", tmp_path / "fruit.nothing")
    assert nameless.status == 1 and "name one that ends in .png" in nameless.err
    assert "Traceback" not in empty.err + nameless.err


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_where_blush_ends_is_found_from_marked_fruit_and_what_is_printed_goes_into_the_sheet(
    apples: Path, tmp_path: Path, lang: str
) -> None:
    sheet, skins = tmp_path / "ours.toml", tmp_path / "pictures" / "skins.png"
    sheet.write_bytes(preset_path("house_default").read_bytes() + b"\n[blush]\nto_deg = 61\n")
    assert grader("replay", apples, "--out", tmp_path / "ours", "--sheet", sheet).status == 0
    marked = tmp_path / "ours" / "fruit.csv"  # the best of graders: who says it as the sheet does

    found = grader("calibrate", "blush", apples, marked, "--out", skins, "--lang", lang)

    assert found.status == 0, found.err
    lines = found.out.splitlines()
    at = lines.index("    [blush.varieties]")
    assert float(lines[at + 1].split("=")[1]) == pytest.approx(61.0, abs=0.5)
    assert cv2.imread(str(skins)) is not None
    sheet.write_bytes(preset_path("house_default").read_bytes() + "\n".join(["", *lines[at : at + 2], ""]).encode())
    again = grader("replay", apples, "--out", tmp_path / "again", "--sheet", sheet, "--check", marked)
    assert again.status == 0, again.out


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("lane,cup\n0,1\n", "marked.csv:1: has no column blush_fraction"),
        ("lane,cup,blush_fraction\n{at},60\n", "blush_fraction is 60 (give shares from 0 to 1: 60 % is 0.6)"),
        ("lane,cup,blush_fraction\n{at},0.5\n{at},0.5\n", "is marked twice (leave one of the two)"),
        ("lane,cup,blush_fraction\n" + "".join(f"0,{cup},0.5\n" for cup in range(900, 910)), "no fruit was seen there"),
        ("lane,cup,blush_fraction\n{at},0.5\n", "1 fruit are marked (mark 10 or more)"),
        ("lane,cup,blush_fraction\n{at},\n", "0 fruit are marked"),
        ("lane,cup,blush_fraction,flags\n{at},0.5,nice\n", "flags has the unknown 'nice'"),
    ],
)
def test_marks_that_cannot_be_used_are_named(recording: Path, tmp_path: Path, table: str, words: str) -> None:
    marked = tmp_path / "marked.csv"
    lane, cup = cups_of(recording / "truth.csv")[0]
    marked.write_text(table.replace("{at}", f"{lane},{cup}"))
    _assert_one_sentence(grader("calibrate", "blush", recording, marked), 1, words)


def test_the_stations_own_shares_are_nobodys_word_and_a_name_of_no_picture_is_refused_at_once(
    apples: Path, tmp_path: Path
) -> None:
    assert grader("replay", apples, "--out", tmp_path / "out").status == 0
    own = tmp_path / "out" / "fruit.csv"
    _assert_one_sentence(
        grader("calibrate", "blush", apples, own), 1, "is what the station measures, and nobody's word"
    )
    nameless = grader("calibrate", "blush", apples, own, "--out", tmp_path / "skins.nothing")
    _assert_one_sentence(nameless, 1, "name one that ends in .png")


def test_summary_says_by_hash_what_decided(replayed: Path) -> None:
    summary = json.loads((replayed / "summary.json").read_text())
    assert summary["fruit"] == FRUIT
    assert set(summary["hashes"]) >= {"recording", "sheet", "sugar"}


# check


def test_check_finds_nothing_wrong_with_good_files(recording: Path) -> None:
    said = grader("check", recording, *map(preset_path, preset_names()))
    assert said.status == 0, said
    assert said.out.count("✓") == 1 + len(preset_names())


def test_check_names_file_line_and_entry_of_every_mistake_in_a_sheet(tmp_path: Path) -> None:
    lines = preset_path("house_default").read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("blush_fraction"))
    lines[at] = "blush_fracton     = { min = 0.65 }"
    band = next(number for number, line in enumerate(lines) if "80-85" in line)
    lines[band] = lines[band].replace("below = 85", "below = 86")  # the next larger band begins at 85
    sheet = tmp_path / "[my] sheet.toml"
    sheet.write_text("\n".join(lines) + "\n")

    said = grader("check", sheet)

    assert said.status == 1
    assert f"{sheet}:{at + 1}: " in said.out and "blush_fracton" in said.out, said.out
    assert f'{sheet}:{band}: sizes "80-85" and "85+" overlap' in said.out, said.out


def test_check_names_file_and_row_of_what_is_no_number(copied: Path) -> None:
    weights = (copied / "weights.csv").read_text().splitlines()
    weights[2] = weights[2].rsplit(",", 1)[0] + ",heavy"
    (copied / "weights.csv").write_text("\n".join(weights) + "\n")
    said = grader("check", copied)
    assert "weights.csv:3: " in said.out and "mass_g" in said.out, said.out


def test_check_of_what_is_not_there_is_one_line_with_its_remedy(tmp_path: Path) -> None:
    for nowhere in (tmp_path / "nowhere", tmp_path / "nowhere.toml", tmp_path / "nowhere" / "recording.toml"):
        said = grader("check", nowhere)
        assert said.status == 1 and said.out.count("\n") == 1, said
        assert str(nowhere) in said.out and "(check the path)" in said.out, said


# What goes wrong is said in a sentence


def _million_lanes(folder: Path) -> None:
    text = (folder / "recording.toml").read_text()
    (folder / "recording.toml").write_text(text.replace(f"lanes = {LANES}\n", "lanes = 1000000\n", 1))


def _leaves_the_folder(folder: Path) -> None:
    text = (folder / "frames.csv").read_text()
    (folder / "frames.csv").write_text(text.replace("frames/000003.png", "../../000003.png"))


def _foreign_bytes(folder: Path) -> None:
    (folder / "frames.csv").write_bytes(bytes(range(256)) * 20)


@pytest.mark.parametrize(
    ("breaks", "named"),
    [
        (_million_lanes, "recording.toml:7: line.lanes"),
        (_leaves_the_folder, "frames.csv:5"),
        (_foreign_bytes, "frames.csv"),
        (lambda folder: (folder / "recording.toml").unlink(), "recording.toml"),
        (lambda folder: (folder / "recording.toml").write_text(""), "recording.toml"),
        (lambda folder: (folder / "frames.csv").unlink(), "frames.csv"),
    ],
    ids=["a million lanes", "a path that leaves", "foreign bytes", "no description", "nothing in it", "no frames"],
)
def test_a_recording_that_cannot_be_read_is_one_sentence(
    copied: Path, tmp_path: Path, breaks: Callable[[Path], object], named: str
) -> None:
    breaks(copied)
    said = grader("replay", copied, "--out", tmp_path / "out")
    _assert_one_sentence(said, 1, str(copied / named))


@pytest.mark.parametrize("bands", ['["nir"]', '["red", "nir"]'])
def test_a_recording_without_colours_is_refused_by_check_and_replay_alike(
    copied: Path, tmp_path: Path, bands: str
) -> None:
    text = (copied / "recording.toml").read_text()
    (copied / "recording.toml").write_text(text.replace('["blue", "green", "red"]', bands, 1))
    named = f"{copied / 'recording.toml'}:{text[: text.index('bands =')].count(chr(10)) + 1}: cameras.top.bands: "
    assert named in grader("check", copied).out
    _assert_one_sentence(grader("replay", copied, "--out", tmp_path / "out"), 1, named)


def test_a_sheet_that_sends_to_outlets_that_the_recorded_line_lacks_is_refused(copied: Path, tmp_path: Path) -> None:
    with (copied / "recording.toml").open("a") as manifest:
        manifest.write("\n[gates]\noutlets = 1\n")
    said = grader("replay", copied, "--out", tmp_path / "out")
    _assert_one_sentence(said, 1, f"{preset_path('house_default')}:")
    assert "there is no outlet 2 (the line has outlet 1 alone)" in said.err, said


def test_a_replay_shows_what_looks_wrong_in_its_sheet(copied: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.toml"
    text = preset_path("house_default").read_text()
    sheet.write_text(text.replace('["75-80", "70-75"]', '["75-80"]'))
    said = grader("replay", copied, "--out", tmp_path / "out", "--sheet", sheet)
    assert said.status == 0 and f"! {sheet}:" in said.err, said
    assert 'no product takes "Premium" of 70-75: its fruit goes to the default outlet' in said.err, said


def test_a_recording_without_a_camera_is_one_sentence(copied: Path, tmp_path: Path) -> None:
    text = (copied / "recording.toml").read_text()
    start = text.index("[cameras.top]")
    end = text.index("\n[", start)
    (copied / "recording.toml").write_text(text[:start] + text[end:])
    (copied / "frames.csv").write_text("camera,sequence,pulse,t_ns,file\n")
    _assert_one_sentence(grader("replay", copied, "--out", tmp_path / "out"), 1, "cameras: there is no camera")


def test_a_replay_that_finds_no_fruit_says_so(copied: Path, tmp_path: Path) -> None:
    text = (copied / "recording.toml").read_text()
    (copied / "recording.toml").write_text(text.replace("[line]", "[line]\nfirst_cup = 1000", 1))
    for table in ("weights.csv", "spectra.csv"):
        (copied / table).write_text((copied / table).read_text().split("\n", 1)[0] + "\n")
    said = grader("replay", copied, "--out", tmp_path / "out")
    assert said.status == 0 and "no fruit was found" in said.err, said


@pytest.mark.parametrize(
    ("words", "status", "named"),
    [
        ("replay {tmp}/nowhere --out {tmp}/out", 1, "{tmp}/nowhere"),
        ("replay {empty_file} --out {tmp}/out", 1, "{empty_file}"),
        ("replay {tmp} --out {tmp}/out", 1, "{tmp}/recording.toml"),
        ("replay {recording} --out {empty_file}", 1, "{empty_file}"),
        ("replay {recording} --out {tmp}/out --sheet nobodys", 1, "nobodys"),
        ("replay {recording} --out {tmp}/out --sheet {tmp}", 1, "{tmp}"),
        ("replay {recording} --out {tmp}/out --sheet {empty_file}", 1, "{empty_file}"),
        ("replay {recording} --out {tmp}/out --check {tmp}/nowhere.csv", 1, "{tmp}/nowhere.csv"),
        ("replay {recording} --out {tmp}/out --check {empty_file}", 1, "{empty_file}"),
        ("replay {recording} --out {tmp}/out --sheet {pipe}", 1, "{pipe}"),
        ("replay {recording} --out {tmp}/out --check {pipe}", 1, "{pipe}"),
        ("replay {recording}", 2, "--out"),
        ("run --lanes 99", 2, "--lanes"),
        ("run --lanes many", 2, "--lanes"),
        ("run --level silly", 2, "silly"),
        ("run --headless --out {tmp}/run --sheet nobodys", 1, "nobodys"),
        ("run --headless --out {empty_file}", 1, "{empty_file}"),
        ("run --headless --out {used}", 1, "{used}"),
        ("run --headless --lanes 1 --out {tmp}/run --station {no_core}", 1, "{no_core}: service.cores"),
        ("simulate {tmp}/line --fruit 1 --seed -1", 2, "--seed"),
        ("simulate {recording} --fruit 1", 1, "{recording}"),
        ("simulate {empty_file}/line --fruit 1", 1, "{empty_file}/line"),
        ("convert {tmp}/nowhere {tmp}/x.packed", 1, "{tmp}/nowhere"),
        ("convert {recording} {empty_file}", 1, "{empty_file}"),
        ("calibrate salt", 2, "salt"),
        ("calibrate blush {recording} {tmp}/nowhere.csv", 1, "{tmp}/nowhere.csv"),
        ("calibrate blush {recording} {empty_file}", 1, "{empty_file}"),
        ("bench --json {empty_file}/numbers.json", 1, "{empty_file}"),
        ("harvest", 2, "harvest"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    recording: Path, tmp_path: Path, words: str, status: int, named: str
) -> None:
    empty_file = tmp_path / "empty [1]"
    empty_file.touch()
    pipe, used = tmp_path / "pipe.toml", tmp_path / "used"
    os.mkfifo(pipe)
    used.mkdir()
    (used / "journal.sqlite").write_text("no journal at all, but a file of that name")
    no_core = tmp_path / "station.toml"
    no_core.write_text("[service]\ncores = [5000]\n")
    places = {"recording": recording, "empty_file": empty_file, "pipe": pipe, "used": used, "tmp": tmp_path}
    places["no_core"] = no_core
    said = grader(*(word.format(**places) for word in words.split()))
    _assert_one_sentence(said, status, named.format(**places))


def _assert_one_sentence(said: Typed, status: int, named: str) -> None:
    assert said.status == status, said
    assert named in said.err, said
    sentence = said.err.strip()
    assert sentence.startswith("✗ ") and "\n" not in sentence and "Traceback" not in sentence, said.err


@pytest.mark.parametrize("words", ["run --headless --lot {0}", "check {0}", "simulate /tmp/{0}", "run --sheet={0}"])
def test_a_word_that_is_no_text_is_a_usage_error(words: str) -> None:
    gbk = "果".encode("gbk")
    said = grader(*(os.fsdecode(os.fsencode(word).replace(b"{0}", gbk)) for word in words.split()))
    _assert_one_sentence(said, 2, "is not UTF-8 text: set the terminal to UTF-8")
    assert "--lot" in said.err or "--lot" not in words


def test_convert_says_what_its_source_has_lost(recording: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.packed", tmp_path / "cut.packed"
    assert grader("convert", recording, whole).err == ""
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    said = grader("convert", cut, tmp_path / "copy")
    assert said.status == 0 and f"{cut}: has no end: it was cut short" in said.err, said


# A command that is broken off


@pytest.mark.parametrize("name", ["line", "line.packed"])
@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_simulation_that_is_stopped_leaves_nothing_and_says_so_in_a_word(
    tmp_path: Path, name: str, asked: signal.Signals
) -> None:
    said = _broken_off_at_work(tmp_path / name, lambda group: os.killpg(group, asked))
    assert (said.err, list(tmp_path.iterdir())) == ("✗ stopped\n", [])
    assert said.status in (130, -signal.SIGINT)  # a shell shows 130 for both


@pytest.mark.parametrize("name", ["line", "line.packed"])
def test_after_a_simulation_was_killed_the_next_says_how_to_go_on(tmp_path: Path, name: str) -> None:
    _broken_off_at_work(tmp_path / name, lambda group: os.kill(group, signal.SIGKILL))
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.part"]
    _assert_one_sentence(grader("simulate", tmp_path / name, "--fruit", 1), 1, "remove it")


def _broken_off_at_work(out: Path, break_off: Callable[[int], None]) -> Typed:
    """A simulation that is broken off once it has begun to write; break_off is told its group of processes."""
    words = ["simulate", out, "--fruit", 400, "--lanes", 2]
    process = subprocess.Popen(
        [sys.executable, "-m", "grader", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    part, deadline = out.with_name(f"{out.name}.part"), time.monotonic() + PATIENCE_S
    while not part.exists():
        assert process.poll() is None and time.monotonic() < deadline
    break_off(process.pid)
    shown, err = process.communicate(timeout=PATIENCE_S)
    return Typed(process.returncode, shown, err)


def test_a_simulation_that_the_disk_does_not_take_leaves_nothing(tmp_path: Path) -> None:
    most_bytes = 100_000  # of a file, less than a picture has
    done = subprocess.run(
        [sys.executable, "-m", "grader", "simulate", str(tmp_path / "line"), "--fruit", "6", "--lanes", "2"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=PATIENCE_S,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes)),
    )
    _assert_one_sentence(Typed(done.returncode, done.stdout, done.stderr), 1, "cannot be written: File too large")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_the_commands_are_loaded_says_so_in_a_word(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = subprocess.run(
        [sys.executable, "-m", "grader", "--help"],
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, "PYTHONPATH": str(tmp_path)},
        timeout=PATIENCE_S,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "✗ stopped\n")


# The line itself


def test_a_headless_run_sorts_every_fruit_where_it_was_sent_and_says_what_it_does_not_use(tmp_path: Path) -> None:
    station, out = tmp_path / "station.toml", tmp_path / "out"
    station.write_text("[line]\nlanes = 1\nfirst_cup = 100\n")
    said = grader(
        *("run", "--headless", "--minutes", 0.05, "--station", station, "--seed", 3, "--out", out, "--lang", "zh")
    )
    assert said.status == 0, said
    assert "批次 lot-1" in said.out
    _assert_books_agree(out)
    assert f"! {station}:3: warning: " in said.err and "does not use line.first_cup" in said.err, said


def test_ctrl_c_drains_closes_the_gates_and_prints_the_lot(tmp_path: Path) -> None:
    with _terminal("run", "--lanes", 1, "--out", tmp_path, "--lot", "Orchard 7") as terminal:
        terminal.read_until(lambda: _fruit_in(tmp_path / "journal.sqlite") >= 12)
        terminal.type(b"\x03")
        status = terminal.read_to_the_end()

    assert status == 0, terminal.text
    assert "DRAINING" in terminal.text
    board = re.findall(r"gate board: (\d+) commands pending, (\d+) gates open", terminal.text)
    assert board[-1] == ("0", "0")
    assert "Lot Orchard 7" in terminal.text and "fruit landed where they were sent (100.0000%)" in terminal.text
    assert "Traceback" not in terminal.text
    _assert_books_agree(tmp_path)


def test_a_fault_is_reset_by_a_key_pressed_twice_and_two_growers_get_their_own_packout(tmp_path: Path) -> None:
    scenario, out = tmp_path / "scenario.toml", tmp_path / "out"
    scenario.write_text('[[fault]]\nkind = "emergency_stop"\nat_s = 2.0\nfor_s = 1.0\n')
    words = ("run", "--lanes", 1, "--out", out, "--scenario", scenario, "--lot", "17", "--grower", "Li")
    with _terminal(*words) as terminal:
        before = terminal.modes
        terminal.read_until(lambda: "Hands off the gates! Then press R" in terminal.text)
        assert terminal.modes != before
        while "✓ The fault is reset" not in terminal.text:  # the stop is held for a second
            terminal.type(b"R")
            once_more = time.monotonic() + SAME_PRESS_S + 0.3
            terminal.read_until(lambda until=once_more: time.monotonic() > until)
        assert "RESET? Gates will move again" in terminal.text
        fruit = _fruit_in(out / "journal.sqlite")
        assert grader("order", "open-lot", "18", "--grower", "Wang", "--start", "now", "--out", out).status == 0
        terminal.read_until(lambda: _fruit_in(out / "journal.sqlite") >= fruit + 40)
        shown = grader("order", "show", "--out", out)
        assert shown.status == 0 and "✓ RUNNING" in shown.out and "18 (Wang)" in shown.out, shown
        terminal.type(b"l")
        terminal.read_until(lambda: "L: English" in terminal.text)
        terminal.type(b"\x03")
        status = terminal.read_to_the_end()
        assert terminal.modes == before, "the terminal is as it was"

    assert status == 0, terminal.text
    assert re.search(r"批次 17（货主 Li）：\d+ 果", terminal.text) and "批次 18（货主 Wang）" in terminal.text
    kinds = [written.event.kind for written in read_events(out / "journal.sqlite")]
    assert kinds.count(EventKind.FAULT) == kinds.count(EventKind.RESET) == 1
    by_lot = json.loads((out / "summary.json").read_text())["by_lot"]
    assert [(lot["name"], lot["grower"]) for lot in by_lot] == [("17", "Li"), ("18", "Wang")]
    assert [lot["fruit"] for lot in by_lot] == [
        sum(row["lot"] == lot["name"] for row in rows_of(out / "fruit.csv")) for lot in by_lot
    ]


def test_a_headless_run_tells_a_fault_at_once_and_ends_with_what_to_do(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text('[[fault]]\nkind = "emergency_stop"\nat_s = 1.0\nfor_s = 1.0\n')
    said = grader(
        "run", "--headless", "--minutes", 0.05, "--lanes", 1, "--out", tmp_path / "out", "--scenario", scenario
    )
    assert said.status == 1
    faulted = [line for line in said.out.splitlines() if line.startswith("FAULTED")]
    assert faulted and "The emergency stop is pressed." in faulted[0]
    assert said.err.startswith("✗ The emergency stop is pressed.\n1. Find out why it was pressed."), said.err
    assert f"Start again: grader run --out {tmp_path}/out" in said.err


def _assert_books_agree(out: Path) -> None:
    """Rows, landings, journal and gates tell one story."""
    verdict = json.loads((out / "referee.json").read_text())
    rows = rows_of(out / "fruit.csv")
    assert len(rows) == verdict["landed"] == verdict["as_decided"] > 0
    assert not verdict["misses"] and not verdict["never_landed"]
    assert {row["gate_outcome"] for row in rows if row["outlet"] != "0"} == {"fired"}
    assert [(record.lane, record.cup) for record in read_fruit(out / "journal.sqlite")] == cups_of(out / "fruit.csv")
    sent = [outcome for outcome in read_outcomes(out / "journal.sqlite") if outcome.fired_pulse is not None]
    assert len(sent) == sum(row["outlet"] != "0" for row in rows)


def _fruit_in(journal: Path) -> int:
    try:
        return len(read_fruit(journal))
    except JournalError:  # not there yet
        return 0


class _Terminal:
    """A terminal window with a command in it: what it shows is kept, what is typed goes in."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self._process, self._screen = process, screen
        self._shown = b""
        self._deadline = time.monotonic() + PATIENCE_S

    @property
    def text(self) -> str:
        """All that was shown, in its order, without colours and cursor moves."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._shown.decode(errors="replace"))

    @property
    def modes(self) -> list[object]:
        """How the terminal treats what is typed."""
        return termios.tcgetattr(self._screen)

    def type(self, keys: bytes) -> None:
        os.write(self._screen, keys)

    def read_until(self, done: Callable[[], bool]) -> None:
        while not done():
            assert self._read(), f"the command ended early:\n{self.text}"

    def read_to_the_end(self) -> int:
        while self._read():
            pass
        return self._process.wait(PATIENCE_S)

    def _read(self) -> bool:
        """What it shows within a moment; False when the command has ended."""
        assert time.monotonic() < self._deadline, f"the command hangs:\n{self.text[-2000:]}"
        if select.select([self._screen], [], [], 0.1)[0]:
            try:
                shown = os.read(self._screen, 65536)
            except OSError:  # Linux: nobody is at the other end any more
                return False
            self._shown += shown
            return bool(shown)
        return True


@contextmanager
def _terminal(*words: object) -> Iterator[_Terminal]:
    """A command in a terminal window of 100 x 30; whatever happens, it does not outlive the test."""
    screen, keyboard = pty.openpty()
    fcntl.ioctl(keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "grader", *map(str, words)],
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
        env={**ENVIRONMENT, "TERM": "xterm-256color"},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C reaches it as from a keyboard
    )
    os.close(keyboard)
    try:
        yield _Terminal(process, screen)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(screen)


# Journals


def a_journal(path: Path, *, written_days_ago: float = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    installation = Installation(
        fruit="apple",
        line=Line(lanes=1, pulses_per_cup=96, mm_per_pulse=1.0, cups_per_second=12.0),
        cameras={},
    )
    run = RunInfo(started_wall_s=0.0, versions={}, hashes={}, installation=installation)
    open_journal(path, run).close()
    os.utime(path, (time.time() - written_days_ago * 86_400,) * 2)
    return path


def test_a_backup_says_what_it_copied_in_the_operators_language(tmp_path: Path) -> None:
    journal = a_journal(tmp_path / "journal.sqlite")
    said = grader("backup", journal, "--to", tmp_path / "copy.sqlite", "--lang", "zh")
    assert said.status == 0, said
    assert re.fullmatch(r"✓ .*copy\.sqlite：0 果，[\d.]+ kB，已通读校验\n", said.out)
    assert read_fruit(tmp_path / "copy.sqlite") == []
    said = grader("backup", tmp_path / "missing.sqlite", "--to", tmp_path / "copy.sqlite")
    assert (said.status, said.err) == (1, f"✗ {tmp_path}/missing.sqlite: there is no journal\n")


def test_prune_says_what_it_removes_and_what_stays_and_why(tmp_path: Path) -> None:
    old, newest = (a_journal(tmp_path / f"{days}" / "journal.sqlite", written_days_ago=days) for days in (90, 40))
    asked = ("prune", tmp_path, "--keep-days", 30, "--lang", "en")
    would = grader(*asked, "--dry-run")
    assert (would.status, old.exists()) == (0, True)
    assert would.out.startswith(f"would be removed: {old}, ")
    assert f"! stays: {newest}: it is the newest journal\n" in would.out
    done = grader(*asked)
    assert (done.status, old.exists(), newest.exists()) == (0, False, True)
    assert done.out.startswith(f"removed: {old}, ")
    assert grader("prune", tmp_path, "--lang", "en").status == 2
