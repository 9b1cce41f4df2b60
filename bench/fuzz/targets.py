"""The table of what is fuzzed. A line more is a reader more."""

from __future__ import annotations

from functools import partial

from bench.fuzz import files, wire
from bench.fuzz.formats import spoilt_archive, spoilt_jpeg, spoilt_packed, spoilt_packets, spoilt_png
from bench.fuzz.hunt import Target
from bench.fuzz.mutation import spoilt_bytes, spoilt_text
from grader.errors import BadArtefact, BadFile, BadRecording, BadSettings, BoardLost, JournalError

_PARTS = (
    "recording.toml",
    *(f"{table}.csv" for table in ("frames", "weights", "spectra", "index", "outcomes", "truth")),
)

TARGETS = {
    target.name: target
    for target in (
        Target("packets", wire.packets, spoilt_packets, BoardLost),
        Target("board to station", wire.board_to_station, spoilt_packets, BoardLost),
        Target("station to board", wire.station_to_board, spoilt_packets, BoardLost),
        Target("message link", wire.message_link, spoilt_bytes),
        Target("sensor messages", wire.sensor_messages, spoilt_bytes),
        Target("orders", wire.orders, spoilt_text),
        Target("sheet.toml", files.sheet_file, spoilt_text, BadSettings),
        Target("station.toml", files.station_file, spoilt_text, BadSettings),
        *(Target(part, partial(files.part_of_recording, part), spoilt_text, BadRecording) for part in _PARTS),
        Target("packed frames", files.packed_frames, spoilt_packed, BadRecording),
        Target("packed replay", files.packed_recording, spoilt_packed),
        Target("PNG", files.png_picture, spoilt_png, BadRecording),
        Target("JPEG", files.jpeg_picture, spoilt_jpeg, BadRecording),
        Target("pixel codec", files.pixel_codec, spoilt_bytes, BadRecording),
        Target("fruit.csv", files.fruit_table, spoilt_text, BadFile),
        Target("artefact", files.artefact, spoilt_archive, BadArtefact),
        Target("journal", files.journal, spoilt_bytes, JournalError),
        Target("journal log", files.journal_log, spoilt_bytes, JournalError),
    )
}
"""By name."""
