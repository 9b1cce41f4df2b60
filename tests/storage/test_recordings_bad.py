"""Bad recordings: a named error with file, row and remedy, or a frame with damage. Never a crash, never a hang."""

from __future__ import annotations

import os
import random
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import recordings_making as making

from grader.domain.frames import Frame
from grader.errors import BadRecording
from grader.storage.recordings import (
    PackedWriter,
    Problem,
    convert,
    new_recording,
    open_recording,
    read_truth,
    recording_sha256,
    validate,
)
from grader.storage.recordings.chunks import MAGIC, chunk_header
from grader.units import HostNs, Pulse


@pytest.fixture
def line(tmp_path: Path) -> Path:
    return making.folder(tmp_path / "line")


@pytest.fixture(autouse=True)
def no_thread_remains() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def line_number(file: Path, text: str) -> int:
    return next(at for at, row in enumerate(file.read_text().split("\n"), start=1) if text in row)


HEADER_FAULTS = [
    ("format = 1", "format = 2", "format"),
    ("format = 1", "format = 0x" + "f" * 5000, "format"),
    ("lanes = 2", "lanes = 1000000", "line.lanes"),
    ("lanes = 2", "lanes = 0", "line.lanes"),
    ("lanes = 2", "lanes = true", "line.lanes"),
    ("lanes = 2", "lanes = 1" + "0" * 30, "line.lanes"),
    ("lanes = 2", "lanes = 1" + "0" * 400, "line.lanes"),
    ("lanes = 2", "lanes = 0x" + "f" * 5000, "line.lanes"),
    ("lanes = 2", 'lanes = "2"', 'line.lanes: "2" cannot stand here'),
    ('transfer = "linear"', 'transfer = ""', 'cameras.side.transfer: "" is not one of "linear", "srgb"'),
    ("pulses_per_cup = 96", "pulses_per_cup = -96", "line.pulses_per_cup"),
    ("mm_per_pulse = 1.0", "mm_per_pulse = nan", "line.mm_per_pulse"),
    ("mm_per_pulse = 1.0", "mm_per_pulse = 0", "line.mm_per_pulse"),
    ("cups_per_second = 12.0", "cups_per_second = inf", "line.cups_per_second"),
    ("width_px = 40", "width_px = 1000000000", "cameras.top.width_px"),
    ("width_px = 40\nheight_px = 33", "width_px = 16384\nheight_px = 16384", "cameras.top.height_px"),
    ("mm_per_px = 3.0", 'mm_per_px = "0.8"', "cameras.top.mm_per_px"),
    ("mm_per_px = 3.0", "mm_per_px = 0.000001", "cameras.top.mm_per_px"),
    ("lane_pitch_px = 15.0", "lane_pitch_px = -15.0", "cameras.top.lane_pitch_px"),
    ("cup_zero_px = [0.0, 8.0]", "cup_zero_px = [0.0, nan]", "cameras.top.cup_zero_px"),
    ("cup_zero_px = [0.0, 8.0]", "cup_zero_px = [0.0]", "cameras.top.cup_zero_px"),
    ('bands = ["blue", "green", "red"]', 'bands = ["blue", "../../nir", "green", "red"]', "cameras.top.bands"),
    ('bands = ["blue", "green", "red"]', 'bands = ["blue", "red"]', "cameras.top.bands"),
    ('bands = ["blue", "green", "red"]', 'bands = ["blue", "blue", "green", "red"]', "cameras.top.bands"),
    ('transfer = "linear"', 'transfer = "gamma"', "cameras.side.transfer"),
    ("lanes = [0, 1]", "lanes = [0, 2]", "spectrometers.main.lanes"),
    ("wavelengths_nm = [600.0, 601.2, 602.25]", "wavelengths_nm = [600.0, 602.0, 601.0]", "main.wavelengths_nm"),
    ("[scale]", "[scale]\nzero_counts = [1]", "scale.zero_counts"),
    ("first_cup = [0, 4]", "first_cup = [0, 4, 8]", "lots[0].first_cup"),
    ('sha256 = "', 'checksum = "', "artefacts[0].sha256"),
    ("[scale]\n", "[[scale]]\n", "scale"),
]


