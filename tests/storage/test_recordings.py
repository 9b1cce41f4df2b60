"""What is recorded comes back, in either form and through every conversion."""

from __future__ import annotations

import csv
import math
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import recordings_making as making
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.packed import measure
from grader.domain.frames import Frame, Scan
from grader.errors import BadRecording
from grader.storage.recordings import (
    PackedWriter,
    Recording,
    RecordingWriter,
    convert,
    new_recording,
    open_recording,
    read_truth,
    recording_sha256,
    validate,
)
from grader.storage.recordings.findings import Findings
from grader.storage.recordings.manifest import manifest_text, read_manifest
from grader.storage.recordings.pixel_codec import PixelCodec
from grader.units import HostNs, Pulse

FORMS: list[tuple[str, Callable[[Path], Path]]] = [("line", making.folder), ("line.packed", making.packed)]


@pytest.fixture(params=FORMS, ids=["folder", "packed"])
def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    name, make = request.param
    return Path(make(tmp_path / name))


def as_folder(path: Path, target: Path) -> dict[str, bytes]:
    """Every file of the folder that a recording converts to."""
    if path.is_file():
        convert(path, target)
        path = target
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_frames_come_back_in_file_order_with_every_bit(recorded: Path) -> None:
    recording = open_recording(recorded)
    seen = [
        (f.camera, f.sequence, f.pulse, f.t_ns, None if f.pixels is None else f.pixels.copy())
        for f in recording.frames()
    ]
    assert recording.n_frames == len(seen) == 8
    for number in range(4):
        for place, camera in ((2 * number, making.TOP), (2 * number + 1, making.SIDE)):
            assert seen[place][:4] == (camera, number, 48 * number, 1000 * number)
            if (camera, number) == (making.TOP, 2):
                assert seen[place][4] is None
            else:
                assert np.array_equal(seen[place][4], making.pixels(camera, number))


def test_readings_come_back_as_they_were_written(recorded: Path) -> None:
    recording = open_recording(recorded)
    assert [w.mass_g for w in recording.weighings[2:]] == [152.1, 153.1] and math.isnan(recording.weighings[1].mass_g)
    assert [len(scan.counts) for scan in recording.scans] == [3, 2, 3, 3]
    assert recording.scans[3].counts.tolist() == [100.5, 3e7, 3] and recording.scans[3].counts.dtype == np.float32
    assert recording.scans[0].integration_us == 2500 and math.isnan(recording.scans[0].fruit_temp_c)
    assert recording.index_marks[3] == (3000, 144)
    assert recording.outcomes[1].reason == "7, full" and recording.outcomes[1].fired_pulse is None
    assert recording.outcomes[3].fired_pulse == 144
    assert recording.warnings == ()
    found = [(problem.file.name, problem.row, problem.text) for problem in validate(recorded)]
    assert found == [
        ("weights.csv", 3, "mass_g is no number"),
        ("spectra.csv", 3, "2 channels, the spectrometer has 3"),
        ("frames.csv", 7, "picture '' is not usable: missing"),
    ]


def test_devices_come_back_and_pictures_of_no_fruit_stand_apart(recorded: Path) -> None:
    recording = open_recording(recorded)
    assert recording.installation == making.installation()
    dark = [frame.pixels.copy() for frame in recording.pictures("dark") if frame.pixels is not None]
    assert len(dark) == 1 and np.array_equal(dark[0], making.pixels(making.TOP, 900))
    assert recording.frame_rows[0].exposure_us == 300


def test_truth_is_for_the_judge_alone(recorded: Path) -> None:
    assert read_truth(recorded)[0] == {"lane": "0", "cup": "0", "diameter_mm": "78.125", "condition": ""}
    assert "truth" not in open_recording(recorded).tables  # type: ignore[attr-defined]


def test_conversion_there_and_back_changes_no_byte_of_what_was_said(tmp_path: Path) -> None:
    source = making.folder(tmp_path / "line")
    steps: list[tuple[int, int]] = []
    assert convert(source, tmp_path / "line.packed", lambda done, total: steps.append((done, total))) == ()
    assert steps[-1] == (9, 9)
    assert as_folder(source, source) == as_folder(tmp_path / "line.packed", tmp_path / "back")
    assert convert(tmp_path / "line.packed", tmp_path / "again.packed") == ()
    assert as_folder(tmp_path / "again.packed", tmp_path / "third") == as_folder(source, source)


