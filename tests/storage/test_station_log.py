"""station.log: a JSON object a line, files that do not grow for ever, and a disk that may do what it likes."""

from __future__ import annotations

import json
import math
import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from grader.domain.events import Event, EventKind
from grader.storage.station_log import MOST_WAITING, StationLog
from grader.units import Pulse

NOON = 1_795_608_000.25
PATIENCE_S = 20.0


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def a_log(path: Path, **changes: Any) -> StationLog:
    return StationLog(path, **{"wall_s": lambda: NOON, **changes})


def plant(text: str) -> Event:
    return Event(kind=EventKind.PLANT, text=text)


def until(is_so: Callable[[], bool]) -> None:
    """The log is written by a thread of its own."""
    waiting = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if is_so():
            return
        waiting.wait(0.01)
    raise AssertionError("it does not come")


def test_a_line_says_when_what_where_and_the_figures(tmp_path: Path) -> None:
    path = tmp_path / "station.log"
    with a_log(path) as log:
        log.started({"grader": "0.1.0"}, {"sheet": "ab"})
        log.tell(
            Event(
                kind=EventKind.FAULT,
                text='果杯 "7"\nis broken',
                pulse=Pulse(4711),
                lane=2,
                cup=7,
                values={"g": 1.5, "unknown": math.nan},
            )
        )
        log.tell(Event(kind=EventKind.DEGRADED, text="no weight", lane=1))
    time = "2026-11-25T12:00:00.250Z"
    started = {"grader": "0.1.0", "sha256_sheet": "ab"}
    assert lines_of(path) == [
        {"time": time, "level": "info", "event": "started", "text": "grader 0.1.0", "figures": started},
        {
            "time": time,
            "level": "error",
            "event": "fault",
            "text": '果杯 "7"\nis broken',
            "pulse": 4711,
            "lane": 2,
            "cup": 7,
            "figures": {"g": 1.5, "unknown": None},
        },
        {"time": time, "level": "warning", "event": "degraded", "text": "no weight", "lane": 1},
        {"time": time, "level": "info", "event": "ended", "text": "the program has ended"},
    ]


def test_zeros_and_tares_are_left_to_the_journal(tmp_path: Path) -> None:
    with a_log(tmp_path / "station.log") as log:
        for kind in (EventKind.SCALE_ZERO, EventKind.SCALE_SPAN, EventKind.CUP_TARE, EventKind.SCALE_ALARM):
            log.tell(Event(kind=kind, text="", lane=0))
    assert [line["event"] for line in lines_of(tmp_path / "station.log")] == ["scale_alarm", "ended"]


def test_what_ends_the_program_is_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(OSError), a_log(tmp_path / "station.log"):
        raise OSError("the board is gone")
    (last,) = lines_of(tmp_path / "station.log")
    assert (last["level"], last["text"]) == ("error", "the board is gone")


def test_files_turn_over_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "station.log"
    with a_log(path, most_bytes=2000, most_files=3) as log:
        for number in range(100):
            log.tell(plant(f"belt {number}"))
    files = [path, tmp_path / "station.log.1", tmp_path / "station.log.2"]
    assert sorted(tmp_path.iterdir()) == files
    assert all(file.stat().st_size <= 2000 for file in files)
    kept = [line["text"] for file in reversed(files) for line in lines_of(file)]
    assert kept[-1] == "the program has ended"
    assert kept[:-1] == [f"belt {number}" for number in range(101 - len(kept), 100)]


def test_a_program_that_starts_again_goes_on_in_the_same_file(tmp_path: Path) -> None:
    for _ in range(2):
        with a_log(tmp_path / "station.log"):
            pass
    assert len(lines_of(tmp_path / "station.log")) == 2


def test_a_line_that_was_cut_off_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "station.log"
    path.write_text('{"time":"2026-')
    with a_log(path):
        pass
    torn, whole = path.read_text().splitlines()
    assert torn == '{"time":"2026-' and json.loads(whole)["event"] == "ended"


@pytest.mark.parametrize("takes_away", [Path.unlink, lambda path: path.rename(path.with_name("moved"))])
def test_a_file_that_somebody_takes_away_comes_again(tmp_path: Path, takes_away: Callable[[Path], object]) -> None:
    path = tmp_path / "station.log"
    with a_log(path) as log:
        log.tell(plant("before"))
        until(lambda: path.exists() and len(lines_of(path)) == 1)
        takes_away(path)
        log.tell(plant("after"))
    assert [line["text"] for line in lines_of(path)] == ["after", "the program has ended"]


@contextmanager
def a_full_disk(at_bytes: int) -> Iterator[None]:
    """No file of this process can grow beyond that: a write fails in the middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (at_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_on_a_full_disk_lines_are_lost_and_counted_and_later_ones_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "station.log"
    with a_log(path) as log:
        log.tell(plant("before"))
        until(lambda: path.exists() and len(lines_of(path)) == 1)
        full_at = path.stat().st_size + 20
        with a_full_disk(full_at):
            for _ in range(5):
                log.tell(plant("meanwhile"))
            until(lambda: path.stat().st_size == full_at)
        log.tell(plant("after"))
    said = path.read_text().splitlines()
    whole = [json.loads(line) for line in said if line.endswith("}")]
    lost = [int(line["text"].split()[0]) for line in whole if line["event"] == "lines_lost"]
    written = [line["text"] for line in whole if line["event"] == "plant"]
    assert sum(lost) >= 1 and sum(lost) + written.count("meanwhile") == 5
    assert written[0] == "before" and written[-1] == "after"
    assert len(said) - len(whole) == 1, "the line that the disk cut"


def test_a_folder_that_is_gone_or_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    with a_log(tmp_path / "gone" / "station.log") as log:
        log.tell(plant("nobody will know"))


def test_a_disk_that_hangs_holds_nobody_up_and_the_end_of_the_program_neither(tmp_path: Path) -> None:
    """A pipe that nobody reads is opened for writing for ever, as a file on a disk that hangs."""
    pipe = tmp_path / "station.log"
    os.mkfifo(pipe)
    with a_log(pipe) as log:
        for number in range(3 * MOST_WAITING):
            log.tell(plant(f"belt {number}"))
    # Let the log's thread go: it may not outlive the test.
    reader = threading.Thread(target=lambda: pipe.read_bytes())
    reader.start()
    reader.join(PATIENCE_S)
    until(lambda: "log" not in {thread.name for thread in threading.enumerate()})