@pytest.mark.parametrize(
    ("old", "new", "key"), HEADER_FAULTS, ids=[f"{key}-{new[-12:]}" for _, new, key in HEADER_FAULTS]
)
def test_an_impossible_header_is_refused_by_file_line_key_and_remedy(line: Path, old: str, new: str, key: str) -> None:
    file = line / "recording.toml"
    edit(file, old, new)
    # A key that is missing is named at the table that lacks it.
    row = line_number(file, "[[artefacts]]" if key == "artefacts[0].sha256" else new.rstrip("\n").split("\n")[-1])
    with pytest.raises(BadRecording) as caught:
        open_recording(line)
    assert (caught.value.file, caught.value.row) == (file, row)
    assert key in caught.value.problem and caught.value.remedy


def test_a_check_names_every_wrong_key_at_once(line: Path) -> None:
    wrong = {"line.lanes", "line.mm_per_pulse", "cameras.top.mm_per_px", "cameras.side.transfer"}
    one_each = {key: (old, new) for old, new, key in HEADER_FAULTS if key in wrong}
    for old, new in one_each.values():
        edit(line / "recording.toml", old, new)
    problems = validate(line)
    keys = [problem.text.split(":")[0] for problem in problems if problem.severity == "error"]
    assert wrong == set(one_each) and wrong <= set(keys)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe\x00garbage",
        b"format = 1\nfruit = \x80",
        b"x = [" + b"[" * 100_000,
        b"x = " + b"1" * 10_000,
        b"\0" * 99,
    ],
    ids=["empty", "binary", "not utf-8", "deep", "long number", "zeros"],
)
def test_a_header_that_is_no_toml_is_refused(line: Path, text: bytes) -> None:
    (line / "recording.toml").write_bytes(text)
    with pytest.raises(BadRecording, match=r"recording\.toml"):
        open_recording(line)


def test_unknown_keys_are_warnings_with_their_line(line: Path) -> None:
    edit(line / "recording.toml", "[scale]", "[scale]\ncolour = 'grey'")
    (warning,) = open_recording(line).warnings
    assert (
        "scale.colour" in warning and f"recording.toml:{line_number(line / 'recording.toml', 'colour =')}:" in warning
    )


ROW_FAULTS = [
    ("frames.csv", "top,0,0,0", "top,0,zero,0"),
    ("frames.csv", "top,0,0,0", "top,0,1_0,0"),
    ("frames.csv", "top,0,0,0", "top,0,9223372036854775808,0"),
    ("frames.csv", "top,0,0,0", "top,0,nan,0"),
    ("frames.csv", "top,0,0,0", "top,0.5,0,0"),
    ("frames.csv", "top,0,0,0", "nowhere,0,0,0"),
    ("frames.csv", "top,0,0,0", "top,0,0"),
    ("frames.csv", "top,0,0,0", "top,0,0,0,0"),
    ("frames.csv", "top,0,0,0", 'top,"0,0,0'),
    ("frames.csv", "000001.png,fruit", "000001.png,friut"),
    ("frames.csv", "frames/000001.png", "../line/frames/000001.png"),
    ("frames.csv", "frames/000001.png", "/etc/passwd"),
    ("frames.csv", "frames/000001.png", "frames/../../000001.png"),
    ("frames.csv", "frames/000001.png", "frames/00\0001.png"),
    ("frames.csv", "frames/000001.png", "..\\000001.png"),
    ("frames.csv", "frames/000001.png", "."),
    ("weights.csv", "0,0,0,150.1", "zero,0,0,150.1"),
    ("weights.csv", "0,0,0,150.1", "0,nan,0,150.1"),
    ("weights.csv", "0,0,0,150.1", "0,0"),
    ("spectra.csv", "0,0,0,sample", "0,,0,sample"),
    ("spectra.csv", "0,0,0,sample", "0,0,0,simple"),
    ("index.csv", "0,0", "0,x"),
    ("outcomes.csv", "fired,", "fell off,"),
    ("outcomes.csv", "0,0,3,0,96,0", "0,0,3,0,96,never"),
]


