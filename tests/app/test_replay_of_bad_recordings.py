"""A recording that went wrong gives a named error, or every fruit its row, and each row that came out otherwise a flag.

Held against the truth of the simulated line and against the replay of the sound recording.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from grader.app.replay import Replayed, replay
from grader.domain.decisions import FruitRecord
from grader.domain.flags import Flag
from grader.errors import BadRecording
from grader.storage.recordings import RecordingWriter, read_truth, validate
from hardware.sim.line import LineSettings, SimulatedLine
from hardware.sim.simulate import simulate
from hardware.sim.varieties import VARIETIES

Cell = dict[str, str]
Change = Callable[[list[Cell]], list[Cell]]
SAME_MM, SAME_BLUSH, SAME_G = 1.0, 0.04, 3.0
"""A flag is asked for where a value is farther from that of the sound recording."""


@pytest.fixture(scope="module", params=["with a scale", "without"])
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording that nothing is wrong with. Not to be changed."""
    folder = tmp_path_factory.mktemp("sound") / "line"
    line = SimulatedLine(LineSettings(seed=3, fruit=12, lanes=2))
    with RecordingWriter(folder, line.installation) as recording:
        simulate(line.settings, recording, lambda share: None)
    if request.param == "without":
        (folder / "weights.csv").unlink()
        (folder / "spectra.csv").unlink()
        text = (folder / "recording.toml").read_text()
        (folder / "recording.toml").write_text(text[: text.index("[spectrometers]")])
    return folder


@pytest.fixture(scope="module")
def sound_rows(sound: Path) -> dict[tuple[int, int], FruitRecord]:
    found = replay(sound)
    assert not found.warnings
    assert not validate(sound)
    assert by_cup(found).keys() == fruit_in(sound)
    return by_cup(found)


@pytest.fixture
def copied(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "line"))


def fruit_in(folder: Path) -> set[tuple[int, int]]:
    return {(int(row["lane"]), int(row["cup"])) for row in read_truth(folder)}


def by_cup(replayed: Replayed) -> dict[tuple[int, int], FruitRecord]:
    return {(record.lane, record.cup): record for record in replayed.records}


def frames_of(folder: Path) -> list[Cell]:
    with (folder / "frames.csv").open(newline="") as text:
        return list(csv.DictReader(text))


def change_frames(folder: Path, change: Change) -> None:
    rows = change(frames_of(folder))
    with (folder / "frames.csv").open("w", newline="") as text:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def pulses(new: Callable[[int, int], int]) -> Change:
    """new: (place in the file, pulse) to the pulse that is told."""
    return lambda rows: [{**row, "pulse": str(new(at, int(row["pulse"])))} for at, row in enumerate(rows)]


def without(first: int, last: int, *, counted_on: bool) -> Change:
    """Rows gone; counted_on: the camera did not count what it missed."""

    def change(rows: list[Cell]) -> list[Cell]:
        left = rows[:first] + rows[last:]
        return [{**row, "sequence": str(at)} for at, row in enumerate(left)] if counted_on else left

    return change


WEIGHED_OTHERWISE = Flag.NO_WEIGHT | Flag.BAD_WEIGHT | Flag.EXTRA_READING | Flag.PULSE_JUMP | Flag.OUT_OF_PLACE


def differs(record: FruitRecord, sound: FruitRecord) -> bool:
    """Whether a fruit came out otherwise, and no flag says why: any that it had not before for what the camera saw, one
    about weighing or about places for what it weighs."""

    def off(name: str) -> float:
        mine, other = record.values[name], sound.values[name]
        return 0.0 if mine is None and other is None else abs((mine or 0.0) - (other or 0.0))

    new = Flag(record.flags & ~sound.flags)
    # A fruit at the very edge of a class may cross it by less than what counts as the same.
    graded_else = record.grade != sound.grade and record.values == sound.values
    looks_else = graded_else or off("diameter_mm") > SAME_MM or off("blush_fraction") > SAME_BLUSH
    return (looks_else and not new) or (off("mass_g") > SAME_G and not new & WEIGHED_OTHERWISE)