def test_conversion_carries_what_it_does_not_know(tmp_path: Path) -> None:
    """Unknown keys and columns, a comment, an empty table, a picture cut short, a JPEG, 16 bits, a wrong size."""
    source = making.folder(tmp_path / "line")
    text = (source / "recording.toml").read_text()
    text = "shift = 2026-11-22\n" + text.replace("[line]", "# ours\n[line]\nshed = 'A'") + "\n[weather]\nrain = true\n"
    (source / "recording.toml").write_text(text)
    for table in ("frames", "weights"):
        rows = (source / f"{table}.csv").read_text().splitlines()
        rows = [
            row + (",colour of, the day" if at else ",operator,day").replace(" of, ", "-").replace("the", ",")
            for at, row in enumerate(rows)
        ]
        rows = [row if row.count(",") == rows[0].count(",") else row.replace("-,", ",") for row in rows]
        (source / f"{table}.csv").write_text("\n".join(rows) + "\n")
    (source / "index.csv").write_text("t_ns,pulse,voltage\n")
    pictures = sorted((source / "frames").glob("??????.png"))
    pictures[1].write_bytes(pictures[1].read_bytes()[:90])
    _, jpeg = cv2.imencode(".jpg", making.pixels(making.TOP, 1))
    pictures[3].write_bytes(jpeg.tobytes())
    cv2.imwrite(str(pictures[2].with_suffix(".nir.png")), np.full((70, 24), 0x1234, np.uint16))
    cv2.imwrite(str(pictures[0]), np.zeros((9, 9, 3), np.uint8))
    convert(source, tmp_path / "line.packed")
    there = open_recording(tmp_path / "line.packed")
    assert any("shed" in warning and "recording.toml:" in warning for warning in there.warnings)
    assert there.extra == {"shift": tomllib.loads(text)["shift"], "line": {"shed": "A"}, "weather": {"rain": True}}
    assert as_folder(tmp_path / "line.packed", tmp_path / "back") == as_folder(source, source)
    here = open_recording(source)
    damages = [frame.damage for frame in here.frames()]
    assert damages == [frame.damage for frame in there.frames()]
    assert damages[0] == "cut short"


def test_sixteen_bit_nir_keeps_its_upper_byte(tmp_path: Path) -> None:
    source = making.folder(tmp_path / "line")
    (row,) = [row for row in open_recording(source).frame_rows if (row.camera, row.sequence) == (making.SIDE, 3)]
    cv2.imwrite(str((source / row.file).with_suffix(".nir.png")), np.full((70, 24), 0x1234, np.uint16))
    *_, last = open_recording(source).frames()
    assert last.pixels is not None and (last.pixels[..., 1] == 0x12).all()


def test_written_pictures_are_ordinary_ones_in_true_colours(tmp_path: Path) -> None:
    """A viewer sees red, green and blue where the camera's memory has another order of bands."""
    source = making.folder(tmp_path / "line")
    (row,) = [row for row in open_recording(source).frame_rows if (row.camera, row.sequence) == (making.SIDE, 0)]
    seen = cv2.imread(str(source / row.file))
    memory = making.pixels(making.SIDE, 0)  # red, nir, green, blue
    assert seen is not None and np.array_equal(seen, memory[..., [3, 2, 0]])
    nir = cv2.imread(str((source / row.file).with_suffix(".nir.png")), cv2.IMREAD_UNCHANGED)
    assert nir is not None and np.array_equal(nir, memory[..., 1])
    with (source / "frames.csv").open(newline="") as table:
        assert next(csv.reader(table))[:5] == ["camera", "sequence", "pulse", "t_ns", "file"]


def test_counts_become_grams_by_the_zero_and_slope_of_the_lane(tmp_path: Path) -> None:
    source = making.folder(tmp_path / "line")
    text = (source / "recording.toml").read_text()
    (source / "recording.toml").write_text(
        text.replace("[scale]", "[scale]\nzero_counts = [100, 200]\ng_per_count = [0.1, 0.5]")
    )
    (source / "weights.csv").write_text("lane,pulse,t_ns,counts\n0,1,1,1600\n1,2,2,600\n1,2,2,x\n")
    grams = [weighing.mass_g for weighing in open_recording(source).weighings]
    assert grams[:2] == pytest.approx([150, 200]) and math.isnan(grams[2])