@pytest.mark.parametrize(("table", "old", "new"), ROW_FAULTS, ids=[f"{t}-{n[:20]!r}" for t, _, n in ROW_FAULTS])
def test_a_row_that_cannot_be_placed_is_refused_by_file_and_row(line: Path, table: str, old: str, new: str) -> None:
    row = line_number(line / table, old)
    edit(line / table, old, new)
    with pytest.raises(BadRecording) as caught:
        open_recording(line)
    assert (caught.value.file, caught.value.row) == (line / table, row)
    found = [problem for problem in validate(line) if problem.severity == "error"]
    assert [(problem.file, problem.row) for problem in found] == [(line / table, row)]


FOREIGN_FORMS = [
    (lambda text: text.replace(",", ";").encode(), "is separated by semicolons"),
    (lambda text: text.replace(",", "\t").encode(), "is separated by tabs"),
    (lambda text: b'\xef\xbb\xbf"' + text.replace(",", '";"').encode(), "is separated by semicolons"),
    (lambda text: text.encode("utf-16"), "is UTF-16"),
    (lambda text: b"\xfe\xff" + text.replace(",", "\t").encode("utf-16-be"), "is UTF-16"),
]


@pytest.mark.parametrize("table", ["frames.csv", "weights.csv"])
@pytest.mark.parametrize(("form", "named"), FOREIGN_FORMS)
def test_a_table_in_the_form_of_a_spreadsheet_is_told_how_to_save_it(
    line: Path, table: str, form: Callable[[str], bytes], named: str
) -> None:
    (line / table).write_bytes(form((line / table).read_text()))
    with pytest.raises(BadRecording, match=f"{table}: {named}.*save it as CSV UTF-8, separated by commas"):
        open_recording(line)


def test_an_empty_table_of_frames_wants_its_header_and_another_may_be_left_out(line: Path) -> None:
    (line / "weights.csv").write_bytes(b"")
    with pytest.raises(BadRecording, match=r"weights\.csv: is empty .*or leave the file out"):
        open_recording(line)
    (line / "frames.csv").write_bytes(b"")
    with pytest.raises(BadRecording, match=r"frames\.csv: is empty \(write its header\)"):
        open_recording(line)


@pytest.mark.parametrize("table", ["frames", "weights", "spectra", "index", "outcomes"])
def test_a_table_cut_anywhere_in_its_last_row_costs_that_row_alone_and_says_so(line: Path, table: str) -> None:
    """What a killed writer can leave. A row that only lacks its last value is whole by its cells: as any such row."""
    file = line / f"{table}.csv"
    data = file.read_bytes()
    start = data.rindex(b"\n", 0, -1) + 1
    row = data.count(b"\n")
    before = len(list(open_recording(line).tables[table].rows()))  # type: ignore[attr-defined]
    for at in range(start + 1, len(data)):
        file.write_bytes(data[:at])
        if table == "index" and data[:at].endswith(b","):
            with pytest.raises(BadRecording, match=rf"index\.csv:{row}: t_ns or pulse is no number"):
                open_recording(line)
            continue
        recording = open_recording(line)
        rows = [cells for _, cells in recording.tables[table].rows()]  # type: ignore[attr-defined]
        assert len(rows) in (before - 1, before)
        (warning,) = recording.warnings
        assert warning.startswith(f"{file}:{row}: ") and "cut short" in warning
        assert (len(rows) == before) == ("may be" in warning)
    file.write_bytes(data[:start])
    assert open_recording(line).warnings == ()


@pytest.mark.parametrize("value", ["nan", "inf", "-1e999", "", "12 g", "1_2", "\ufffd", "1e39x"])
def test_a_value_that_is_no_number_is_kept_as_nan(line: Path, value: str) -> None:
    edit(line / "weights.csv", "0,0,0,150.1", f"0,0,0,{value}")
    edit(line / "spectra.csv", "100.5,", f"{value},")
    recording = open_recording(line)
    assert len(recording.weighings) == len(recording.scans) == 4
    assert np.isnan(recording.weighings[0].mass_g)
    assert np.isnan(recording.scans[0].counts).tolist() == [True, False, False]