def assert_kept(
    folder: Path, sound_rows: dict[tuple[int, int], FruitRecord], *, said: bool = True, in_their_cups: bool = True
) -> None:
    """Every fruit has a row, none is invented without a flag, none has come out otherwise without one."""
    replayed = replay(folder)
    rows = by_cup(replayed)
    assert sound_rows.keys() <= rows.keys() if in_their_cups else len(sound_rows) <= len(rows)
    assert all(rows[cup].flags for cup in rows.keys() - sound_rows.keys())
    assert not [cup for cup in sound_rows.keys() & rows.keys() if differs(rows[cup], sound_rows[cup])]
    if said:
        assert replayed.warnings
        assert validate(folder)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(pulses(lambda at, pulse: pulse // 2), id="half of the pulses"),
        pytest.param(pulses(lambda at, pulse: pulse * 9 // 10), id="a tenth missing"),
        pytest.param(pulses(lambda at, pulse: pulse * 21 // 20), id="a twentieth too many"),
        pytest.param(pulses(lambda at, pulse: 0), id="silent"),
        pytest.param(pulses(lambda at, pulse: pulse if at < 5 else 240), id="silent from the fifth on"),
    ],
)
def test_an_encoder_that_does_not_count_as_stated_is_an_error(copied: Path, change: Change) -> None:
    change_frames(copied, change)
    with pytest.raises(BadRecording, match=r"frames\.csv.*pulse"):
        replay(copied)
    assert any(problem.severity == "error" for problem in validate(copied))


@pytest.mark.parametrize("by", [24, 30, 40, 48, 60, 96, 200, -24, -40])
def test_an_encoder_that_slips_once_is_a_flag_on_the_fruit_that_are_then_on_the_belt(
    copied: Path, sound_rows: dict[tuple[int, int], FruitRecord], by: int
) -> None:
    change_frames(copied, pulses(lambda at, pulse: pulse if at < 15 else pulse + by))
    assert_kept(copied, sound_rows, said=abs(by) > 24, in_their_cups=by < 48)


@pytest.mark.parametrize("share", [0.97, 0.985, 0.99, 1.015])
def test_an_encoder_that_creeps_is_a_flag_once_it_matters(
    copied: Path, sound_rows: dict[tuple[int, int], FruitRecord], share: float
) -> None:
    change_frames(copied, pulses(lambda at, pulse: pulse if at < 18 else 864 + int((pulse - 864) * share)))
    assert_kept(copied, sound_rows, said=False)


@pytest.mark.parametrize(("first", "last"), [(10, 12), (10, 20)])
def test_an_encoder_that_is_silent_for_a_while_and_then_right_again_is_a_flag(
    copied: Path, sound_rows: dict[tuple[int, int], FruitRecord], first: int, last: int
) -> None:
    change_frames(copied, pulses(lambda at, pulse: first * 48 if first <= at < last else pulse))
    assert_kept(copied, sound_rows)


@pytest.mark.parametrize("counted_on", [False, True])
@pytest.mark.parametrize(("first", "last"), [(10, 13), (1, 10), (5, 30), (12, 34), (0, 10), (18, 99), (24, 99)])
def test_rows_that_are_gone_are_a_flag_on_the_fruit_they_showed(
    copied: Path, sound_rows: dict[tuple[int, int], FruitRecord], first: int, last: int, counted_on: bool
) -> None:
    change_frames(copied, without(first, last, counted_on=counted_on))
    assert_kept(copied, sound_rows)


@pytest.mark.parametrize(("first", "last"), [(10, 20), (0, 30), (5, 30), (0, 99)])
def test_pictures_that_are_gone_are_a_flag_on_the_fruit_they_showed(
    copied: Path, sound_rows: dict[tuple[int, int], FruitRecord], first: int, last: int
) -> None:
    for row in frames_of(copied)[first:last]:
        (copied / row["file"]).unlink()
    assert_kept(copied, sound_rows)


@pytest.mark.parametrize(("first", "last"), [(12, 13), (12, 16), (12, 26), (0, 10), (5, 99)])
def test_a_camera_that_gives_one_picture_again_and_again_is_a_flag(
    copied: Path, sound_rows: dict[tuple[int, int], FruitRecord], first: int, last: int
) -> None:
    rows = frames_of(copied)
    for row in rows[first + 1 : last + 1]:
        shutil.copy(copied / rows[first]["file"], copied / row["file"])
    assert_kept(copied, sound_rows)


@pytest.mark.parametrize("lost", ["colour", "light"])
def test_pictures_without_colour_or_light_are_damaged(
    copied: Path, sound_rows: dict[tuple[int, int], FruitRecord], lost: str
) -> None:
    for file in copied.glob("frames/*.png"):
        grey = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2GRAY)
        cv2.imwrite(str(file), cv2.merge([grey * (lost == "colour")] * 3))
    assert_kept(copied, sound_rows)


@pytest.mark.parametrize(
    "part",
    [np.s_[155:], np.s_[:155], np.s_[:, 640:], np.s_[100:200]],
    ids=["a lane", "the other", "half", "a stripe"],
)
@pytest.mark.parametrize("every", [1, 3])
def test_pictures_that_did_not_come_whole_are_damaged(
    copied: Path, sound_rows: dict[tuple[int, int], FruitRecord], part: tuple[slice, ...], every: int
) -> None:
    for row in frames_of(copied)[::every]:
        picture = cv2.imread(str(copied / row["file"]))
        picture[part] = 0
        cv2.imwrite(str(copied / row["file"]), picture)
    assert_kept(copied, sound_rows)


def test_pictures_of_one_grey_among_others_are_damaged(
    copied: Path, sound_rows: dict[tuple[int, int], FruitRecord]
) -> None:
    for row in frames_of(copied)[8:30:7]:
        picture = cv2.imread(str(copied / row["file"]))
        picture[:] = 120
        cv2.imwrite(str(copied / row["file"]), picture)
    assert_kept(copied, sound_rows)
    assert sum("did not come whole" in problem.text for problem in validate(copied)) == 4


@pytest.mark.parametrize("apart", [1, 2, 8])
def test_a_picture_that_two_rows_name_is_believed_in_neither(
    copied: Path, sound_rows: dict[tuple[int, int], FruitRecord], apart: int
) -> None:
    def change(rows: list[Cell]) -> list[Cell]:
        rows[12 + apart]["file"] = rows[12]["file"]
        return rows

    change_frames(copied, change)
    assert_kept(copied, sound_rows)


@pytest.mark.parametrize("apart", [1, 2, 8])
def test_a_picture_that_comes_again_under_another_name_is_known_again(
    copied: Path, sound_rows: dict[tuple[int, int], FruitRecord], apart: int
) -> None:
    rows = frames_of(copied)
    shutil.copy(copied / rows[12]["file"], copied / rows[12 + apart]["file"])
    assert_kept(copied, sound_rows)


@pytest.mark.parametrize(
    ("off", "said"), [(0, ""), (47, "half way between cups"), (96, "densities"), (10**6, "no cup")]
)
def test_a_scale_that_does_not_stand_where_it_is_said_to_is_told(tmp_path: Path, off: int, said: str) -> None:
    line = SimulatedLine(LineSettings(seed=4, fruit=24, lanes=2))
    with RecordingWriter(tmp_path / "line", line.installation) as recording:
        simulate(line.settings, recording, lambda share: None)
    table = tmp_path / "line" / "weights.csv"
    header, *rows = table.read_text().splitlines()
    cells = [row.split(",") for row in rows]
    moved = [",".join([lane, str(int(pulse) + off), *others]) for lane, pulse, *others in cells]
    table.write_text("\n".join([header, *moved, ""]))
    warnings = replay(tmp_path / "line").warnings
    assert said in " ".join(warnings) if off else not warnings


@pytest.mark.parametrize(("lanes", "variety", "seed"), [(8, "Gala", 2002), (12, "Fuji", 2008)])
def test_litter_in_empty_cups_is_no_fruit_and_no_fault_of_the_encoder(
    tmp_path: Path, lanes: int, variety: str, seed: int
) -> None:
    line = SimulatedLine(LineSettings(seed=seed, fruit=24, lanes=lanes, variety=VARIETIES[variety]))
    with RecordingWriter(tmp_path / "line", line.installation) as recording:
        simulate(line.settings, recording, lambda share: None)
    found = replay(tmp_path / "line")
    assert by_cup(found).keys() == fruit_in(tmp_path / "line")
    assert not found.warnings


def test_fruit_whose_colour_no_fruit_has_are_flagged_and_the_cause_is_guessed_at(
    copied: Path, sound_rows: dict[tuple[int, int], FruitRecord]
) -> None:
    for file in copied.glob("frames/*.png"):
        cv2.imwrite(str(file), cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB))
    assert_kept(copied, sound_rows, said=False)
    assert "red and blue" in " ".join(replay(copied).warnings)
