"""What people and disks hand to the station: settings, recordings, tables, artefacts, journals."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from bench.fuzz import seeds
from bench.fuzz.hunt import Trial
from bench.regrade import lot
from grader.app.replay import replay
from grader.config import check, load_station
from grader.config.sheets import load_sheet_for
from grader.domain.artefacts import SugarModel
from grader.domain.fruit import QUANTITIES
from grader.errors import BadSettings, GraderError
from grader.grading.allocate import Allocation, allocate
from grader.grading.compiled import compiled
from grader.grading.judge import grade, reasons
from grader.grading.presets import preset_names, preset_path
from grader.storage.artefacts import load_artefact, save_artefact
from grader.storage.fruit_table import compare, read_fruit_csv, write_fruit_csv
from grader.storage.journal import open_journal, read_events, read_fruit, read_memory, read_outcomes, read_runs
from grader.storage.recordings import PackedWriter, RecordingWriter, open_gradable, validate
from grader.storage.recordings.pictures import MAIN, decoded, encoded, is_plain
from grader.storage.recordings.pixel_codec import PixelCodec
from grader.storage.recordings.slots import Slot
from grader.storage.resume import where_to_go_on
from grader.units import Pulse

_VARIETY = "Fuji"
_REMEMBERED = "scale"
_LOT = lot(40, seed=1)

_STATION = b"""sheet = "house_default"
note = "two lanes"
[line]
lanes = 2
cups_per_second = 15
[gates]
first_mm = 2100
opening_ms = 35
[cameras.top]
bands = ["blue", "green", "red", "nir"]
[spectrometers.main]
lanes = [0, 1]
wavelengths_nm = [600.0, 601.5, 603.0]
"""


def _all_of(*reads: Callable[[], object]) -> None:
    """Every one of them, also behind one that raises; then its error."""
    failed: GraderError | None = None
    for read in reads:
        try:
            read()
        except GraderError as error:
            failed = error
    try:
        if failed is not None:
            raise failed
    finally:
        failed = None  # no circle: what its frames hold, connections to a journal among it, is to go at once


# Settings


def sheet_file(folder: Path) -> Trial:
    """A sheet without a fault can be compiled, and judges fruit."""
    path = folder / "sheet.toml"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        problems = check(path)
        sheet, _ = load_sheet_for(path, variety=_VARIETY)
        assert all(problem.warning for problem in problems)
        ready = compiled(sheet, _VARIETY)
        grades = grade(ready, _LOT)
        allocate(ready.outlets, _LOT.lane, grades.product, Allocation.fresh(ready.outlets, lanes=8))
        for row in range(0, len(_LOT), 10):
            reasons(ready, grades, _LOT, row)

    return Trial([preset_path(name).read_bytes() for name in preset_names()], read)


def station_file(folder: Path) -> Trial:
    """What a check finds no error in can be loaded, and the other way round."""
    path = folder / "station.toml"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        sound = all(problem.warning for problem in check(path))
        try:
            load_station(path)
        except BadSettings:
            assert not sound
            raise

    return Trial([_STATION], read)


# Recordings


def part_of_recording(name: str, folder: Path) -> Trial:
    """One file of a recording spoilt, the others sound: what a check reads, and all that a replay reads."""
    recording = folder / "recording"
    with RecordingWriter(recording, seeds.INSTALLATION) as writer:
        seeds.record(writer, frames=4)
    part = recording / name

    def read(data: bytes) -> None:
        part.write_bytes(data)
        _all_of(partial(validate, recording), partial(_gone_through, recording))

    return Trial([part.read_bytes()], read)


def packed_recording(folder: Path) -> Trial:
    """A packed recording through the check and the whole replay."""
    path = folder / "line.packed"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        _all_of(partial(validate, path), partial(replay, path))

    return Trial([_packed(path)], read)


def packed_frames(folder: Path) -> Trial:
    """A packed recording opened, every picture unpacked, nothing judged."""
    path = folder / "line.packed"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        _gone_through(path)

    return Trial([_packed(path)], read)


def _packed(path: Path) -> bytes:
    with PackedWriter(path, seeds.INSTALLATION) as writer:
        seeds.record(writer, frames=12)
    return path.read_bytes()


def _gone_through(path: Path) -> None:
    for frame in open_gradable(path).frames():
        assert (frame.pixels is None) == bool(frame.damage) or frame.damage == "out of order"


# Pictures


def png_picture(folder: Path) -> Trial:
    """Through the calls of a replay, as the picture of a camera and as its extra band."""
    files = encoded(seeds.picture(Pulse(0)), seeds.PLACE.bands)
    return Trial([files[MAIN].tobytes(), files["nir"].tobytes()], _read_picture)


def jpeg_picture(folder: Path) -> Trial:
    """As `png_picture`."""
    pixels = seeds.picture(Pulse(0))[..., :3]
    written = (
        cv2.imencode(".jpg", pixels, [])[1],
        cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1],
        cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1],
        cv2.imencode(".jpg", pixels[..., 0], [])[1],
    )
    return Trial([np.asarray(data, np.uint8).tobytes() for data in written], _read_picture)


_SLOT = Slot()
_NIR = encoded(seeds.picture(Pulse(0)), seeds.PLACE.bands)["nir"]


def _read_picture(data: bytes) -> None:
    picture = np.frombuffer(data, np.uint8)
    shape = (seeds.PLACE.height_px, seeds.PLACE.width_px, len(seeds.PLACE.bands))
    for files in ({MAIN: picture, "nir": _NIR}, {MAIN: picture, "nir": picture}):
        is_plain(files, seeds.PLACE.bands)
        pixels = decoded(files, seeds.PLACE, _SLOT.pixels)
        assert isinstance(pixels, str) or pixels.shape == shape


def pixel_codec(folder: Path) -> Trial:
    """Compressed pixels into the room that their picture has."""
    codec, pixels = PixelCodec(), seeds.picture(Pulse(0))
    out = np.empty_like(pixels)

    def read(data: bytes) -> None:
        codec.restore(np.frombuffer(data, np.uint8), out)

    return Trial([codec.compressed(pixels)], read)


# Tables, artefacts, journals


def fruit_table(folder: Path) -> Trial:
    """A table that could be read is the same after it was written and read again."""
    path, copy = folder / "fruit.csv", folder / "copy.csv"
    half_steps = {name: 0.501 * 10**-quantity.decimals for name, quantity in QUANTITIES.items()}
    write_fruit_csv(path, map(seeds.fruit, range(5)))

    def read(data: bytes) -> None:
        path.write_bytes(data)
        table = read_fruit_csv(path)
        write_fruit_csv(copy, sorted(table, key=lambda record: (record.lane, record.cup)))
        assert [each for each in compare(read_fruit_csv(copy), table, half_steps) if each.column] == []

    return Trial([path.read_bytes()], read)


def artefact(folder: Path) -> Trial:
    """A sugar model."""
    path = folder / "sugar.npz"
    save_artefact(path, seeds.sugar_model())

    def read(data: bytes) -> None:
        path.write_bytes(data)
        load_artefact(path, SugarModel)

    return Trial([path.read_bytes()], read)


def journal(folder: Path) -> Trial:
    """A journal as a damaged disk gives it back: read by everything that reads it, and gone on with."""
    path = folder / "journal.sqlite"
    _written_journal(path, path.with_suffix(".wal"))

    def read(data: bytes) -> None:
        _forget_log(path)
        path.write_bytes(data)
        _read_journal(path)

    return Trial([path.read_bytes()], read)


def journal_log(folder: Path) -> Trial:
    """The log beside a journal, as a power cut leaves it."""
    path = folder / "journal.sqlite"
    sound, log = folder / "sound.sqlite", folder / "sound.wal"
    _written_journal(path, log)
    shutil.copy(path, sound)

    def read(data: bytes) -> None:
        _forget_log(path)
        shutil.copy(sound, path)
        path.with_name(f"{path.name}-wal").write_bytes(data)
        _read_journal(path)

    return Trial([log.read_bytes()], read)


def _written_journal(path: Path, log: Path) -> None:
    """A journal of two runs; log: the write-ahead log of the second, while it was open."""
    for run in range(2):
        writer = open_journal(path, seeds.RUN)
        fruit = [seeds.fruit(cup) for cup in range(20 * run, 20 * run + 20)]
        writer.commit(fruit, [seeds.outcome(each.cup) for each in fruit], seeds.EVENTS)
        writer.remember(_REMEMBERED, {"zero_g": [0.5, 1.5]})
        shutil.copy(path.with_name(f"{path.name}-wal"), log)
        writer.close()


def _forget_log(path: Path) -> None:
    for end in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _read_journal(path: Path) -> None:
    reads = (read_fruit, read_outcomes, read_events, read_runs, where_to_go_on, _gone_on_with)
    _all_of(partial(read_memory, path, _REMEMBERED), *(partial(read, path) for read in reads))


def _gone_on_with(path: Path) -> None:
    writer = open_journal(path, seeds.RUN)
    try:
        after = max(writer.last_serials().values(), default=0) + 1
        writer.commit([seeds.fruit(after)], [seeds.outcome(after)])
    finally:
        writer.close()