def test_a_scan_with_too_many_or_too_few_channels_is_kept_with_those_it_has(line: Path) -> None:
    edit(line / "spectra.csv", "100.5,3e+07,0.0", "1,2,3,4,5")
    assert [len(scan.counts) for scan in open_recording(line).scans] == [5, 2, 3, 3]


def test_a_reading_of_a_lane_that_is_not_there_is_left_out_with_a_warning(line: Path) -> None:
    edit(line / "weights.csv", "0,0,0,150.1", "2,0,0,150.1")
    edit(line / "spectra.csv", "1,48,", "-1,48,")
    recording = open_recording(line)
    assert len(recording.weighings) == len(recording.scans) == 3
    assert [warning.split("line/")[-1].split(": ")[0] for warning in recording.warnings] == [
        "weights.csv:2",
        "spectra.csv:3",
    ]


def test_rows_out_of_order_and_repeated_come_as_the_belt_brought_them_and_none_is_lost(line: Path) -> None:
    header, *rows = (line / "frames.csv").read_text().splitlines()
    random.Random(5).shuffle(rows)
    rows.append(rows[0])
    (line / "frames.csv").write_text("\n".join([header, *rows]) + "\n")
    in_file = [(row.split(",")[0], int(row.split(",")[1])) for row in rows if ",fruit," in row]
    assert {problem.severity for problem in validate(line)} == {"warning"}
    convert(line, line.with_suffix(".packed"))
    for path in (line, line.with_suffix(".packed")):
        recording = open_recording(path)
        assert [(frame.camera, frame.sequence) for frame in recording.pictures("fruit")] == in_file
        frames = [(frame.camera, frame.sequence, frame.pulse, frame.damage) for frame in recording.frames()]
        assert sorted((camera, sequence) for camera, sequence, _, _ in frames) == sorted(in_file)
        assert [pulse for _, _, pulse, _ in frames] == sorted(pulse for _, _, pulse, _ in frames)
        assert "out of order" in [damage for _, _, _, damage in frames]


@pytest.mark.parametrize(
    ("pulses", "sequences", "out_of_order"),
    [
        ([0, 48, 96, 144], [0, 1, 2, 3], []),
        ([0, 96, 48, 144], [0, 2, 1, 3], [1]),  # one of the two, not both
        ([0, 48, 10**12, 96, 144], [0, 1, 3, 4, 2], [2]),
        ([0, 48, -(10**12), 96, 144], [2, 0, 1, 3, 4], [2]),
        ([0, 48, 48, 96], [0, 1, 2, 3], []),  # repeated is not out of order
        ([], [], []),
    ],
    ids=["in order", "two swapped", "one wild", "one back", "repeated", "none"],
)
def test_the_fewest_rows_are_out_of_order(
    tmp_path: Path, pulses: list[int], sequences: list[int], out_of_order: list[int]
) -> None:
    with making.RecordingWriter(tmp_path / "line", making.installation()) as writer:
        for number, pulse in enumerate(pulses):
            writer.write_frame(making.frame(making.TOP, number, pulse=pulse))
    frames = [(f.sequence, f.damage, f.pixels is not None) for f in open_recording(tmp_path / "line").frames()]
    assert [sequence for sequence, _, _ in frames] == sequences
    assert [(sequence, there) for sequence, damage, there in frames if damage == "out of order"] == [
        (sequence, True) for sequence in out_of_order
    ]


def damage_of(line: Path) -> str:
    """Damage of the first picture of a fruit by camera `side`, which has a nir picture beside it."""
    frame = next(frame for frame in open_recording(line).frames() if frame.camera == making.SIDE)
    assert (frame.pixels is None) == bool(frame.damage)
    return frame.damage


def side_picture(line: Path) -> Path:
    return line / next(row.file for row in open_recording(line).frame_rows if row.camera == making.SIDE)