def test_scans_find_their_spectrometer_where_there_are_several(tmp_path: Path) -> None:
    place = making.installation()
    narrow = type(place.spectrometers["main"])(lanes=(1,), position_mm=1500.0, wavelengths_nm=(900.0, 910.0))
    several = {"main": place.spectrometers["main"], "nir": narrow}
    place = type(place)(**{name: getattr(place, name) for name in place.__struct_fields__} | {"spectrometers": several})
    with RecordingWriter(tmp_path / "line", place) as writer:
        for name, channels in (("main", 3), ("nir", 2)):
            writer.write_scan(Scan(1, Pulse(1), HostNs(1), np.arange(channels, dtype=np.float32), spectrometer=name))
    assert [(s.spectrometer, len(s.counts)) for s in open_recording(tmp_path / "line").scans] == [
        ("main", 3),
        ("nir", 2),
    ]


def test_pixels_are_valid_until_the_next_frame_and_slots_are_used_again(recorded: Path) -> None:
    addresses = set()
    for frame in open_recording(recorded).frames(slots=2):
        if frame.pixels is not None:
            assert np.array_equal(frame.pixels, making.pixels(frame.camera, frame.sequence))
            addresses.add(frame.pixels.__array_interface__["data"][0])
    assert 1 <= len(addresses) <= 4  # two slots, each of which grew at most once


def test_no_thread_is_left_when_the_reader_stops_early(recorded: Path) -> None:
    before = threading.active_count()
    frames = open_recording(recorded).frames()
    next(frames)
    assert threading.active_count() > before
    del frames
    assert threading.active_count() == before
    for _ in open_recording(recorded).frames():
        break
    assert threading.active_count() == before


def test_what_is_there_is_never_overwritten(recorded: Path, tmp_path: Path) -> None:
    make = RecordingWriter if recorded.is_dir() else PackedWriter
    with pytest.raises(BadRecording, match="is there already"):
        make(recorded, making.installation())
    with pytest.raises(BadRecording, match="is there already"):
        convert(recorded, recorded)
    assert open_recording(recorded).n_frames == 8


def test_a_conversion_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    source = making.folder(tmp_path / "line")
    (source / "truth.csv").write_text('lane,cup\n0,"1\n')
    with pytest.raises(BadRecording, match=r"truth\.csv:2"):
        convert(source, tmp_path / "line.packed")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["line"]


@pytest.mark.parametrize("name", ["line", "line.packed"])
def test_a_new_recording_has_its_name_only_once_it_is_whole(tmp_path: Path, name: str) -> None:
    with new_recording(tmp_path / name, making.installation()) as writer:
        making.fill(writer)
        assert [path.name for path in tmp_path.iterdir()] == [f"{name}.part"]
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert open_recording(tmp_path / name).warnings == ()


@pytest.mark.parametrize("name", ["line", "line.packed"])
def test_of_a_new_recording_that_is_broken_off_nothing_stays(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyboardInterrupt), new_recording(tmp_path / name, making.installation()) as writer:
        making.fill(writer)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["line", "line.packed"])
def test_what_a_killed_command_left_is_named_and_not_touched(tmp_path: Path, name: str) -> None:
    part = tmp_path / f"{name}.part"
    part.write_bytes(b"half")
    with (
        pytest.raises(BadRecording, match=r"\.part: was left by a command that did not end .*remove it"),
        new_recording(tmp_path / name, making.installation()),
    ):
        pytest.fail("there is no place to write to")
    assert part.read_bytes() == b"half"


def test_where_no_recording_can_take_the_place_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in (Path(), Path("/"), Path("/proc")):
        with pytest.raises(BadRecording), new_recording(place, making.installation()):
            raise AssertionError("it has begun")
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_is_a_place_for_a_new_recording(tmp_path: Path) -> None:
    (tmp_path / "line").mkdir()
    with new_recording(tmp_path / "line", making.installation()) as writer:
        making.fill(writer)
    assert open_recording(tmp_path / "line").n_frames == 8


def test_digest_is_of_what_a_station_reads(tmp_path: Path) -> None:
    source = making.folder(tmp_path / "line")
    first = recording_sha256(source)
    (source / "truth.csv").unlink()
    assert recording_sha256(source) == first
    picture = next((source / "frames").glob("*.nir.png"))
    picture.write_bytes(picture.read_bytes() + b"\0")
    assert recording_sha256(source) != first