def claims_huge(picture: Path) -> None:
    """A sound-looking header that asks for 10^9 x 10^9 px."""
    data = bytearray(picture.read_bytes())
    data[16:24] = struct.pack(">II", 1_000_000_000, 1_000_000_000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    picture.write_bytes(data)


def make_pipe(picture: Path) -> None:
    picture.unlink()
    os.mkfifo(picture)


PICTURE_FAULTS: list[tuple[Callable[[Path], object], str]] = [
    (lambda picture: picture.unlink(), "missing"),
    (lambda picture: picture.write_bytes(b""), "cut short"),
    (lambda picture: picture.write_bytes(picture.read_bytes()[:-1]), "cut short"),
    (lambda picture: picture.write_bytes(picture.read_bytes()[:40]), "cut short"),
    (lambda picture: picture.write_bytes(b"lane,cup\n0,1\n" * 9), "not a picture"),
    (lambda picture: picture.write_bytes(bytes(1000)), "not a picture"),
    (lambda picture: picture.write_bytes(picture.read_bytes().replace(b"IDAT", b"IDAU")), "damaged"),
    (lambda picture: picture.write_bytes(bytes(3 << 20)), "too large for its camera"),
    (lambda picture: cv2.imwrite(str(picture), np.zeros((71, 24, 3), np.uint8)), "wrong size: 24 x 71, not 24 x 70"),
    (lambda picture: picture.with_suffix(".nir.png").unlink(), "nir: missing"),
    (lambda picture: picture.with_suffix(".nir.png").write_bytes(b"x"), "nir: cut short"),
    (claims_huge, "wrong size: 1000000000 x 1000000000, not 24 x 70"),
    (make_pipe, "not a file"),
]


@pytest.mark.parametrize(("spoil", "damage"), PICTURE_FAULTS, ids=[damage for _, damage in PICTURE_FAULTS])
def test_a_bad_picture_is_a_frame_with_damage_and_the_others_come(
    line: Path, spoil: Callable[[Path], object], damage: str
) -> None:
    spoil(side_picture(line))
    assert damage_of(line) == damage
    assert sum(frame.pixels is not None for frame in open_recording(line).frames()) == 6
    assert any(damage in problem.text for problem in validate(line))


@pytest.mark.parametrize("extra_band", [False, True])
def test_a_link_out_of_the_folder_is_refused(line: Path, tmp_path: Path, extra_band: bool) -> None:
    picture = side_picture(line)
    if extra_band:
        picture = picture.with_suffix(".nir.png")
    outside = tmp_path / "outside.png"
    picture.rename(outside)
    picture.symlink_to(outside)
    with pytest.raises(BadRecording, match=r"frames\.csv:\d+: .*inside the recording"):
        open_recording(line)


def test_a_link_inside_the_folder_is_followed(line: Path) -> None:
    picture = side_picture(line)
    picture.rename(line / "moved.png")
    picture.symlink_to(line / "moved.png")
    assert damage_of(line) == ""


@pytest.mark.parametrize("table", ["recording.toml", "frames.csv"])
def test_a_recording_without_its_parts_is_refused(line: Path, table: str) -> None:
    (line / table).unlink()
    with pytest.raises(BadRecording, match=table):
        open_recording(line)
    (line / table).mkdir()
    with pytest.raises(BadRecording, match=table):
        open_recording(line)


def test_a_pipe_in_the_place_of_a_recording_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "line.packed")
    for read in (open_recording, read_truth, recording_sha256):
        with pytest.raises(BadRecording, match="is not a file"):
            read(tmp_path / "line.packed")
    with pytest.raises(BadRecording, match="No such file"):
        open_recording(tmp_path / "nothing")


def test_a_file_that_is_no_recording_is_said_to_be_none(tmp_path: Path) -> None:
    table = tmp_path / "fruit.csv"
    table.write_text("lane,cup\n0,1\n" * 99)
    with pytest.raises(BadRecording, match=r"is no recording.*folder"):
        open_recording(table)
    assert [problem.text for problem in validate(table)] == ["is no recording, or was cut at its start"]


@pytest.mark.parametrize("part", ["recording.toml", "frames.csv", "truth.csv"])
def test_who_names_a_part_of_a_recording_is_told_its_folder(line: Path, part: str) -> None:
    with pytest.raises(BadRecording, match="is a part of a recording") as caught:
        open_recording(line / part)
    assert str(line) in caught.value.remedy


@pytest.mark.parametrize("packed", [False, True])
def test_a_recording_without_a_picture_says_so(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / ("line.packed" if packed else "line")
    with new_recording(path, making.installation()):
        pass
    (warning,) = open_recording(path).warnings
    assert "frames.csv: there is no picture" in warning
    assert [problem.text for problem in validate(path)] == ["there is no picture"]


def numbers(path: Path) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """(camera, sequence) of the frames that come whole, and of all."""
    whole, every = [], []
    for frame in open_recording(path).frames():
        every.append((frame.camera, frame.sequence))
        if frame.pixels is not None:
            assert np.array_equal(frame.pixels, making.pixels(frame.camera, frame.sequence))
            whole.append(every[-1])
    return whole, every


def frame_ends(path: Path) -> list[int]:
    """Where each frame of fruit ends in the file: from what a sound recording of ever fewer frames weighs."""
    data = path.read_bytes()
    starts = [at for at in range(len(data)) if data.startswith(MAGIC, at)] + [len(data)]
    return [after for at, after in pairwise(starts) if data[at + 8 : at + 12] == b"FRAM"][1:]


def test_a_packed_file_cut_anywhere_gives_back_all_whole_frames(tmp_path: Path) -> None:
    path, cut = making.packed(tmp_path / "line.packed", n_frames=2), tmp_path / "cut.packed"
    data, ends = path.read_bytes(), frame_ends(path)
    every = numbers(path)[0]
    assert len(every) == len(ends) == 4
    first = data.index(MAGIC, 1)
    places = {
        0,
        5,
        first - 1,
        first,
        *range(first, len(data), 397),
        *(end + by for end in ends for by in (-1, 0, 1, 31, 32, 33)),
    }
    for at in sorted(place for place in places if place < len(data)):
        cut.write_bytes(data[:at])
        if at < first:
            with pytest.raises(BadRecording):
                open_recording(cut)
            continue
        assert numbers(cut)[0] == every[: sum(end <= at for end in ends)], at
        assert any("has no end" in warning for warning in open_recording(cut).warnings), at


def test_a_copy_of_what_was_cut_does_not_pass_for_whole(tmp_path: Path) -> None:
    path, cut = making.packed(tmp_path / "line.packed"), tmp_path / "cut.packed"
    cut.write_bytes(path.read_bytes()[: frame_ends(path)[2]])
    said = convert(cut, tmp_path / "copy.packed")
    assert any("has no end" in warning for warning in said)
    assert any("has no end" in problem.text for problem in validate(tmp_path / "copy.packed"))


def test_a_packed_recording_whose_writing_failed_has_no_end(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no camera"), PackedWriter(tmp_path / "a.packed", making.installation()) as a:
        making.fill(a)
        a.write_frame(Frame("nowhere", 5, Pulse(0), HostNs(0), None))
    assert any("has no end" in warning for warning in open_recording(tmp_path / "a.packed").warnings)


def test_frames_can_be_read_while_the_writer_is_still_at_work(tmp_path: Path) -> None:
    """What a crash would leave: nothing that was written waits in the writer's own memory."""
    with PackedWriter(tmp_path / "line.packed", making.installation()) as writer:
        for number in range(3):
            writer.write_frame(making.frame(making.TOP, number))
            assert numbers(tmp_path / "line.packed")[0] == [(making.TOP, at) for at in range(number + 1)]
            (warning,) = open_recording(tmp_path / "line.packed").warnings
            assert "being written still" in warning


def test_damage_inside_a_packed_file_costs_one_chunk_only(tmp_path: Path) -> None:
    path, bad = making.packed(tmp_path / "line.packed", n_frames=3), tmp_path / "bad.packed"
    data = path.read_bytes()
    whole = numbers(path)[0]
    first = data.index(MAGIC, 1)
    generator = random.Random(3)
    for at in [first + 9, first + 40, *(generator.randrange(first, len(data)) for _ in range(60))]:
        flipped = bytearray(data)
        flipped[at] ^= 0xFF
        for spoiled in (bytes(flipped), data[:at] + data[at + 1 :], data[:at] + b"foreign bytes" + data[at:]):
            bad.write_bytes(spoiled)
            left = numbers(bad)[0]
            assert len(left) >= len(whole) - 1 and set(left) <= set(whole)
            recording = open_recording(bad)
            assert (
                recording.warnings or any(f.damage not in ("", "missing") for f in recording.frames()) or left == whole
            )


def chunk(kind: bytes, head: bytes, body: bytes = b"") -> bytes:
    return chunk_header(kind, head, body) + head + body


def frame_head(**other: object) -> bytes:
    import json

    head = {"columns": ["camera", "sequence", "pulse", "t_ns", "file"], "cells": ["top", "1", "48", "0", "a.png"]}
    return json.dumps(head | {"body": "pixels", "shape": [33, 40, 3]} | other).encode()


@pytest.mark.parametrize(
    "claims",
    [
        chunk(b"FRAM", frame_head(), b"no zstandard"),
        chunk(b"FRAM", frame_head(shape=[10**9, 10**9, 3]), b"x" * 50),
        chunk(b"FRAM", frame_head(shape=[-33, -40, 3]), b"x" * 50),
        chunk(b"FRAM", frame_head(shape=[0, 0, 0])),
        chunk(b"FRAM", frame_head(body="files", files={"": 10**18}), b"x"),
        chunk(b"FRAM", frame_head(body="files", files={"": -1, "nir": 2}), b"x"),
        chunk(b"FRAM", frame_head(body="files", files={"../../x": 1}), b"x"),
        chunk(b"FRAM", frame_head(), __import__("zstandard").compress(bytes(50_000_000))),
    ],
)
def test_huge_and_impossible_claims_of_a_packed_frame_are_damage(tmp_path: Path, claims: bytes) -> None:
    path = making.packed(tmp_path / "line.packed", n_frames=1)
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(MAGIC, 1)] + claims)
    (frame,) = open_recording(path).frames()
    assert frame.pixels is None and frame.damage
    convert(path, tmp_path / "back")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["back", "line.packed"]