def test_a_picture_that_no_station_reads_is_in_the_digest_by_its_size_alone(tmp_path: Path) -> None:
    """Gigabytes in the place of a picture would otherwise be read for minutes."""
    source = making.folder(tmp_path / "line")
    picture = next((source / "frames").glob("*.nir.png"))
    digests = []
    for content in (bytes(3 << 20), b"x" * (3 << 20), bytes((3 << 20) + 1)):
        picture.write_bytes(content)
        digests.append(recording_sha256(source))
    assert digests[0] == digests[1] != digests[2]


def _rows(recording: Recording) -> list[tuple[object, ...]]:
    return [
        (f.camera, f.sequence, f.pulse, f.t_ns, None if f.pixels is None else f.pixels.tobytes())
        for f in recording.pictures("fruit")
    ]


INT64 = st.integers(-(2**63), 2**63 - 1)
FRAMES = st.lists(st.tuples(st.sampled_from([making.TOP, making.SIDE]), INT64, INT64, INT64, st.booleans()), max_size=5)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=FRAMES)
def test_any_frames_survive_both_forms_and_conversion(
    tmp_path_factory: pytest.TempPathFactory, frames: list[tuple[str, int, int, int, bool]]
) -> None:
    root = tmp_path_factory.mktemp("any")
    said = [
        Frame(camera, sequence, Pulse(pulse), HostNs(t_ns), making.pixels(camera, at) if there else None)
        for at, (camera, sequence, pulse, t_ns, there) in enumerate(frames)
    ]
    expected = [(f.camera, f.sequence, f.pulse, f.t_ns, None if f.pixels is None else f.pixels.tobytes()) for f in said]
    with (
        RecordingWriter(root / "a", making.installation()) as folder,
        PackedWriter(root / "a.packed", making.installation()) as packed,
    ):
        for frame in said:
            folder.write_frame(frame)
            packed.write_frame(frame)
    convert(root / "a", root / "b.packed")
    convert(root / "a.packed", root / "b")
    for name in ("a", "a.packed", "b", "b.packed"):
        assert _rows(open_recording(root / name)) == expected
    assert as_folder(root / "a", root / "a") == as_folder(root / "b", root / "b")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 9), st.integers(1, 4)),
    seed=st.integers(0, 2**32 - 1),
    flat=st.booleans(),
)
def test_the_codec_restores_every_picture_of_any_shape(shape: tuple[int, int, int], seed: int, flat: bool) -> None:
    picture = np.random.default_rng(seed).integers(0, 2 if flat else 256, shape, np.uint8)
    codec, out = PixelCodec(), np.empty(shape, np.uint8)
    packed = np.frombuffer(codec.compressed(picture), np.uint8)
    assert codec.restore(packed, out) and np.array_equal(out, picture)
    assert not codec.restore(packed, np.empty((shape[0], shape[1], shape[2] + 1), np.uint8))
    assert not codec.restore(packed[:-1], out)


def test_the_bench_of_the_packed_form_gives_its_figures() -> None:
    """It raises where a frame comes back changed; how fast this machine is just now is not a test's to judge."""
    figures = measure(0.01)
    assert figures["packed_ratio"] > 1.5 and min(figures.values()) > 0


TOML_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TOML_VALUES = st.recursive(
    st.one_of(TOML_TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.dates()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TOML_TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(extra=st.dictionaries(TOML_TEXT.map("x".__add__), TOML_VALUES, max_size=4))
def test_recording_toml_reads_back_equal_with_any_unknown_keys(extra: dict[str, object]) -> None:
    text = manifest_text(making.installation(), extra)
    manifest = read_manifest(text, Path("recording.toml"), Findings())
    assert manifest is not None
    assert manifest.installation == making.installation()
    assert manifest.extra == extra == {key: tomllib.loads(text)[key] for key in extra}


def test_a_conversion_names_what_it_leaves_behind(tmp_path: Path) -> None:
    with new_recording(tmp_path / "line", making.installation()):
        pass
    (tmp_path / "line" / "notes.txt").write_text("belt was wet")
    (said,) = [said for said in convert(tmp_path / "line", tmp_path / "line.packed") if "notes.txt" in said]
    assert "left behind" in said