def test_packed_pixels_of_other_bands_than_their_camera_are_refused_by_name_and_row(tmp_path: Path) -> None:
    path = making.packed(tmp_path / "line.packed", n_frames=2)
    data = path.read_bytes()
    manifest = data[data.index(b"format = 1") : data.index(MAGIC, 1)]
    other = manifest.replace(b'bands = ["blue", "green", "red"]', b'bands = ["blue", "green", "red", "nir"]')
    path.write_bytes(chunk(b"META", other) + data[data.index(MAGIC, 1) :])
    with pytest.raises(BadRecording, match=r"frames\.csv:2: a picture of 3 bands.*blue, green, red, nir"):
        convert(path, tmp_path / "back")
    assert any("wrong size: 40 x 33 x 3" in problem.text for problem in validate(path))


@pytest.mark.parametrize(
    "junk",
    [
        chunk(b"FRAM", b"\xff\xff"),
        chunk(b"FRAM", b"[" * 100_000),
        chunk(b"FRAM", b"{}"),
        chunk(b"ROWS", b'{"table":"../x","columns":["a"],"rows":[["1"]]}'),
        chunk(b"ROWS", b'{"table":"weights","columns":3,"rows":[]}'),
        chunk(b"WHAT", b"is this"),
        MAGIC + b"FRAM" + struct.pack("<IIII", 0xFFFFFFFF, 0xFFFFFFFF, 0, 0) + b"\0\0\0\0",
        MAGIC * 20_000,
        bytes(3_000_000),
    ],
    ids=["head", "deep head", "empty head", "table", "columns", "kind", "header", "magics", "zeros"],
)
def test_a_chunk_that_is_none_is_left_out_with_a_warning(tmp_path: Path, junk: bytes) -> None:
    path = making.packed(tmp_path / "line.packed", n_frames=1)
    expected = numbers(path)
    data = path.read_bytes()
    first = data.index(MAGIC, 1)
    path.write_bytes(data[:first] + junk + data[first:])
    assert numbers(path) == expected
    assert open_recording(path).warnings


def test_many_chunks_that_claim_the_whole_file_are_read_in_one_pass(tmp_path: Path) -> None:
    """Headers whose bodies overlap would take hours if each were believed or searched from anew."""
    head = b"x" * 4
    claim = MAGIC + b"FRAM" + struct.pack("<IIII", 4, 3_000_000, zlib.crc32(head), 0)
    path = making.packed(tmp_path / "line.packed", n_frames=1)
    liar = claim + struct.pack("<I", zlib.crc32(claim)) + head
    path.write_bytes(path.read_bytes() + liar * 20_000)
    assert len(numbers(path)[0]) == 2


def survives(path: Path, copy: Path) -> bool:
    """Everything that can be asked of a recording. False: it was refused; any other error is the test's."""
    problems = validate(path)
    assert all(isinstance(problem, Problem) for problem in problems)
    try:
        recording = open_recording(path)
    except BadRecording:
        assert any(problem.severity == "error" for problem in problems)
        return False
    assert sum(1 for _ in recording.frames()) == recording.n_frames
    try:
        convert(path, copy)
    except BadRecording:  # a truth.csv that no station reads, or a name that no disk takes
        return True
    assert open_recording(copy).n_frames == recording.n_frames
    return True


def spoiled(data: bytes, generator: random.Random) -> bytes:
    """One of: bytes flipped, cut out, repeated, foreign ones put in, the end cut, lines shuffled."""
    at = generator.randrange(len(data) + 1)
    to = min(at + generator.choice([1, 9, len(data)]), len(data))
    foreign = generator.choice(
        [generator.randbytes(9), b"\0", b'"', b"\xff", b",", b"\n", b"nan", b"=", b"[[", b"-1", b"9" * 30]
    )
    match generator.randrange(6):
        case 0:
            return data[:at] + bytes(byte ^ generator.randrange(256) for byte in data[at : at + 3]) + data[at + 3 :]
        case 1:
            return data[:at] + data[to:]
        case 2:
            return data[:to] + data[at:]
        case 3:
            return data[:at] + foreign + data[at:]
        case 4:
            return data[:at]
        case _:
            lines = data.split(b"\n")
            generator.shuffle(lines)
            return b"\n".join(lines)


@pytest.mark.parametrize(
    "part",
    ["recording.toml", "frames.csv", "weights.csv", "spectra.csv", "index.csv", "outcomes.csv", "truth.csv", "packed"],
)
def test_spoiled_bytes_are_refused_or_read_and_nothing_else(tmp_path: Path, part: str) -> None:
    generator = random.Random(part)
    path = (
        making.packed(tmp_path / "line.packed", n_frames=2)
        if part == "packed"
        else making.folder(tmp_path / "line", n_frames=2)
    )
    file = path if part == "packed" else path / part
    sound = file.read_bytes()
    read = 0
    for number in range(40):
        file.write_bytes(spoiled(sound, generator))
        read += survives(path, tmp_path / f"copy{number}.packed")
    assert read > 0  # not everything may be refused


def test_a_description_of_ten_thousand_unknown_tables_is_read_once_and_not_once_for_each(line: Path) -> None:
    file = line / "recording.toml"
    file.write_text(file.read_text() + "".join(f"[x{number}]\n" for number in range(10_000)))
    before_s = time.process_time()
    unknown = [problem for problem in validate(line) if "unknown key" in problem.text]
    assert time.process_time() - before_s < 20  # half a second; ten minutes, when each looked for its line
    assert len(unknown) == 10_000
    assert file.read_text().split("\n")[unknown[-1].row - 1] == "[x9999]"
